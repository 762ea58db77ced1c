//! Policy files: a file, a folder (all `.policy` files below it) or `-`.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::cli::CliError;
use crate::language::{Library, Used, limits, parse};
use crate::lint::SourceFile;

/// How deep folders are looked into.
const FOLDERS_DEPTH_MAX: usize = 32;

/// Reads all files of the paths; those of a folder in the order of their names.
pub(crate) fn load(paths: &[PathBuf]) -> Result<Vec<SourceFile>, CliError> {
    let mut files = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            let text = read_text(std::io::stdin().lock(), path)?;
            files.push(SourceFile { path: "<stdin>".to_owned(), text, bare_name: None });
            continue;
        }
        let meta = std::fs::metadata(path).map_err(|source| CliError::Read { path: path.clone(), source })?;
        if !meta.is_dir() {
            files.push(read(path)?);
            continue;
        }
        let below = below(path, ".policy")?;
        if below.is_empty() {
            return Err(CliError::NoPolicies(path.clone()));
        }
        for file in below {
            files.push(read(&file)?);
        }
    }
    Ok(files)
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
        } else if !kind.is_dir() && entry.file_name().to_string_lossy().ends_with(ending) {
            out.push(path);
        }
    }
    Ok(())
}

pub(crate) fn read(path: &Path) -> Result<SourceFile, CliError> {
    let file =
        std::fs::File::open(path).map_err(|source| CliError::Read { path: path.to_owned(), source })?;
    let text = read_text(file, path)?;
    let bare_name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    Ok(SourceFile { path: path.display().to_string(), text, bare_name })
}

/// Reads no more than tells that a file is too large.
fn read_text(from: impl Read, path: &Path) -> Result<String, CliError> {
    let mut text = String::new();
    let most = u64::try_from(limits::SOURCE_BYTES_MAX + 4).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let fault = |source| CliError::Read { path: path.to_owned(), source };
    from.take(most).read_to_end(&mut bytes).map_err(fault)?;
    let cut = bytes.len() > limits::SOURCE_BYTES_MAX;
    match String::from_utf8(bytes) {
        Ok(whole) => text.push_str(&whole),
        // The cut may go through a letter; what is left is too large all the same.
        Err(error) if cut => text.push_str(&String::from_utf8_lossy(error.as_bytes())),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..valid].iter().filter(|b| **b == b'\n').count() + 1;
            let message = format!("line {line} is not UTF-8 text");
            return Err(fault(std::io::Error::new(std::io::ErrorKind::InvalidData, message)));
        }
    }
    Ok(text)
}

/// The policies of files, so that one may use another.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    by_name: BTreeMap<String, Used>,
}

impl Folder {
    /// The policies of these files alone.
    pub(crate) fn of(files: &[SourceFile]) -> Folder {
        let mut folder = Folder::default();
        files.iter().for_each(|file| folder.add(file));
        folder
    }

    /// The policies of these files, and of those that stand beside them. Where two have one name, the
    /// first counts.
    pub(crate) fn around(files: &[SourceFile]) -> Folder {
        let mut folder = Folder::of(files);
        let mut looked_into: Vec<PathBuf> = Vec::new();
        for file in files {
            let Some(parent) = Path::new(&file.path).parent() else { continue };
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            if file.path == "<stdin>" || looked_into.iter().any(|p| p == parent) {
                continue;
            }
            looked_into.push(parent.to_owned());
            // A neighbour that cannot be read is missed only where it is used.
            let beside = std::fs::read_dir(parent).into_iter().flatten().flatten().map(|e| e.path());
            let mut beside: Vec<PathBuf> =
                beside.filter(|p| p.extension().is_some_and(|e| e == "policy") && p.is_file()).collect();
            beside.sort();
            for path in beside {
                if let Ok(file) = read(&path) {
                    folder.add(&file);
                }
            }
        }
        folder
    }

    fn add(&mut self, file: &SourceFile) {
        let parsed = parse(&file.text);
        let bare = parsed.bare.then(|| file.bare_name.clone()).flatten();
        for name in parsed.names.into_iter().chain(bare) {
            let used = Used {
                name_at_version: name.clone(),
                source: file.text.clone(),
                policy_name: name.clone(),
                uses: Vec::new(),
            };
            self.by_name.entry(name).or_insert(used);
        }
    }
}

impl Library for Folder {
    fn policy(&self, reference: &str) -> Option<Used> {
        self.by_name.get(reference).cloned()
    }
}
