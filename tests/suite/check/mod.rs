//! `spine policy check` as those use it who stand around it: services, hooks, and somebody who edits.

mod ci;
mod watch;

use std::path::Path;
use std::process::Command;

/// The program in a folder, without what a CI service around the tests would set.
fn spine_in(folder: &Path) -> Command {
    let mut command = crate::process::spine();
    command.current_dir(folder);
    for name in ["GITHUB_WORKSPACE", "GITHUB_STEP_SUMMARY", "CI_PROJECT_DIR"] {
        command.env_remove(name);
    }
    command
}

/// Writes files into a folder.
fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}
