//! The command line, whole sessions at a time.

use std::path::Path;

#[test]
fn sessions_print_what_they_say() {
    let cases = trycmd::TestCases::new();
    // What a CI service sets would change from where paths count.
    for name in ["GITHUB_WORKSPACE", "GITHUB_STEP_SUMMARY", "CI_PROJECT_DIR"] {
        cases.env(name, "");
    }
    cases.case("tests/cases/cli/*.md");
}

fn spine() -> snapbox::cmd::Command {
    snapbox::cmd::Command::new(Path::new(env!("CARGO_BIN_EXE_spine")))
}

#[test]
fn the_standard_input_is_formatted_to_the_standard_output() {
    let text = "sms  then\n email # last\n";
    let run = |text: &str, args: &[&str]| spine().args(["policy", "fmt"]).args(args).stdin(text).assert();
    run(text, &["-"]).code(0).stdout_eq("sms then email  # last\n").stderr_eq("");
    run(text, &["--check", "-"]).code(1).stdout_eq("<stdin>\n").stderr_eq("");
    let faulty = run("sms then\n", &["-"]).code(1).stdout_eq("");
    let told = String::from_utf8_lossy(&faulty.get_output().stderr).into_owned();
    assert!(told.contains("there is no stage after `then`"), "{told}");
}

#[cfg(unix)]
#[test]
fn a_formatted_file_keeps_its_place_and_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("real.policy"), folder.path().join("link.policy"));
    std::fs::write(&file, "sms   then email").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("real.policy", &link).unwrap();
    spine().args(["policy", "fmt"]).arg(&link).assert().code(0);
    assert!(link.is_symlink());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "sms then email\n");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "something was left beside it");
}
