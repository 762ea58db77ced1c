//! What comments allow is set aside, and what is wrong with the comments is told.

use crate::language::policy::{Action, Strategy, TextRange};
use crate::language::words::quoted;
use crate::language::{Diagnostic, Edit, Policy, Severity};
use crate::lint::{Allowed, AllowedBy, faults};

use super::rules::{AllowWithoutReason, MalformedAllow, UnknownAllow, UnusedAllow};
use super::{Allow, AllowName, CHANGES, Covers, Instruction, instructions};

/// Words that begin a header.
const HEADERS: [&str; 6] = ["category", "expires", "quiet", "limit", "vars", "otherwise"];

/// What can be known of a name in a comment.
pub(in crate::lint) trait Known {
    /// Whether a rule of this name exists.
    fn has(&self, name: &str) -> bool;
    /// Whether it is the name of something that keeps a policy from compiling.
    fn is_of_the_compiler(&self, name: &str) -> bool;
    /// The rule that was probably meant.
    fn near(&self, name: &str) -> Option<&str>;
    /// Whether every name can be known: not where house rules are somewhere else.
    fn is_whole(&self) -> bool;
    /// Whether the rule of this name had what it needs to find anything.
    fn could_find(&self, name: &str) -> bool;
    /// Whether a finding keeps a policy from compiling.
    fn keeps_from_compiling(&self, finding: &Diagnostic) -> bool;
}

/// Takes what comments allow out of `findings`, and adds what is wrong with the comments.
pub(in crate::lint) fn apply(
    source: &str,
    policies: &[Policy],
    clean: bool,
    known: &dyn Known,
    findings: &mut Vec<Diagnostic>,
) -> Vec<Allowed> {
    let mut allowed = Vec::new();
    let mut told = Vec::new();
    for instruction in instructions(source) {
        match instruction {
            Instruction::Malformed { at, message, help, fix } => {
                told.push(finding(MalformedAllow::NAME, at, message, help, fix));
            }
            Instruction::Allow(allow) => {
                let covers = covered(source, policies, &allow.at);
                let mut work =
                    Work { source, clean, known, findings, allowed: &mut allowed, told: &mut told };
                work.one(&allow, &covers);
            }
        }
    }
    findings.append(&mut told);
    allowed
}

struct Work<'a> {
    source: &'a str,
    clean: bool,
    known: &'a dyn Known,
    findings: &'a mut Vec<Diagnostic>,
    allowed: &'a mut Vec<Allowed>,
    told: &'a mut Vec<Diagnostic>,
}

impl Work<'_> {
    fn one(&mut self, allow: &Allow, covers: &Covers) {
        if allow.reason.is_none() {
            let help = "write it behind two dashes: `-- REASON`".to_owned();
            let message = "no reason is given for what is allowed here".to_owned();
            self.told.push(finding(AllowWithoutReason::NAME, allow.at.clone(), message, help, Vec::new()));
        }
        for (place, name) in allow.names.iter().enumerate() {
            if CHANGES.contains(&name.name.as_str()) {
                continue;
            }
            let is_refused = self.known.is_of_the_compiler(&name.name)
                || self.findings.iter().any(|found| self.refuses(found, name, covers));
            if !is_refused && !self.known.has(&name.name) {
                self.unknown(name);
                continue;
            }
            if is_refused {
                let message = format!("`{}` keeps a policy from compiling and cannot be allowed", name.name);
                let help = "mend what it finds, and remove the comment".to_owned();
                self.told.push(finding(MalformedAllow::NAME, name.at.clone(), message, help, Vec::new()));
                continue;
            }
            if !self.set_aside(name, allow, covers) && self.clean && self.known.could_find(&name.name) {
                let message = format!("`{}` is allowed here, and not found", name.name);
                let help = match allow.names.len() {
                    1 => "remove the comment".to_owned(),
                    _ => format!("remove `{}` from the comment", name.name),
                };
                let fix = vec![self.removal(allow, place)];
                self.told.push(finding(UnusedAllow::NAME, name.at.clone(), message, help, fix));
            }
        }
    }

    fn refuses(&self, found: &Diagnostic, name: &AllowName, covers: &Covers) -> bool {
        found.rule == name.name && covers.has(&found.at) && self.known.keeps_from_compiling(found)
    }

    fn set_aside(&mut self, name: &AllowName, allow: &Allow, covers: &Covers) -> bool {
        let before = self.findings.len();
        let mut left = Vec::with_capacity(before);
        for found in self.findings.drain(..) {
            if found.rule == name.name && covers.has(&found.at) {
                let by = AllowedBy::Comment { at: allow.at.clone(), reason: allow.reason.clone() };
                self.allowed.push(Allowed { finding: found, by });
            } else {
                left.push(found);
            }
        }
        *self.findings = left;
        // The same finding may be allowed by the comment of a policy and by one inside it.
        let again = |a: &Allowed| a.finding.rule == name.name && covers.has(&a.finding.at);
        before != self.findings.len() || self.allowed.iter().any(again)
    }

    fn unknown(&mut self, name: &AllowName) {
        let is_fault = faults::ALL.iter().any(|fault| fault.name() == name.name);
        let meant = self.known.near(&name.name).filter(|_| !is_fault).map(str::to_owned);
        if meant.is_none() && !is_fault && !self.known.is_whole() {
            return;
        }
        let (message, fix) = match &meant {
            Some(meant) => (
                format!("no rule is named {}; did you mean `{meant}`?", quoted(&name.name)),
                vec![Edit { at: name.at.clone(), text: meant.clone() }],
            ),
            None if is_fault => (
                format!(
                    "what {} finds keeps a policy from being one, and cannot be allowed",
                    quoted(&name.name)
                ),
                Vec::new(),
            ),
            None => (format!("no rule is named {}", quoted(&name.name)), Vec::new()),
        };
        let help = match meant {
            Some(meant) => format!("write `{meant}`"),
            None if is_fault => "leave the comment out, and mend what it is about".to_owned(),
            None => "`spine policy rule` lists all names".to_owned(),
        };
        self.told.push(finding(UnknownAllow::NAME, name.at.clone(), message, help, fix));
    }

    /// The edit that takes one name out of a comment, or the comment out of the text, with its line
    /// where nothing else stands on it.
    fn removal(&self, allow: &Allow, place: usize) -> Edit {
        if allow.names.len() > 1 {
            let at = match allow.names.get(place + 1) {
                Some(next) => allow.names[place].at.start..next.at.start,
                None => allow.names[place - 1].at.end..allow.names[place].at.end,
            };
            return Edit { at, text: String::new() };
        }
        let line = line_around(self.source, allow.at.start);
        let before = &self.source[line.start..allow.at.start];
        let at = match before.trim().is_empty() {
            true => line,
            false => line.start + before.trim_end().len()..allow.at.end,
        };
        Edit { at, text: String::new() }
    }
}

fn finding(rule: &'static str, at: TextRange, message: String, help: String, fix: Vec<Edit>) -> Diagnostic {
    Diagnostic { rule, severity: Severity::Warning, at, message, help: Some(help), fix, counterexample: None }
}

/// The line of a byte, with the break at its end.
fn line_around(source: &str, byte: usize) -> TextRange {
    let start = source[..byte].rfind('\n').map_or(0, |n| n + 1);
    let end = source[byte..].find('\n').map_or(source.len(), |n| byte + n + 1);
    start..end
}

fn covered(source: &str, policies: &[Policy], comment: &TextRange) -> Covers {
    let line = line_around(source, comment.start);
    let before =
        source[line.start..comment.start].trim_matches(|c: char| c.is_whitespace() || c == '\u{FEFF}');
    if !before.is_empty() {
        return Covers::Line(line);
    }
    let mut at = line.end;
    let mut next = at..at;
    while at < source.len() {
        let line = line_around(source, at);
        let text = &source[line.clone()];
        let blank = text.len() - text.trim_start().len();
        if !text.trim().is_empty() && !text.trim_start().starts_with('#') {
            next = line.start + blank..line.end;
            break;
        }
        at = line.end;
    }
    let mut end = next.end;
    for policy in policies {
        if policy.at.start == next.start {
            end = end.max(policy.at.end);
        }
        if policy.at.contains(&next.start) {
            end = end.max(header_end(source, policy, &next));
        }
        stages(&policy.strategy, &next, &mut end);
    }
    Covers::Next(next.start..end)
}

/// To the end of the stages that begin in the line.
fn stages(strategy: &Strategy, line: &TextRange, end: &mut usize) {
    for stage in &strategy.stages {
        if line.contains(&stage.at.start) {
            *end = (*end).max(stage.at.end);
        }
        if let Action::Group { members, .. } = &stage.action {
            members.iter().for_each(|member| stages(member, line, end));
        }
    }
}

/// Where the header that begins in a line is over; the line's own end where none does.
fn header_end(source: &str, policy: &Policy, line: &TextRange) -> usize {
    let first_word = |text: &str| {
        let word = text.trim_start().split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        HEADERS.contains(&word)
    };
    let strategy = policy.strategy.stages.first().map_or(policy.at.end, |stage| stage.at.start);
    if line.start >= strategy || !first_word(&source[line.clone()]) {
        return line.end;
    }
    let mut at = line.end;
    while at < strategy && !first_word(&source[line_around(source, at)]) {
        at = line_around(source, at).end;
    }
    at.min(strategy).max(line.end)
}
