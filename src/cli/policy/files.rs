//! Policy files: a file, a folder (all `.policy` files below it) or `-`.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::cli::CliError;
use crate::language::policy::TextRange;
use crate::language::{Library, STDIN, Used, limits, names, uses};
use crate::lint::{SourceFile, twice};

/// How deep folders are looked into.
const FOLDERS_DEPTH_MAX: usize = 32;

/// Reads all files of the paths; those of a folder in the order of their names, those named twice once.
pub(crate) fn load(paths: &[PathBuf]) -> Result<Vec<SourceFile>, CliError> {
    read_all(paths, |folder| Err(CliError::NoPolicies(folder.to_owned())))
}

/// The same, and why some of them cannot be read, where others can.
pub(crate) fn load_readable(paths: &[PathBuf]) -> Result<(Vec<SourceFile>, Vec<CliError>), CliError> {
    let (mut files, mut unread) = (Vec::new(), Vec::new());
    for file in each(paths, |folder| Err(CliError::NoPolicies(folder.to_owned())))? {
        match file {
            Ok(file) => files.push(file),
            Err(error) => unread.push(error),
        }
    }
    match (files.is_empty(), unread.pop()) {
        (true, Some(error)) if unread.is_empty() => Err(error),
        (_, last) => {
            unread.extend(last);
            Ok((files, unread))
        }
    }
}

/// The same, where a folder may have none.
pub(crate) fn load_any(path: &Path) -> Result<Vec<SourceFile>, CliError> {
    read_all(&[path.to_owned()], |_| Ok(()))
}

fn read_all(
    paths: &[PathBuf],
    empty: impl Fn(&Path) -> Result<(), CliError>,
) -> Result<Vec<SourceFile>, CliError> {
    each(paths, empty)?.into_iter().collect()
}

fn each(
    paths: &[PathBuf],
    empty: impl Fn(&Path) -> Result<(), CliError>,
) -> Result<Vec<Result<SourceFile, CliError>>, CliError> {
    let mut all: Vec<PathBuf> = Vec::new();
    for path in paths {
        if path.as_os_str() == DASH {
            all.push(path.clone());
            continue;
        }
        let meta = std::fs::metadata(path).map_err(|source| CliError::Read { path: path.clone(), source })?;
        if !meta.is_dir() {
            all.push(path.clone());
            continue;
        }
        let before = all.len();
        walk(path, ".policy", 0, &mut all)?;
        if all.len() == before {
            empty(path)?;
        }
    }
    // Below one path nothing stands twice.
    if paths.len() > 1 {
        let mut seen = HashSet::new();
        all.retain(|path| seen.insert(path.strip_prefix(".").unwrap_or(path).to_owned()));
    }
    Ok(in_parallel(&all, |path| read(path)))
}

/// What stands for the standard input among paths.
const DASH: &str = "-";

/// Does the same for each, on all cores; the answers in the order of what was asked.
pub(crate) fn in_parallel<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    // So little is done sooner than a thread is started.
    const ALONE_MAX: usize = 16;
    const TAKEN_AT_ONCE: usize = 32;
    // Asking for the cores reads several files of the system.
    let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
    let cores = if all.len() <= ALONE_MAX { 1 } else { cores() };
    if cores == 1 {
        return all.iter().map(work).collect();
    }
    let parts: Vec<&[T]> = all.chunks(TAKEN_AT_ONCE).collect();
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        while let Some((place, part)) = {
            let place = next.fetch_add(1, Ordering::Relaxed);
            parts.get(place).map(|part| (place, part))
        } {
            done.push((place, part.iter().map(&work).collect::<Vec<R>>()));
        }
        done
    };
    let mut done: Vec<(usize, Vec<R>)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..cores.min(parts.len())).map(|_| scope.spawn(take)).collect();
        let mut done = take();
        for other in others {
            match other.join() {
                Ok(more) => done.extend(more),
                // A fault of the program goes on as one.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().flat_map(|(_, part)| part).collect()
}

/// The files below a folder whose names end so, in the order of their names.
pub(crate) fn below(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, CliError> {
    let mut found = Vec::new();
    walk(folder, ending, 0, &mut found)?;
    Ok(found)
}

fn walk(folder: &Path, ending: &str, depth: usize, out: &mut Vec<PathBuf>) -> Result<(), CliError> {
    let fault = |source| CliError::Read { path: folder.to_owned(), source };
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).map_err(fault)?.collect::<Result<_, _>>().map_err(fault)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        // A link to a folder is not followed: it may lead back.
        let kind = entry.file_type().map_err(fault)?;
        if kind.is_dir() && !hidden && depth < FOLDERS_DEPTH_MAX {
            walk(&path, ending, depth + 1, out)?;
        } else if !kind.is_dir() && !hidden && entry.file_name().to_string_lossy().ends_with(ending) {
            out.push(path);
        }
    }
    Ok(())
}

pub(crate) fn read(path: &Path) -> Result<SourceFile, CliError> {
    if path.as_os_str() == DASH {
        let text = read_text(std::io::stdin().lock(), 0, path)?;
        return Ok(SourceFile { path: STDIN.to_owned(), text, bare_name: None });
    }
    let file =
        std::fs::File::open(path).map_err(|source| CliError::Read { path: path.to_owned(), source })?;
    // The length is a hint, for one read that takes it all.
    let length = file.metadata().ok().and_then(|meta| usize::try_from(meta.len()).ok()).unwrap_or_default();
    let text = read_text(file, length, path)?;
    let bare_name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    Ok(SourceFile { path: path.display().to_string(), text, bare_name })
}

/// Reads no more than tells that a file is too large.
fn read_text(from: impl Read, length: usize, path: &Path) -> Result<String, CliError> {
    let most = limits::SOURCE_BYTES_MAX + 4;
    let mut bytes = Vec::with_capacity(length.min(most));
    let fault = |source| CliError::Read { path: path.to_owned(), source };
    from.take(u64::try_from(most).unwrap_or(u64::MAX)).read_to_end(&mut bytes).map_err(fault)?;
    let cut = bytes.len() > limits::SOURCE_BYTES_MAX;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        // The cut may go through a letter; what is left is too large all the same.
        Err(error) if cut => Ok(String::from_utf8_lossy(error.as_bytes()).into_owned()),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..valid].iter().filter(|b| **b == b'\n').count() + 1;
            let message = format!("line {line} is not UTF-8 text");
            Err(fault(std::io::Error::new(std::io::ErrorKind::InvalidData, message)))
        }
    }
}

/// The names that each file gives, with where they stand.
pub(crate) fn names_of(files: &[SourceFile]) -> Vec<Vec<(String, TextRange)>> {
    files.iter().map(|file| twice::named(&file.text, file.bare_name.as_deref())).collect()
}

/// The policies of files, and of those that stand beside them, so that one may use another. They are
/// looked for once one is asked for.
#[derive(Debug)]
pub(crate) struct Folder {
    files: Vec<SourceFile>,
    /// From elsewhere: they count where none here has their name.
    more: Vec<SourceFile>,
    /// Whether those that stand beside them count.
    around: bool,
    index: OnceLock<Index>,
}

/// The files beside those that were named, and where each name is.
#[derive(Debug, Default)]
struct Index {
    beside: Vec<SourceFile>,
    by_name: HashMap<String, usize>,
    used: HashSet<String>,
}

impl Folder {
    /// The same with policies from elsewhere, which count where none here has their name.
    pub(crate) fn and(self, files: &[SourceFile]) -> Folder {
        Folder { more: files.to_vec(), index: OnceLock::new(), ..self }
    }

    /// The policies of these files alone.
    pub(crate) fn of(files: &[SourceFile]) -> Folder {
        Folder { files: files.to_vec(), more: Vec::new(), around: false, index: OnceLock::new() }
    }

    /// The policies of these files, and of those that stand beside them. Where two have one name, the
    /// first counts.
    pub(crate) fn around(files: &[SourceFile]) -> Folder {
        Folder { around: true, ..Folder::of(files) }
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| {
            let named: HashSet<&Path> = self.files.iter().map(|file| Path::new(file.path.as_str())).collect();
            let mut looked_into: HashSet<&Path> = HashSet::new();
            let mut beside = Vec::new();
            for file in self.files.iter().filter(|file| self.around && file.path != STDIN) {
                let Some(parent) = Path::new(&file.path).parent() else { continue };
                if !looked_into.insert(parent) {
                    continue;
                }
                let folder = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
                let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
                let paths = entries.map(|entry| parent.join(entry.file_name()));
                let new = |p: &PathBuf| {
                    p.extension().is_some_and(|e| e == "policy") && !named.contains(p.as_path())
                };
                let mut paths: Vec<PathBuf> = paths.filter(|path| new(path) && path.is_file()).collect();
                paths.sort();
                beside.extend(paths);
            }
            // A neighbour that cannot be read is missed only where it is used.
            let beside: Vec<SourceFile> = in_parallel(&beside, |path| read(path))
                .into_iter()
                .flatten()
                .chain(self.more.clone())
                .collect();
            let all: Vec<&SourceFile> = self.files.iter().chain(&beside).collect();
            let found = in_parallel(&all, |file| {
                let named = names(&file.text);
                let bare = named.bare.then(|| file.bare_name.clone()).flatten();
                (named.names.into_iter().chain(bare).collect::<Vec<String>>(), uses(&file.text))
            });
            let (mut by_name, mut used) = (HashMap::new(), HashSet::new());
            for (place, (names, uses)) in found.into_iter().enumerate() {
                for name in names {
                    by_name.entry(name).or_insert(place);
                }
                used.extend(uses);
            }
            Index { beside, by_name, used }
        })
    }
}

impl Library for Folder {
    fn policy(&self, reference: &str) -> Option<Used> {
        let index = self.index();
        let place = *index.by_name.get(reference)?;
        let file = self.files.get(place).or_else(|| index.beside.get(place - self.files.len()))?;
        Some(Used {
            name_at_version: reference.to_owned(),
            source: file.text.clone(),
            policy_name: reference.to_owned(),
            uses: Vec::new(),
        })
    }

    fn is_used(&self, name: &str) -> bool {
        self.index().used.contains(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_on_all_cores_comes_back_in_order() {
        for count in [0, 1, 16, 17, 100, 1_000] {
            let all: Vec<usize> = (0..count).collect();
            assert_eq!(in_parallel(&all, |n| n * 2), all.iter().map(|n| n * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_policy_is_found_in_the_files_and_beside_them_and_the_first_counts() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        for (name, text) in
            [("a.policy", "policy a { sms }"), ("b.policy", "policy a { email } policy b { push }")]
        {
            std::fs::write(path(name), text).unwrap();
        }
        std::fs::write(path("bare.policy"), "voice").unwrap();
        let files = load(&[path("b.policy"), path("b.policy")]).unwrap();
        assert_eq!(files.len(), 1);
        let folder = Folder::around(&files);
        let text = |name: &str| folder.policy(name).map(|used| used.source);
        assert_eq!(Folder::of(&files).policy("bare"), None);
        assert_eq!(text("a").as_deref(), Some("policy a { email } policy b { push }"));
        assert_eq!(text("bare").as_deref(), Some("voice"));
        assert_eq!(text("c"), None);
    }
}
