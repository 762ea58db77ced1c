//! `--watch`: everything is checked again whenever a file changes.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::Args;
use crate::cli::{CliError, terminal};

/// For how long nothing more may change until it is checked again: an editor writes a file in several
/// steps, and a tool many files at once.
const QUIET: Duration = Duration::from_millis(60);
/// After this it is checked also where something goes on changing.
const PATIENCE_ROUNDS: usize = 30;
/// Clears a terminal and goes to its first line.
const CLEAR: &str = "\u{1b}[2J\u{1b}[3J\u{1b}[H";

impl Args {
    /// Checks until the process is ended.
    pub(super) fn watch(&self) -> Result<ExitCode, CliError> {
        if self.paths.iter().any(|path| path.as_os_str() == "-") {
            return Err(CliError::Refused("`--watch` looks at files, and `-` is none".to_owned()));
        }
        let (tell, told) = channel();
        let mut watcher = notify::recommended_watcher(move |event| {
            // Nobody listens any more once the command ends.
            let _ = tell.send(event);
        })
        .map_err(|error| CliError::Refused(format!("files cannot be watched: {error}")))?;
        let watched = Watched::of(self);
        watched.begin(&mut watcher)?;
        loop {
            self.again()?;
            watched.wait(&told)?;
        }
    }

    fn again(&self) -> Result<(), CliError> {
        if terminal::stdout_has_colour() {
            terminal::print(CLEAR)?;
        }
        // What cannot be read now may be there the next time: a file that is being renamed, a setting
        // that is being written.
        match self.once() {
            Ok(_) => {}
            Err(CliError::Write(error)) => return Err(CliError::Write(error)),
            Err(error) => terminal::tell(&format!("spine: {error}")),
        }
        terminal::tell("spine: waiting for changes; Ctrl-C ends");
        Ok(())
    }
}

/// What a change is looked for in. Folders are watched, never files: an editor that writes a new file
/// and renames it over the old one would leave a watch on the old one behind.
struct Watched {
    /// With everything below.
    trees: BTreeSet<PathBuf>,
    /// Only what stands in them.
    folders: BTreeSet<PathBuf>,
    /// Files that count whatever their ending: settings, catalogs, baselines, files that were named.
    files: BTreeSet<PathBuf>,
}

impl Watched {
    fn of(args: &Args) -> Watched {
        let mut watched =
            Watched { trees: BTreeSet::new(), folders: BTreeSet::new(), files: BTreeSet::new() };
        for path in &args.paths {
            match path.is_dir() {
                true => _ = watched.trees.insert(path.clone()),
                false => watched.file(path),
            }
        }
        for path in [&args.catalog, &args.config, &args.baseline].into_iter().flatten() {
            watched.file(path);
        }
        if args.config.is_none() {
            // The nearest one, and the working folder, where a nearer one may come to be.
            watched.file(Path::new(super::super::settings::FILE));
            if let Some(path) = super::super::settings::nearest() {
                watched.file(&path);
            }
        }
        watched
    }

    fn file(&mut self, path: &Path) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        self.folders.insert(folder.to_owned());
        self.files.extend(path.file_name().map(PathBuf::from));
    }

    fn begin(&self, watcher: &mut RecommendedWatcher) -> Result<(), CliError> {
        let trees = self.trees.iter().map(|path| (path, RecursiveMode::Recursive));
        let folders = self.folders.iter().filter(|path| !self.trees.contains(*path));
        for (path, mode) in trees.chain(folders.map(|path| (path, RecursiveMode::NonRecursive))) {
            let fault = |error| CliError::Refused(format!("`{}` cannot be watched: {error}", path.display()));
            watcher.watch(path, mode).map_err(fault)?;
        }
        Ok(())
    }

    /// Until something has changed and then nothing more for a moment.
    fn wait(&self, told: &Receiver<notify::Result<Event>>) -> Result<(), CliError> {
        let ended = || CliError::Refused("files are no longer watched".to_owned());
        loop {
            let event = told.recv().map_err(|_| ended())?;
            if self.counts(&event) {
                break;
            }
        }
        for _ in 0..PATIENCE_ROUNDS {
            match told.recv_timeout(QUIET) {
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return Err(ended()),
            }
        }
        Ok(())
    }

    fn counts(&self, event: &notify::Result<Event>) -> bool {
        let Ok(event) = event else { return true };
        if matches!(event.kind, EventKind::Access(_)) {
            return false;
        }
        let named =
            |path: &PathBuf| path.file_name().is_some_and(|name| self.files.contains(Path::new(name)));
        // A folder that comes or goes may bring policies along.
        let may_count = |path: &PathBuf| match path.extension().and_then(OsStr::to_str) {
            Some("policy") | None => true,
            Some(_) => named(path),
        };
        event.need_rescan() || event.paths.iter().any(may_count)
    }
}
