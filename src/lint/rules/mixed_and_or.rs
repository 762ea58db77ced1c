use std::ops::Range;

use crate::language::policy::TextRange;
use crate::lint::Context;
use crate::lint::analysis::{Analysis, words};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A condition joins by `and` and by `or` without saying what belongs together.
    ///
    /// `and` binds more tightly: `vars.urgent or vars.vip and contact has voice` lets everything urgent through,
    /// whether there is a number to call or not. Read aloud, it sounds like the other reading.
    ///
    /// Put parentheses around what belongs together. The change that is offered puts them where they are in effect
    /// now.
    MixedAndOr, "mixed-and-or", Note, check;
    true => "sms if vars.a or vars.b and vars.c",
    true => "sms unless quota and vars.a or opted_out",
    true => "policy p { quiet 21:00 to 08:00 in UTC unless vars.a or vars.b and vars.c sms }",
    false => "sms if vars.a or (vars.b and vars.c)",
    false => "sms if (vars.a or vars.b) and vars.c",
    false => "sms if vars.a and vars.b and vars.c",
    false => "sms if vars.a is \"x or y\" and vars.b",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let places = context.analysis.places().iter().filter(|place| !place.used);
    let of_stages = places.flat_map(|place| Analysis::guards(place).map(|(condition, _)| condition));
    let of_quiet = context.policy.headers.quiet.iter().filter_map(|quiet| quiet.unless.as_ref());
    for condition in of_stages.chain(of_quiet) {
        for mixed in mixed(context.source, &condition.at) {
            let text = |at: &Range<usize>| context.source.get(at.clone()).unwrap_or_default();
            let Some(first) = mixed.parts.first() else { continue };
            let joined = text(first).split_whitespace().collect::<Vec<_>>().join(" ");
            let message = format!("`and` binds more tightly than `or`, so `{joined}` belongs together here");
            let help = format!("put what belongs together in parentheses: `({joined})`, if that is meant");
            let finding = Finding::new(mixed.whole, message, help);
            found(mixed.parts.into_iter().fold(finding, |finding, part| {
                finding.fixed(part.start..part.start, "(").fixed(part.end..part.end, ")")
            }));
        }
    }
}

/// What stands between two parentheses and is joined in both ways.
struct Mixed {
    whole: TextRange,
    /// What is joined by `and`.
    parts: Vec<TextRange>,
}

/// A level of parentheses that is being read.
#[derive(Default)]
struct Level {
    whole: Option<TextRange>,
    /// What is joined by `or`, each with whether an `and` stands in it.
    parts: Vec<(TextRange, bool)>,
    begins: bool,
}

impl Level {
    fn take(&mut self, at: &TextRange) {
        let whole = self.whole.get_or_insert_with(|| at.clone());
        whole.end = at.end;
        match self.parts.last_mut().filter(|_| !self.begins) {
            Some((part, _)) => part.end = at.end,
            None => self.parts.push((at.clone(), false)),
        }
        self.begins = false;
    }

    fn mixed(self) -> Option<Mixed> {
        let parts: Vec<TextRange> =
            self.parts.iter().filter(|(_, joins)| *joins).map(|(part, _)| part.clone()).collect();
        let is_mixed = self.parts.len() > 1 && !parts.is_empty();
        Some(Mixed { whole: self.whole.filter(|_| is_mixed)?, parts })
    }
}

fn mixed(source: &str, condition: &TextRange) -> Vec<Mixed> {
    let (mut open, mut out) = (vec![Level { begins: true, ..Level::default() }], Vec::new());
    let mut last = condition.start;
    for (at, word) in words(source, condition.clone()) {
        // A text in quotes is no word, and belongs to what stands before it.
        let end = source.get(last..at.start).map_or(last, |between| last + between.trim_end().len());
        if let Some(level) = open.last_mut().filter(|_| end > last) {
            level.take(&(last..end));
        }
        last = at.end;
        match word {
            "(" => {
                if let Some(level) = open.last_mut() {
                    level.take(&at);
                }
                open.push(Level { begins: true, ..Level::default() });
            }
            ")" if open.len() > 1 => {
                out.extend(open.pop().and_then(Level::mixed));
                if let Some(level) = open.last_mut() {
                    level.take(&at);
                }
            }
            "or" => {
                if let Some(level) = open.last_mut() {
                    level.begins = true;
                }
            }
            "and" => {
                if let Some(level) = open.last_mut() {
                    level.take(&at);
                    if let Some((_, joins)) = level.parts.last_mut() {
                        *joins = true;
                    }
                }
            }
            _ => {
                if let Some(level) = open.last_mut() {
                    level.take(&at);
                }
            }
        }
    }
    if let Some(level) = open.last_mut().filter(|_| condition.end > last) {
        level.take(&(last..condition.end));
    }
    out.extend(open.into_iter().filter_map(Level::mixed));
    out.sort_by_key(|mixed| mixed.whole.start);
    out
}
