//! Slips of one key: a digit or sign for the one that stands on the same key, pressed without or with
//! another modifier, and a blank that came into a word.

use super::super::habits::text::Around;
use super::super::{Diagnostic, Edit, TextRange};
use super::candidates::Candidate;
use crate::language::words::quoted;

/// What stands on the same key, on keyboards of several countries.
const KEYS: [(char, &[&str]); 12] = [
    ('2', &["\""]),
    ('5', &["%"]),
    ('7', &["{"]),
    ('8', &["(", "["]),
    ('9', &[")", "(", "]"]),
    ('0', &[")", "}"]),
    ('=', &[")"]),
    ('/', &["("]),
    ('@', &["\""]),
    ('\'', &["\""]),
    ('[', &["{"]),
    (']', &["}"]),
];
/// Lines that are looked at behind a bracket that is not closed.
const LINES_MAX: usize = 8;
/// Changes of one finding.
const CANDIDATES_MAX: usize = 48;

/// What may be the slip of a finding.
pub(super) fn of(source: &str, finding: &Diagnostic) -> Vec<Candidate> {
    let around = Around { source, at: finding.at.clone() };
    let mut all = Vec::new();
    for line in lines(&around, finding.rule) {
        let written = around.part(line.clone());
        let written = written.split('#').next().unwrap_or(written);
        for (at, c) in written.char_indices() {
            let place = line.start + at;
            if matches!(c, '\'' | '’') {
                all.extend(without_apostrophe(&around, place..place + c.len_utf8()));
            }
            if c.is_whitespace() {
                all.extend(without_blank(&around, place));
            } else if let Some((_, meant)) = KEYS.iter().find(|(key, _)| *key == c) {
                let at = place..place + c.len_utf8();
                all.extend(meant.iter().filter_map(|meant| other_sign(&around, at.clone(), meant)));
            }
        }
    }
    all.truncate(CANDIDATES_MAX);
    all
}

/// The line of a finding; behind a bracket that is never closed also those below.
fn lines(around: &Around<'_>, rule: &str) -> Vec<TextRange> {
    let mut start = around.line_start(around.at.start);
    let mut lines = Vec::new();
    let many = rule == "unclosed-bracket";
    while lines.len() < if many { LINES_MAX } else { 1 } && start < around.source.len() {
        let end = around.line_end(start);
        lines.push(start..end);
        start = end + 1;
        if around.part(start..around.line_end(start)).starts_with("policy ") {
            break;
        }
    }
    lines
}

/// Another sign at a place where a word begins or ends.
fn other_sign(around: &Around<'_>, at: TextRange, meant: &str) -> Option<Candidate> {
    let is_letter = |c: char| c.is_alphanumeric();
    let before = around.part(0..at.start).chars().next_back();
    let behind = around.part(at.end..around.source.len()).chars().next();
    let is_edge = !before.is_some_and(is_letter) || !behind.is_some_and(is_letter);
    // A digit of a number is one: what it says would be another amount.
    let is_digit = |c: char| c.is_ascii_digit();
    let in_number = around.part(at.clone()).starts_with(is_digit)
        && meant != "%"
        && (before.is_some_and(is_digit) || behind.is_some_and(is_digit));
    // `80 ses`: a share has its number before the sign.
    let fits = meant != "%" || before.is_some_and(|c| c.is_ascii_digit());
    (is_edge && fits && !in_number).then_some(())?;
    let said = around.part(at.clone());
    let message = format!("`{said}` stands where `{meant}` is meant, which is on the same key");
    let edits = vec![Edit { at: at.clone(), text: meant.to_owned() }];
    Some(Candidate { at, message, help: format!("write `{meant}` for it"), edits })
}

/// `weekday's`, `we'd`: what a telephone makes of words without one.
fn without_apostrophe(around: &Around<'_>, sign: TextRange) -> Option<Candidate> {
    let is_letter = |c: &char| c.is_alphabetic();
    let before =
        around.part(0..sign.start).chars().rev().take_while(is_letter).map(char::len_utf8).sum::<usize>();
    let rest = around.part(sign.end..around.source.len());
    let behind = rest.chars().take_while(is_letter).map(char::len_utf8).sum::<usize>();
    (before > 0 && behind > 0).then_some(())?;
    let whole = sign.start - before..sign.end + behind;
    let meant = format!("{}{}", around.part(whole.start..sign.start), around.part(sign.end..whole.end));
    let message = format!("there is an apostrophe in {}", quoted(around.part(whole.clone())));
    let edits = vec![Edit { at: sign, text: String::new() }];
    Some(Candidate { at: whole, message, help: format!("write `{meant}`"), edits })
}

/// `08: 00`, `contact. country`: a blank beside a sign that joins.
fn without_blank(around: &Around<'_>, place: usize) -> Option<Candidate> {
    const JOINS: [char; 5] = ['.', ':', '/', '_', '-'];
    let (first, one) = around.word_before(place).filter(|(at, _)| at.end == place)?;
    let (last, other) = around.word_from(place)?;
    // The word before may have its sign cut off.
    let whole = first.start..last.end;
    let joins = one.ends_with(JOINS) || other.starts_with(JOINS);
    (joins && !around.part(whole.clone()).contains('\n')).then_some(())?;
    let meant: String = around.part(whole.clone()).split_whitespace().collect();
    let message = format!("there is a blank in {}", quoted(&meant));
    let edits = vec![Edit { at: place..last.start, text: String::new() }];
    Some(Candidate { at: whole, message, help: format!("write {}", quoted(&meant)), edits })
}
