//! How often each rule found something.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::language::Severity;
use crate::lint::FileFindings;

/// One rule's count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Statistic {
    /// The rule.
    pub rule: String,
    /// How its findings count; the worst, where levels differ by path.
    pub severity: Severity,
    /// Findings that count.
    pub found: usize,
    /// Of those, how many `--fix` mends.
    pub fixable: usize,
    /// Findings that were set aside.
    pub allowed: usize,
    /// Files in which it found something that counts.
    pub files: usize,
}

/// The rules that found something, the most frequent first.
#[must_use]
pub fn statistics(files: &[FileFindings]) -> Vec<Statistic> {
    let mut by_rule: BTreeMap<&str, Statistic> = BTreeMap::new();
    for file in files {
        let mut here: Vec<&str> = Vec::new();
        for finding in &file.findings {
            let entry = entry(&mut by_rule, finding.rule, finding.severity);
            entry.found += 1;
            entry.severity = entry.severity.min(finding.severity);
            entry.fixable += usize::from(!finding.fix.is_empty());
            if !here.contains(&finding.rule) {
                here.push(finding.rule);
                entry.files += 1;
            }
        }
        for allowed in &file.allowed {
            entry(&mut by_rule, allowed.finding.rule, allowed.finding.severity).allowed += 1;
        }
    }
    let mut all: Vec<Statistic> = by_rule.into_values().collect();
    all.sort_by(|a, b| b.found.cmp(&a.found).then_with(|| a.rule.cmp(&b.rule)));
    all
}

fn entry<'a, 'r>(
    by_rule: &'a mut BTreeMap<&'r str, Statistic>,
    rule: &'r str,
    severity: Severity,
) -> &'a mut Statistic {
    by_rule.entry(rule).or_insert_with(|| Statistic {
        rule: rule.to_owned(),
        severity,
        found: 0,
        fixable: 0,
        allowed: 0,
        files: 0,
    })
}
