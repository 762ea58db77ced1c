//! Findings that stood when a rule was adopted: they are known, and new ones are not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fingerprint::fingerprints;
use super::{Allowed, AllowedBy, FileFindings, keeps_from_compiling};

/// The form that is written.
const FORMAT: u32 = 1;

/// A file of known findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// The form of the file.
    format: u32,
    /// In the order of their paths, rules and fingerprints.
    findings: Vec<Known>,
}

/// A known finding. It is found again by its fingerprint; the rest is for those who read the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The file, counted from the folder of the baseline.
    pub path: String,
    /// The rule.
    pub rule: String,
    /// What makes it the same.
    pub fingerprint: String,
    /// What was said.
    pub message: String,
}

/// Why a text is no baseline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaselineError {
    /// It is none.
    #[error("it is no baseline: {0}; write it anew by `--write-baseline`")]
    Unreadable(String),
    /// One of another program.
    #[error("it has the form {0}, and this program reads {FORMAT}; write it anew by `--write-baseline`")]
    Format(u32),
}

impl Baseline {
    /// Everything that counts now, but for what keeps a policy from compiling.
    #[must_use]
    pub fn of(files: &[FileFindings], path_of: &dyn Fn(&str) -> String) -> Baseline {
        let mut findings = Vec::new();
        for file in files.iter().filter(|file| !file.findings.is_empty()) {
            let path = path_of(&file.path);
            let prints = fingerprints(file, &path).findings;
            for (finding, fingerprint) in file.findings.iter().zip(prints) {
                if !keeps_from_compiling(finding) {
                    let (path, rule) = (path.clone(), finding.rule.to_owned());
                    findings.push(Known { path, rule, fingerprint, message: finding.message.clone() });
                }
            }
        }
        findings.sort();
        Baseline { format: FORMAT, findings }
    }

    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn read(text: &str) -> Result<Baseline, BaselineError> {
        #[derive(Deserialize)]
        struct Form {
            format: u32,
        }
        let unreadable = |error: serde_json::Error| BaselineError::Unreadable(error.to_string());
        match serde_json::from_str::<Form>(text).map_err(unreadable)?.format {
            FORMAT => serde_json::from_str(text).map_err(unreadable),
            other => Err(BaselineError::Format(other)),
        }
    }

    /// As it is written: one finding a line, so that a change of the file is read line by line.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = format!("{{\n  \"format\": {},\n  \"findings\": [", self.format);
        for (place, known) in self.findings.iter().enumerate() {
            let line = serde_json::to_string(known).unwrap_or_default();
            out.push_str(if place == 0 { "\n    " } else { ",\n    " });
            out.push_str(&line);
        }
        out.push_str(if self.findings.is_empty() { "]\n}\n" } else { "\n  ]\n}\n" });
        out
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.findings.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// Sets the known findings of `files` aside. Gives those entries of files that were looked at
    /// (`looked_at`) and are found no more.
    pub fn apply(
        &self,
        files: &mut [FileFindings],
        path_of: &dyn Fn(&str) -> String,
        looked_at: &dyn Fn(&str) -> bool,
    ) -> Vec<&Known> {
        let mut left: BTreeMap<&str, &Known> =
            self.findings.iter().map(|known| (known.fingerprint.as_str(), known)).collect();
        for file in files.iter_mut() {
            let prints = fingerprints(file, &path_of(&file.path));
            for print in &prints.allowed {
                left.remove(print.as_str());
            }
            let mut kept = Vec::new();
            for (finding, print) in std::mem::take(&mut file.findings).into_iter().zip(prints.findings) {
                match left.remove(print.as_str()).is_some() && !keeps_from_compiling(&finding) {
                    true => file.allowed.push(Allowed { finding, by: AllowedBy::Baseline }),
                    false => kept.push(finding),
                }
            }
            file.findings = kept;
        }
        left.into_values().filter(|known| looked_at(&known.path)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::NoLibrary;
    use crate::lint::{SourceFile, check};

    fn found(text: &str) -> Vec<FileFindings> {
        let file = SourceFile { path: "a.policy".into(), text: text.into(), bare_name: None };
        check(&[file], &NoLibrary)
    }

    fn same(path: &str) -> String {
        path.to_owned()
    }

    const TWO: &str = "policy a { slack then sms } policy b { telegram then sms }";

    #[test]
    fn what_is_known_is_set_aside_and_what_is_new_is_not() {
        let baseline = Baseline::of(&found("slack then sms"), &same);
        assert_eq!(Baseline::read(&baseline.text()).unwrap(), baseline);
        let mut now = found("# moved\n\nslack then sms");
        assert!(baseline.apply(&mut now, &same, &|_| true).is_empty());
        assert!(now[0].findings.is_empty() && now[0].allowed.len() == 1);
        let mut now = found(TWO);
        assert!(baseline.apply(&mut now, &same, &|_| true).is_empty());
        assert_eq!((now[0].findings.len(), now[0].allowed.len()), (1, 1));
    }

    #[test]
    fn what_has_gone_is_told_where_its_file_was_looked_at() {
        let baseline = Baseline::of(&found(TWO), &same);
        assert_eq!(baseline.len(), 2);
        let stale = baseline.apply(&mut found("slack then sms"), &same, &|_| true).len();
        assert_eq!(stale, 1);
        assert!(baseline.apply(&mut found("sms"), &same, &|_| false).is_empty());
    }

    #[test]
    fn what_does_not_compile_is_never_known() {
        let baseline = Baseline::of(&found("watsapp then sms"), &same);
        assert!(baseline.is_empty());
        let text = baseline.text();
        assert_eq!(Baseline::read(&text).unwrap(), baseline);
        assert!(matches!(Baseline::read("[]"), Err(BaselineError::Unreadable(_))));
        assert_eq!(Baseline::read("{\"format\": 9}"), Err(BaselineError::Format(9)));
    }
}
