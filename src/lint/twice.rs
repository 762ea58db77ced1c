//! One name for two policies of a folder: a `use`, a test and a command that name it mean the first alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::language::policy::TextRange;
use crate::language::{Compiled, Diagnostic, Severity};

use super::{FileFindings, SourceFile};

/// The names of the policies of a source that compile, with where each stands.
#[must_use]
pub fn named(file: &SourceFile, compiled: &Compiled) -> Vec<(String, TextRange)> {
    let place = |name: &str, at: &TextRange| {
        let text = file.text.get(at.clone()).unwrap_or_default();
        let head = text.find('{').and_then(|open| text.get(..open)).unwrap_or_default();
        match head.trim_start().starts_with("policy").then(|| head.rfind(name)).flatten() {
            Some(start) => at.start + start..at.start + start + name.len(),
            // A bare strategy has the name of its file, and is told at its first word.
            None => {
                let start = at.start + text.len() - text.trim_start().len();
                let word = text.trim_start().split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
                start..start + word.len()
            }
        }
    };
    compiled.policies.iter().map(|policy| (policy.name.clone(), place(&policy.name, &policy.at))).collect()
}

/// Tells of names that stand in two files of one folder, in the second of them; `named` and `found` are those of the
/// files, in their order.
pub fn tell<'a>(
    files: impl IntoIterator<Item = &'a SourceFile>,
    named: Vec<Vec<(String, TextRange)>>,
    found: &mut [FileFindings],
) {
    let mut known: BTreeMap<(PathBuf, String), &str> = BTreeMap::new();
    for ((file, named), found) in files.into_iter().zip(named).zip(found) {
        let folder = Path::new(&file.path).parent().unwrap_or(Path::new("")).to_owned();
        for (name, at) in named {
            match known.get(&(folder.clone(), name.clone())).filter(|other| **other != file.path) {
                None => _ = known.insert((folder.clone(), name), &file.path),
                Some(other) => {
                    found.findings.push(Diagnostic {
                        rule: "policy-twice",
                        severity: Severity::Error,
                        at,
                        message: format!("a policy `{name}` stands in `{other}` too"),
                        help: Some("give one of them another name: what names it means one alone".to_owned()),
                        fix: Vec::new(),
                        counterexample: None,
                    });
                    found
                        .findings
                        .sort_by(|a, b| (a.at.start, a.at.end, a.rule).cmp(&(b.at.start, b.at.end, b.rule)));
                }
            }
        }
    }
}
