//! The run that shows what a finding says, as `spine policy simulate` gives it again.

use serde::{Deserialize, Serialize};

use crate::language::{Diagnostic, STDIN, names};
use crate::machine::explore::shell;

/// A run, with the command that shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The command.
    pub command: String,
    /// What is known of the message and its person, for `--facts`.
    pub facts: String,
    /// When the message is accepted, for `--at`.
    pub at: String,
    /// What the providers say, for `--script`.
    pub script: String,
    /// What happens, a line an entry.
    pub timeline: Vec<String>,
}

impl Run {
    /// The run of a finding, where it has one.
    #[must_use]
    pub fn of(path: &str, source: &str, finding: &Diagnostic) -> Option<Run> {
        let run = finding.counterexample.as_deref()?;
        let path = if path == STDIN { "-" } else { path };
        let mut words = vec!["spine policy simulate".to_owned(), shell(path)];
        // Of several policies, the one that the finding is in.
        if names(source).names.len() > 1 {
            let before = names(source.get(..finding.at.end.max(finding.at.start + 1)).unwrap_or(source));
            words.extend(before.names.last().map(|name| format!("--policy {name}")));
        }
        let options = [
            ("--catalog", &run.catalog),
            ("--facts", &run.facts),
            ("--script", &run.script),
            ("--at", &run.at),
        ];
        for (option, value) in options {
            if !value.is_empty() {
                words.push(format!("{option} {}", shell(value)));
            }
        }
        let (facts, at) = (run.facts.clone(), run.at.clone());
        let (script, timeline) = (run.script.clone(), run.timeline.clone());
        Some(Run { command: words.join(" "), facts, at, script, timeline })
    }

    /// For people: what happens, and the command.
    #[must_use]
    pub fn text(&self) -> String {
        format!("for example:\n  {}\nshown by: {}", self.timeline.join("\n  "), self.command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::{Counterexample, Severity};

    #[test]
    fn the_command_names_the_policy_where_there_are_several() {
        let run = Counterexample {
            facts: "vars.a=5, quota.sms=used".into(),
            at: "2026-01-05T12:00:00Z".into(),
            script: "sms: accepted".into(),
            timeline: vec!["0s: send sms".into(), "end: sent".into()],
            ..Counterexample::default()
        };
        let finding = |source: &str| Diagnostic {
            rule: "r",
            severity: Severity::Warning,
            at: source.find("sms").unwrap()..source.find("sms").unwrap() + 3,
            message: String::new(),
            help: None,
            fix: Vec::new(),
            counterexample: Some(Box::new(run.clone())),
        };
        for (path, source, expected) in [
            ("a.policy", "sms", "spine policy simulate a.policy --facts"),
            ("it's.policy", "policy a { sms }", "spine policy simulate 'it'\\''s.policy' --facts"),
            (
                "a.policy",
                "policy a { push } policy b { sms } policy c { email }",
                "spine policy simulate a.policy --policy b --facts",
            ),
        ] {
            let run = Run::of(path, source, &finding(source)).unwrap();
            let rest = " 'vars.a=5, quota.sms=used' --script 'sms: accepted' --at 2026-01-05T12:00:00Z";
            assert_eq!(run.command, format!("{expected}{rest}"));
            assert!(run.text().starts_with("for example:\n  0s: send sms\n  end: sent\nshown by: spine"));
        }
    }

    #[test]
    fn the_command_takes_what_the_check_was_given() {
        let shown = Counterexample {
            script: "sms: accepted".into(),
            catalog: "my prices.yaml".into(),
            ..Counterexample::default()
        };
        let finding = Diagnostic {
            rule: "r",
            severity: Severity::Warning,
            at: 0..3,
            message: String::new(),
            help: None,
            fix: Vec::new(),
            counterexample: Some(Box::new(shown)),
        };
        let run = Run::of("<stdin>", "sms", &finding).unwrap();
        assert_eq!(
            run.command,
            "spine policy simulate - --catalog 'my prices.yaml' --script 'sms: accepted'"
        );
    }
}
