//! One name for two policies of a folder: a `use`, a test and a command that name it mean the first alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::language::policy::TextRange;
use crate::language::{Diagnostic, Severity, names};

use super::{FileFindings, SourceFile};

/// The names that a source gives, each with where it stands; a bare strategy has that of its file, and is told at its
/// first word.
#[must_use]
pub fn named(text: &str, bare_name: Option<&str>) -> Vec<(String, TextRange)> {
    let found = names(text);
    let mut end = 0;
    let mut named: Vec<(String, TextRange)> = Vec::new();
    for name in found.names {
        let is_it = |at: &usize| {
            let rest = text.get(at + "policy".len()..).unwrap_or_default().trim_start();
            rest.strip_prefix(name.as_str())
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        };
        let mut heads = text.match_indices("policy").map(|(at, _)| at).filter(|at| *at >= end);
        let Some(head) = heads.find(is_it) else { continue };
        let behind = head + "policy".len();
        let start = behind + text.get(behind..).and_then(|rest| rest.find(name.as_str())).unwrap_or_default();
        end = start + name.len();
        named.push((name, start..end));
    }
    let start = text.len() - text.trim_start().len();
    let first = text.trim_start().split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    named.extend(bare_name.filter(|_| found.bare).map(|name| (name.to_owned(), start..start + first.len())));
    named
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_where_it_is_given() {
        let told = |text: &str, bare| -> Vec<(String, String)> {
            named(text, bare).into_iter().map(|(name, at)| (name, text[at].to_owned())).collect()
        };
        let text = "# policy p is old\npolicy ab { sms }\npolicy   p { email }";
        assert_eq!(told(text, Some("file")), [("ab".into(), "ab".into()), ("p".into(), "p".into())]);
        assert_eq!(named(text, None)[1].1, text.rfind("p {").unwrap()..text.rfind(" {").unwrap());
        assert_eq!(told("# first\nsms then email", Some("file")).len(), 1);
        assert!(named("sms", None).is_empty());
    }
}
