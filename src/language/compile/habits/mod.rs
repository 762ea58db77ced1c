//! What people write out of habit, and what they mean by it.
//!
//! The checker says what is wrong where it is found. Here a finding is looked at once more with the words
//! around it: a comma for a `then`, `10 minuts`, `9pm`, `send sms`. Where the habit is known, the finding
//! says what to write instead, and what only follows from it is not told.

mod absent;
pub(super) mod brackets;
mod calls;
mod category;
mod comparing;
pub(super) mod conditions;
mod cut;
pub(super) mod days;
mod dictated;
mod endings;
pub(super) mod everyday;
mod forms;
pub(super) mod groups;
pub(super) mod headers;
mod headings;
mod keywords;
pub(super) mod languages;
mod leftovers;
pub(super) mod letters;
mod limits;
mod lists;
mod machines;
mod markup;
mod moved;
mod names;
mod pasted;
mod priorities;
mod programs;
mod repeats;
mod routes;
mod schedules;
mod sending;
mod sentences;
mod shares;
mod spans;
mod spelling;
mod spoken;
mod stage;
mod stages;
mod stops;
mod table;
pub(super) mod text;
mod turned;
mod twice;
mod types;
mod values;
mod windows;

use super::{Diagnostic, Edit};
use crate::language::policy::TextRange;

use text::Around;
pub(super) use windows::is_day;

/// What is known of a finding beyond what the checker said.
struct Meant {
    /// Another name, where the habit is about something else than it looked.
    rule: Option<&'static str>,
    at: TextRange,
    /// Another message; the checker's where there is none.
    message: Option<String>,
    help: String,
    fix: Vec<Edit>,
    /// What begins from the finding on and before this byte follows from it.
    until: usize,
}

impl Meant {
    /// To be replaced by `text`.
    fn write(at: TextRange, text: &str) -> Meant {
        let until = at.end;
        let fix = vec![Edit { at: at.clone(), text: text.to_owned() }];
        let help = format!("write `{}`", text.trim());
        Meant { rule: None, at, message: None, help, fix, until }
    }

    /// Told without a change: what was meant is not known.
    fn told(at: TextRange) -> Meant {
        Meant { rule: None, until: at.end, at, message: None, help: String::new(), fix: Vec::new() }
    }

    /// To be left out, with the blanks behind it; at the end of a line with those before it.
    fn leave_out(around: &Around<'_>, at: TextRange) -> Meant {
        Meant::told(at.clone()).changing(around.left_out(at), "").help("leave it out")
    }

    fn saying(mut self, message: impl Into<String>) -> Meant {
        self.message = Some(message.into());
        self
    }

    fn help(mut self, help: impl Into<String>) -> Meant {
        self.help = help.into();
        self
    }

    fn named(mut self, rule: &'static str) -> Meant {
        self.rule = Some(rule);
        self
    }

    /// Told of another place than is changed.
    fn about(mut self, at: TextRange) -> Meant {
        self.at = at;
        self
    }

    /// By this change, and by no other.
    fn changing(mut self, at: TextRange, text: &str) -> Meant {
        self.fix = vec![Edit { at, text: text.to_owned() }];
        self
    }

    fn until(mut self, end: usize) -> Meant {
        self.until = self.until.max(end);
        self
    }

    fn and(mut self, at: TextRange, text: &str) -> Meant {
        self.until = self.until.max(at.end);
        self.fix.push(Edit { at, text: text.to_owned() });
        self
    }
}

/// Looks at findings, in the order of the text, once more.
pub(super) fn understood(source: &str, findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut out: Vec<Diagnostic> = Vec::with_capacity(findings.len());
    let mut follows = 0..0;
    for finding in findings {
        if follows.contains(&finding.at.start) && finding.rule != "too-many-findings" {
            continue;
        }
        let around = Around { source, at: finding.at.clone() };
        let Some(meant) = meant(&around, &finding) else {
            out.push(finding);
            continue;
        };
        let start = meant.at.start.min(finding.at.start);
        follows = start..meant.until.max(start);
        out.push(Diagnostic {
            rule: meant.rule.unwrap_or(finding.rule),
            at: meant.at,
            message: meant.message.unwrap_or(finding.message),
            help: Some(meant.help),
            fix: meant.fix.into_iter().map(|edit| around.kept_apart(edit)).collect(),
            ..finding
        });
    }
    out
}

fn meant(around: &Around<'_>, finding: &Diagnostic) -> Option<Meant> {
    let anywhere = || table::ANYWHERE.iter().find_map(|habit| habit(around));
    let form = || anywhere().or_else(|| forms::meant(around, finding.rule));
    around.on_short_line().then(form).flatten().or_else(|| table::meant(around, finding))
}
