//! What makes a finding the same one after the text around it has changed.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::language::Diagnostic;

use super::FileFindings;

/// Raised where the same finding gets another fingerprint than before.
const VERSION: u8 = 1;
/// Bytes of the hash that are kept.
const BYTES: usize = 16;

/// The fingerprints of a source's findings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fingerprints {
    /// Of those that count.
    pub findings: Vec<String>,
    /// Of those that are allowed.
    pub allowed: Vec<String>,
}

/// The fingerprints of everything found in a source: of the rule, the path, what stands there, and
/// how many the same stand before it. They hold no line, so what moves keeps its own; and none of the
/// message, which may be worded otherwise one day.
#[must_use]
pub fn fingerprints(file: &FileFindings, path: &str) -> Fingerprints {
    let mut before: HashMap<[u8; BYTES], usize> = HashMap::new();
    let mut all: Vec<(bool, usize, &Diagnostic)> =
        file.findings.iter().enumerate().map(|(place, finding)| (false, place, finding)).collect();
    all.extend(file.allowed.iter().enumerate().map(|(place, allowed)| (true, place, &allowed.finding)));
    all.sort_by_key(|(_, _, finding)| (finding.at.start, finding.at.end, finding.rule));
    let mut out = Fingerprints {
        findings: vec![String::new(); file.findings.len()],
        allowed: vec![String::new(); file.allowed.len()],
    };
    for (allowed, place, finding) in all {
        let hash = hash(finding, &file.source, path);
        let nth = before.entry(hash).or_insert(0);
        *nth += 1;
        let mut text: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        text.push_str(&format!(":{nth}"));
        match allowed {
            true => out.allowed[place] = text,
            false => out.findings[place] = text,
        }
    }
    out
}

fn hash(finding: &Diagnostic, source: &str, path: &str) -> [u8; BYTES] {
    let at = finding.at.start.min(source.len())..finding.at.end.min(source.len());
    let text = source.get(at).unwrap_or_default();
    // What goes over lines is known by its first, so that a change inside leaves it what it is.
    let first = text.lines().next().unwrap_or_default();
    let mut hasher = Sha256::new();
    hasher.update([VERSION]);
    for part in [finding.rule, path] {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    for word in first.split_whitespace() {
        hasher.update(word.as_bytes());
        hasher.update(b" ");
    }
    let mut out = [0; BYTES];
    out.copy_from_slice(&hasher.finalize()[..BYTES]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::NoLibrary;
    use crate::lint::{SourceFile, check_one};

    fn of(text: &str) -> Vec<String> {
        let file = SourceFile { path: "a.policy".into(), text: text.into(), bare_name: None };
        let found = check_one(&file, &NoLibrary).1;
        fingerprints(&found, "a.policy").findings
    }

    #[test]
    fn lines_and_blanks_leave_them_and_what_is_the_same_is_numbered() {
        let one = of("watsapp then sms");
        assert_eq!(one.len(), 1);
        assert_eq!(one, of("# a line\n\n  watsapp\n then email"));
        assert_ne!(one, of("whatsap then sms"));
        let two = of("watsapp then watsapp");
        assert_eq!((two.len(), &two[0]), (2, &one[0]));
        assert!(two[0].ends_with(":1") && two[1].ends_with(":2"), "{two:?}");
        assert_eq!(two[0].split(':').next(), two[1].split(':').next());
    }

    #[test]
    fn another_path_is_another_finding() {
        let file = SourceFile { path: "a".into(), text: "watsapp".into(), bare_name: None };
        let found = check_one(&file, &NoLibrary).1;
        assert_ne!(fingerprints(&found, "a"), fingerprints(&found, "b"));
    }
}
