//! `--watch`: everything is checked again whenever a file changes.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use notify::event::{CreateKind, ModifyKind, RemoveKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::super::settings;
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
        let mut watched = Watched::default();
        loop {
            // Which settings hold may be others than before: a nearer file has come, or the nearest is gone.
            let now = Watched::of(self);
            now.begin(&mut watcher, &watched)?;
            watched = now;
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
/// and renames it over the old one would leave a watch on the old one behind. All paths are absolute, as
/// events name them.
#[derive(Debug, Default)]
struct Watched {
    /// With everything below.
    trees: BTreeSet<PathBuf>,
    /// Only what stands in them.
    folders: BTreeSet<PathBuf>,
    /// Those of them where a nearer file of settings may come to be: no fault where they cannot be watched.
    above: BTreeSet<PathBuf>,
    /// Files that count whatever their ending: settings, catalogs, baselines, files that were named.
    files: BTreeSet<PathBuf>,
    /// The folders in the trees: what is gone was one if it is among them.
    inner: BTreeSet<PathBuf>,
}

impl Watched {
    fn of(args: &Args) -> Watched {
        let mut watched = Watched::default();
        for path in &args.paths {
            match path.is_dir() {
                true => watched.tree(path),
                false => watched.file(path),
            }
        }
        for path in [&args.catalog, &args.config, &args.baseline].into_iter().flatten() {
            watched.file(path);
        }
        if args.config.is_none() {
            watched.settings(&absolute(Path::new(".")), settings::nearest().as_deref());
        }
        watched
    }

    fn tree(&mut self, path: &Path) {
        let whole = absolute(path);
        folders_in(&whole, &mut self.inner);
        self.trees.insert(whole);
    }

    fn file(&mut self, path: &Path) {
        let whole = absolute(path);
        if let Some(folder) = whole.parent() {
            self.folders.insert(folder.to_owned());
            // As events name it where a folder is a link to another.
            let real = folder.canonicalize().ok();
            self.files.extend(real.zip(whole.file_name()).map(|(folder, name)| folder.join(name)));
        }
        self.files.insert(whole);
    }

    /// The nearest file of settings, and each folder below it, where a nearer one may come to be.
    fn settings(&mut self, working: &Path, nearest: Option<&Path>) {
        let nearest = nearest.map(absolute);
        for folder in working.ancestors() {
            let path = folder.join(settings::FILE);
            self.file(&path);
            if nearest.as_ref() == Some(&path) {
                break;
            }
            self.above.insert(folder.to_owned());
        }
    }

    /// Watches what `before` did not.
    fn begin(&self, watcher: &mut RecommendedWatcher, before: &Watched) -> Result<(), CliError> {
        let trees = self.trees.difference(&before.trees).map(|path| (path, RecursiveMode::Recursive));
        let folders = self.folders.difference(&before.folders).filter(|path| !self.is_in_tree(path));
        for (path, mode) in trees.chain(folders.map(|path| (path, RecursiveMode::NonRecursive))) {
            match watcher.watch(path, mode) {
                Err(error) if !self.above.contains(path) => {
                    let path = path.display();
                    return Err(CliError::Refused(format!("`{path}` cannot be watched: {error}")));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn is_in_tree(&self, path: &Path) -> bool {
        self.trees.iter().any(|tree| path.starts_with(tree))
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
        event.need_rescan() || event.paths.iter().any(|path| self.may_count(event.kind, path))
    }

    fn may_count(&self, kind: EventKind, path: &Path) -> bool {
        let is_policy = path.extension().and_then(OsStr::to_str) == Some("policy");
        is_policy || self.files.contains(path) || (self.is_in_tree(path) && self.is_folder(kind, path))
    }

    /// Whether a folder has come, has gone or was renamed, which may bring policies along. What is
    /// written to a file that is no policy changes nothing.
    fn is_folder(&self, kind: EventKind, path: &Path) -> bool {
        match kind {
            EventKind::Create(CreateKind::Folder) | EventKind::Remove(RemoveKind::Folder) => true,
            EventKind::Create(CreateKind::File)
            | EventKind::Remove(RemoveKind::File)
            | EventKind::Modify(ModifyKind::Data(_)) => false,
            _ => path.is_dir() || (self.inner.contains(path) && !path.exists()),
        }
    }
}

/// The path from the root on; as it is where nobody knows the working folder.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A folder and all folders in it. Links are not followed: they may lead round.
fn folders_in(folder: &Path, out: &mut BTreeSet<PathBuf>) {
    let mut to_read = vec![folder.to_owned()];
    while let Some(folder) = to_read.pop() {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let inner = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        to_read.extend(inner.map(|entry| entry.path()));
        out.insert(folder);
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{DataChange, RenameMode};

    use super::*;

    const WRITTEN: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    const NEW_FILE: EventKind = EventKind::Create(CreateKind::File);
    const NEW_FOLDER: EventKind = EventKind::Create(CreateKind::Folder);
    const RENAMED: EventKind = EventKind::Modify(ModifyKind::Name(RenameMode::From));
    const ANYHOW: EventKind = EventKind::Any;

    #[test]
    fn what_may_change_a_finding_counts_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let at = |path: &str| home.path().join(path);
        for folder in ["policies/inner", "policies/gone.d", "work/here"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        for file in ["policies/a.policy", "policies/log", "work/spine.yaml", "catalog.yaml"] {
            std::fs::write(at(file), "").unwrap();
        }
        let mut watched = Watched::default();
        watched.tree(&at("policies"));
        watched.file(&at("catalog.yaml"));
        watched.settings(&at("work/here"), Some(&at("work/spine.yaml")));
        std::fs::remove_dir(at("policies/gone.d")).unwrap();
        for (kind, path, counts) in [
            (WRITTEN, "policies/a.policy", true),
            (WRITTEN, "policies/inner/new.policy", true),
            (RENAMED, "policies/a.policy", true),
            // A file without an ending is no folder, however it is written: what this command itself
            // writes there must not call it again.
            (WRITTEN, "policies/log", false),
            (NEW_FILE, "policies/log", false),
            (ANYHOW, "policies/log", false),
            (EventKind::Remove(RemoveKind::File), "policies/log", false),
            (RENAMED, "policies/was_a_file", false),
            (WRITTEN, "policies/notes.txt", false),
            // Folders, with an ending too.
            (NEW_FOLDER, "policies/new", true),
            (NEW_FOLDER, "policies/new.d", true),
            (ANYHOW, "policies/inner", true),
            (RENAMED, "policies/gone.d", true),
            (EventKind::Remove(RemoveKind::Folder), "policies", true),
            // Beside the trees only what is named counts.
            (NEW_FOLDER, "work/here/new", false),
            (WRITTEN, "catalog.yaml", true),
            (WRITTEN, "work/catalog.yaml", false),
            (WRITTEN, "work/spine.yaml", true),
            (NEW_FILE, "work/here/spine.yaml", true),
            (NEW_FILE, "spine.yaml", false),
            (EventKind::Access(notify::event::AccessKind::Read), "policies/a.policy", false),
        ] {
            let event = Ok(Event::new(kind).add_path(at(path)));
            assert_eq!(watched.counts(&event), counts, "{kind:?} {path}");
        }
        assert!(watched.counts(&Err(notify::Error::generic("lost"))));
    }
}
