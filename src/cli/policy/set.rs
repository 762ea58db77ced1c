//! Policies of several files together, as commands that compare and publish need them.

use crate::language::Policy;
use crate::lint::{FileFindings, SourceFile, check_one, twice};
use crate::machine::catalog::Catalog;

use super::catalog::WithCatalog;
use super::files::{Folder, names_of};

/// The policies of files.
#[derive(Debug, Default)]
pub(crate) struct PolicySet {
    /// The files.
    pub(crate) files: Vec<SourceFile>,
    /// The policies that compile, in the order of the files.
    pub(crate) policies: Vec<Policy>,
    /// The place of the file of each policy.
    pub(crate) file_of: Vec<usize>,
    /// What was found in the files.
    pub(crate) findings: Vec<FileFindings>,
}

impl PolicySet {
    /// Compiles files; a `use` means a policy of theirs or beside them.
    pub(crate) fn around(files: Vec<SourceFile>, catalog: &Catalog) -> PolicySet {
        let folder = Folder::around(&files);
        PolicySet::of(files, &folder, catalog)
    }

    /// Compiles files; a `use` means a policy of `folder`.
    pub(crate) fn of(files: Vec<SourceFile>, folder: &Folder, catalog: &Catalog) -> PolicySet {
        let library = WithCatalog { policies: folder, catalog };
        let mut set = PolicySet::default();
        for (place, file) in files.iter().enumerate() {
            let (compiled, findings) = check_one(file, &library);
            set.file_of.extend(compiled.policies.iter().map(|_| place));
            set.policies.extend(compiled.policies);
            set.findings.push(findings);
        }
        twice::tell(&files, names_of(&files), &mut set.findings);
        set.files = files;
        set
    }

    /// What does not compile.
    pub(crate) fn faults(&self) -> Vec<FileFindings> {
        self.findings.iter().filter(|found| found.has_errors()).cloned().collect()
    }

    /// Whether the file of a policy holds others too.
    pub(crate) fn is_one_of_several(&self, place: usize) -> bool {
        self.file_of.get(place).is_some_and(|file| self.file_of.iter().filter(|f| *f == file).count() > 1)
    }
}
