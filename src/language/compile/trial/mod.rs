//! What follows from what, found by trial.
//!
//! The checker tells nothing that may merely follow from what it has told, and yet one slip may look like
//! several: behind a word that is not known, the rest of its line is read as something else. So the text is
//! read again as it would be if its first finding were mended: what is gone then followed from it, what is
//! still there, or is seen only now, is a fault of its own. The first finding is mended by the change that
//! it offers, or, where that mends nothing, by one that does ([`candidates`]); where nobody knows what was
//! meant, something harmless stands in its place ([`guess`]). A change is offered only where it mends.

mod beside;
mod candidates;
mod closing;
mod guard;
mod guess;
mod keys;
mod merge;
mod patches;
mod remark;
mod search;
mod vocabulary;

use std::cell::Cell;

use super::habits::text::Around;
use super::{Diagnostic, Edit, TextRange, limits};
use crate::language::words::HEADERS;
use candidates::Candidate;
pub(crate) use guard::keeps_comments;
use patches::Patches;
pub(super) use vocabulary::{CHANNELS, WORDS};

/// Findings of one text that are tried.
const ROUNDS_MAX: usize = 32;
/// Bytes that are read again, all readings of one text together.
const READ_AGAIN_BYTES_MAX: usize = 256 * 1024;
/// Readings that one finding may need beside a search; without them it is told as it is.
const READINGS_KEPT: usize = 12;
/// Findings of a line that are tried as the cause of its first.
const CAUSES_MAX: usize = 4;

/// Findings of words that were read as something else: behind one of them others are more of the same.
const NOT_UNDERSTOOD: [&str; 14] = [
    "bad-group",
    "bad-retry",
    "bad-repeat",
    "unknown-word",
    "unknown-channel",
    "unknown-condition",
    "wrong-joiner",
    "stray-text",
    "missing-then",
    "missing-stage",
    "misplaced-header",
    "repeated-header",
    "outside-policy",
    "after-otherwise",
];
/// What a reading of a changed text says, told of the first text.
struct Reading {
    findings: Vec<Diagnostic>,
    /// Findings about the changes themselves.
    of_changes: usize,
    /// Findings of what was told already.
    of_told: Vec<Place>,
}

/// A rule and where it was broken.
type Place = (&'static str, TextRange);

/// How good a change is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mends {
    /// Its finding, and nothing else is left on its line.
    All,
    /// Its finding; what else was told of the line is still there.
    Own,
    /// Its finding; what it hid is seen.
    Shows,
}

/// What comes of a change.
type Outcome = (Mends, Patches, Reading);

struct Trial<'s> {
    source: &'s str,
    look: &'s dyn Fn(&str) -> Vec<Diagnostic>,
    /// What the checker says where no habit is known.
    plain: &'s dyn Fn(&str) -> Vec<Diagnostic>,
    /// Bytes that may still be read.
    left: Cell<usize>,
    patches: Patches,
    told: Vec<Diagnostic>,
    /// What followed from what was told, and is still there.
    followed: Vec<Diagnostic>,
    /// What the text is found to have, as far as it is changed.
    open: Vec<Diagnostic>,
    /// By what was told: the change that was made for it, or that stands for it.
    closed: Vec<(Place, Edit)>,
    /// Findings about the changes that were made, and of what was told, which nobody is told of.
    unsaid: (usize, Vec<Place>),
}

/// The findings of a text that do not follow from one another, in its order. `first` is what a look at it
/// says, `look` finds the faults of a text, `plain` those without what habits say of them.
pub(super) fn told(
    source: &str,
    first: Vec<Diagnostic>,
    look: &dyn Fn(&str) -> Vec<Diagnostic>,
    plain: &dyn Fn(&str) -> Vec<Diagnostic>,
) -> Vec<Diagnostic> {
    let mut trial = Trial {
        source,
        look,
        plain,
        left: Cell::new(READ_AGAIN_BYTES_MAX),
        patches: Patches::default(),
        told: Vec::new(),
        followed: Vec::new(),
        open: first,
        closed: Vec::new(),
        unsaid: (0, Vec::new()),
    };
    for conflict in merge::conflicts(source) {
        trial.without(conflict);
    }
    for _ in 0..ROUNDS_MAX {
        let is_done = trial.open.is_empty() || trial.told.len() >= limits::FINDINGS_MAX;
        if is_done || !trial.may_read_on() {
            break;
        }
        let finding = trial.open.remove(0);
        trial.settle(finding);
    }
    let Trial { mut told, open, closed, .. } = trial;
    for finding in &mut told {
        if let Some((_, edit)) = closed.iter().find(|(of, _)| *of == place(finding)) {
            closing::tell_at_its_end(source, finding, edit);
        }
    }
    told.extend(open);
    told.sort_by_key(|d| (d.at.start, d.at.end));
    told
}

impl Trial<'_> {
    fn may_read_on(&self) -> bool {
        self.left.get() / self.source.len().max(1) >= READINGS_KEPT
    }

    fn read(&self, patches: &Patches) -> Option<Reading> {
        let text = patches.applied(self.source);
        self.left.set(self.left.get().checked_sub(text.len().max(1))?);
        let mut reading = Reading { findings: Vec::new(), of_changes: 0, of_told: Vec::new() };
        for finding in (self.look)(&text) {
            match patches.back(finding) {
                Some(finding) if self.is_told(&finding, patches) => reading.of_told.push(place(&finding)),
                Some(finding) => reading.findings.push(finding),
                None => reading.of_changes += 1,
            }
        }
        reading.findings.sort_by_key(|d| (d.at.start, d.at.end));
        Some(reading)
    }

    /// Whether a finding was told already, or stands within one for which nothing can be written.
    fn is_told(&self, finding: &Diagnostic, patches: &Patches) -> bool {
        let is_same = |known: &Diagnostic| known.rule == finding.rule && known.at == finding.at;
        if self.followed.iter().any(is_same) {
            return true;
        }
        self.told.iter().any(|known| {
            let (a, b) = (&known.at, &finding.at);
            a == b && known.rule == finding.rule
                || (a.start < b.end && b.start < a.end && !patches.mends(known))
        })
    }

    /// Tells a finding, and goes on with the text as it is without it.
    fn settle(&mut self, finding: Diagnostic) {
        if self.adjoins(&finding) {
            return self.unresolved(finding);
        }
        let own = self.outcome(&finding, &finding.fix);
        if let Some((Mends::All, ..)) = own {
            return self.mended(finding, own);
        }
        if let Some((cause, outcome)) = self.cause(&finding) {
            return self.mended(cause, Some(outcome));
        }
        if let Some((slip, outcome)) = self.slip_of_a_key(&finding) {
            return self.mended(slip.said_of(finding), Some(outcome));
        }
        if let Some(cut_off) = self.cut_off(&finding) {
            return self.unresolved(cut_off);
        }
        if let Some((remark, outcome)) = self.remark(&finding, false) {
            return self.mended(remark, Some(outcome));
        }
        if let Some((candidate, outcome)) = self.search(&finding) {
            return self.mended(candidate.said_of(finding), Some(outcome));
        }
        if own.is_some() && !self.follows(&finding) {
            return self.mended(finding, own);
        }
        if let Some((remark, outcome)) = self.remark(&finding, true) {
            return self.mended(remark, Some(outcome));
        }
        if finding.fix.is_empty() || own.is_some() {
            return self.unresolved(finding);
        }
        // What a habit says would mend nothing: what the checker says may.
        match self.without_habit(&finding) {
            Some(plain) => match self.outcome(&plain, &plain.fix) {
                // What a habit calls by another name is what it says, even where nothing mends it.
                None | Some((Mends::Shows, ..)) if plain.rule != finding.rule => self.unresolved(finding),
                None | Some((Mends::Shows, ..)) => self.unresolved(plain),
                outcome => self.mended(plain, outcome),
            },
            None => self.unresolved(finding),
        }
    }

    /// Another finding of the line, whose change mends this one too.
    fn cause(&self, finding: &Diagnostic) -> Option<(Diagnostic, Outcome)> {
        let around = Around { source: self.source, at: finding.at.clone() };
        let line = around.line_start(finding.at.start)..=around.line_end(finding.at.start);
        let others = self.open.iter().filter(|d| line.contains(&d.at.start) && !d.fix.is_empty());
        others.take(CAUSES_MAX).find_map(|other| {
            let outcome = self.outcome(other, &other.fix)?;
            (outcome.0 == Mends::All).then(|| (other.clone(), outcome))
        })
    }

    /// Whether a finding is of words that were not understood either, behind those of a finding for which
    /// nothing could be written.
    fn follows(&self, finding: &Diagnostic) -> bool {
        let around = Around { source: self.source, at: finding.at.clone() };
        // A name that was changed in one place alone is told once, wherever it is used.
        let is_again = |known: &Diagnostic| {
            let between = around.part(known.at.end..finding.at.start);
            known.rule == finding.rule
                && around.part(known.at.clone()) == around.text()
                && !between.contains("\npolicy ")
        };
        if finding.rule == "unknown-var"
            && self.told.iter().any(|known| known.fix.is_empty() && is_again(known))
        {
            return true;
        }
        let line = around.line_start(finding.at.start);
        // Another entry of `vars`, or another stage, is read for itself.
        let of_vars = ["bad-var", "bad-name"].contains(&finding.rule);
        let is_parted =
            |from: usize| around.part(from..finding.at.start).contains(if of_vars { "," } else { " then " });
        // Behind an `otherwise` that was meant as something else the policy goes on.
        if finding.rule == "after-otherwise"
            && self.told.iter().any(|d| d.rule == "bad-otherwise" && d.fix.is_empty())
        {
            return true;
        }
        let before = self.told.iter().rfind(|d| d.at.start >= line && d.fix.is_empty());
        (of_vars || NOT_UNDERSTOOD.contains(&finding.rule))
            && before.is_some_and(|d| {
                // Each comma between stages asks for another word.
                let are_joiners = d.rule == "wrong-joiner" && finding.rule == d.rule;
                d.at.start <= finding.at.start && !is_parted(d.at.start) && !are_joiners
            })
    }

    fn without_habit(&self, finding: &Diagnostic) -> Option<Diagnostic> {
        let all = (self.plain)(&self.patches.applied(self.source));
        let mut all = all.into_iter().filter_map(|plain| self.patches.back(plain));
        let mut plain =
            all.find(|plain| plain.at.start < finding.at.end && finding.at.start < plain.at.end)?;
        let around = Around { source: self.source, at: plain.at.clone() };
        plain.fix = plain.fix.into_iter().map(|edit| around.kept_apart(edit)).collect();
        Some(plain)
    }

    /// Tells of an unfinished merge, and goes on with one side of it.
    fn without(&mut self, conflict: merge::Conflict) {
        let patches = conflict
            .left_out
            .into_iter()
            .fold(self.patches.clone(), |patches, at| patches.and_guessed(Edit { at, text: String::new() }));
        self.told.push(conflict.said);
        let Some(reading) = self.read(&patches) else { return };
        self.patches = patches;
        self.open = reading.findings;
        self.unsaid = (reading.of_changes, reading.of_told);
    }

    fn mended(&mut self, finding: Diagnostic, outcome: Option<Outcome>) {
        let Some((_, patches, reading)) = outcome else { return };
        self.patches = patches;
        self.open = reading.findings;
        self.unsaid = (reading.of_changes, reading.of_told);
        self.closed.extend(finding.fix.first().map(|edit| (place(&finding), edit.clone())));
        self.told.push(finding);
    }

    /// What comes of a change: none where it mends nothing, or does more than it says.
    fn outcome(&self, finding: &Diagnostic, edits: &[Edit]) -> Option<Outcome> {
        if edits.is_empty() || !guard::keeps_what_is_sent(self.source, finding, edits) {
            return None;
        }
        if edits.iter().all(|edit| self.source.get(edit.at.clone()) == Some(&edit.text)) {
            return None;
        }
        self.tried(finding, edits)
    }

    /// The same, whatever the change loses.
    fn tried(&self, finding: &Diagnostic, edits: &[Edit]) -> Option<Outcome> {
        let patches = self.patches.with(edits)?;
        let reading = self.read(&patches)?;
        if reading.of_changes > self.unsaid.0
            || reading.of_told.iter().any(|place| !self.unsaid.1.contains(place))
        {
            return None;
        }
        let was = |new: &Diagnostic| self.open.iter().any(|d| d.rule == new.rule && d.at == new.at);
        let mut new = reading.findings.iter().filter(|d| !was(d)).peekable();
        let around = Around { source: self.source, at: finding.at.clone() };
        let is_on_line = |d: &Diagnostic| {
            edits.iter().any(|edit| {
                (around.line_start(edit.at.start)..=around.line_end(edit.at.end)).contains(&d.at.start)
            })
        };
        let mends = if new.peek().is_none() {
            if reading.findings.iter().any(is_on_line) { Mends::Own } else { Mends::All }
        } else {
            let start = edits.iter().map(|edit| edit.at.start).min().unwrap_or_default();
            let fewer = reading.findings.len() <= self.open.len() + 1;
            // What is missing behind a word was missing before; what else nobody understands directly behind
            // the change is of the change.
            let is_beside = |d: &Diagnostic| {
                edits.iter().any(|edit| (edit.at.end..=around.blanks_from(edit.at.end)).contains(&d.at.start))
            };
            let is_shown = |d: &Diagnostic| {
                !d.fix.is_empty()
                    || fewer && d.at.start >= start && (d.rule.starts_with("missing-") || !is_beside(d))
            };
            if !new.all(is_shown) {
                return None;
            }
            Mends::Shows
        };
        Some((mends, patches, reading))
    }

    /// Prose at a finding, without which nothing is left on its line.
    fn remark(&self, finding: &Diagnostic, word: bool) -> Option<(Diagnostic, Outcome)> {
        // Words that belong to what was told already are no remark.
        if !self.may_read_on() || self.follows(finding) {
            return None;
        }
        remark::of(self.source, finding, word).into_iter().find_map(|remark| {
            let outcome = self.tried(finding, &remark.without)?;
            let shows = outcome.0 == Mends::Shows && finding.rule != "outside-policy";
            let is_mended = outcome.0 == Mends::All || remark.is_alone && !shows;
            let Candidate { at, message, help, edits } = remark.said;
            let rule = if finding.rule == "outside-policy" { finding.rule } else { "stray-text" };
            let said = Diagnostic { rule, at, message, help: Some(help), fix: edits, ..finding.clone() };
            is_mended.then_some((said, outcome))
        })
    }

    /// A finding for which nothing can be written for sure.
    fn unresolved(&mut self, mut finding: Diagnostic) {
        let is_left_out = finding.help.as_deref().is_some_and(|help| help.starts_with("leave it out"));
        if !finding.fix.is_empty() || finding.rule == "stray-text" && is_left_out {
            finding.fix.clear();
            finding.help = Some(candidates::help(finding.rule).to_owned());
            // What was meant is not known after all.
            if let Some(end) = finding.message.find("; did you mean ") {
                finding.message.truncate(end);
            }
        }
        let follows = finding.fix.is_empty() && self.follows(&finding);
        let mut found: Option<(Patches, Reading)> = None;
        let mut instead = None;
        for edit in self.stand_ins(&finding) {
            let patches = self.patches.and_guessed(edit.clone());
            let Some(reading) = self.read(&patches) else { continue };
            if found.as_ref().is_none_or(|(_, best)| reading.findings.len() < best.findings.len()) {
                found = Some((patches, reading));
                instead = Some(edit);
            }
        }
        if found.is_none() {
            self.unsaid.1.push(place(&finding));
        }
        if let Some((patches, mut reading)) = found {
            // Behind a word that says nothing to anybody others of its kind are more of the same: this may
            // be no policy at all.
            let says_nothing = self.told.iter().chain([&finding]).any(says_nothing);
            reading.findings.retain(|d| {
                let was = self.open.iter().any(|known| known.rule == d.rule && known.at == d.at);
                was || d.at.start >= finding.at.start && !(says_nothing && self::says_nothing(d))
            });
            self.patches = patches;
            self.open = reading.findings;
            self.unsaid = (reading.of_changes, reading.of_told);
        }
        self.closed.extend(instead.map(|edit| (place(&finding), edit)));
        let said = if follows { &mut self.followed } else { &mut self.told };
        said.push(finding);
        let (unsaid, open) = std::mem::take(&mut self.open)
            .into_iter()
            .partition::<Vec<_>, _>(|finding| self.is_told(finding, &self.patches));
        self.open = open;
        self.unsaid.1.extend(unsaid.iter().map(place));
    }

    /// What may stand in the place of a finding, of which the one is taken that leaves the least.
    fn stand_ins(&self, finding: &Diagnostic) -> Vec<Edit> {
        let mut all: Vec<Edit> = guess::guess(self.source, finding).into_iter().collect();
        all.extend(self.header(finding));
        if finding.rule == "unknown-type" {
            let around = Around { source: self.source, at: finding.at.clone() };
            let rest = around.part(finding.at.end..around.line_end(finding.at.end));
            let end = finding.at.end + rest.find([',', '}']).unwrap_or(0);
            let types = ["string", "number", "boolean"].map(|text| format!("{text} "));
            all.extend(types.map(|text| Edit { at: finding.at.start..end, text }));
        }
        all
    }

    /// The header in which a finding stands, left out: its words were taken for something else.
    fn header(&self, finding: &Diagnostic) -> Option<Edit> {
        let is_lost = NOT_UNDERSTOOD.contains(&finding.rule)
            || [
                "missing-zone",
                "missing-time",
                "bad-limit",
                "bad-category",
                "bad-expires",
                "bad-var",
                "unknown-zone",
            ]
            .contains(&finding.rule);
        if !is_lost {
            return None;
        }
        let around = Around { source: self.source, at: finding.at.clone() };
        let start = around.line_start(finding.at.start);
        let (first, word) = around.word_from(start)?;
        let line = around.line_end(first.end);
        let is_before_header =
            first == finding.at && around.word_from(line).is_some_and(|(_, next)| HEADERS.contains(&next));
        if !(HEADERS.contains(&word) || is_before_header) || first.start > finding.at.start {
            return None;
        }
        // The entry alone.
        if word == "vars" && finding.rule == "bad-var" && finding.at.start > first.end {
            let before = around.part(first.end..finding.at.start).rfind([',', '{'])?;
            let behind = around.part(finding.at.end..line).find([',', '}'])?;
            let at = first.end + before + 1..finding.at.end + behind;
            return Some(Edit { at, text: format!(" other_{}: string", finding.at.start) });
        }
        let (opened, closed) = (self.source.get(first.end..line)?.contains('{'), finding.at.end);
        let end = match around.source.get(first.end..).and_then(|rest| rest.find('}')) {
            Some(close) if word == "vars" && opened => first.end + close + 1,
            _ => line,
        };
        (closed <= end.max(line)).then(|| Edit { at: first.start..end, text: String::new() })
    }
}

/// Whether a word of the text is one of which nobody knows what was meant.
fn says_nothing(finding: &Diagnostic) -> bool {
    finding.fix.is_empty() && ["unknown-channel", "unknown-word"].contains(&finding.rule)
}

fn place(finding: &Diagnostic) -> Place {
    (finding.rule, finding.at.clone())
}
