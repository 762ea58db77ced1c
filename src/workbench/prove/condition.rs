//! The `when` of a sentence: facts, comparisons as policies write them, `and`, `or`, `not`.

use std::collections::BTreeSet;

use crate::language::condition::{Comparison, Expr, Operand, Word};
use crate::language::policy::{Action, ValueType};
use crate::language::words::quoted;
use crate::language::{NoLibrary, compile};
use crate::machine::Instance;
use crate::machine::Machine;
use crate::machine::explore::{Choice, FactName, FactSpace, Seen};
use crate::model::Confirmation;

use crate::workbench::suite::channel_of;

/// How deep parentheses go.
const DEPTH_MAX: usize = 32;

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// The fact is other than ordinary: used up, open, opted out; of an address: missing.
    Otherwise(FactName),
    Compare(Comparison),
    Confirmed(Confirmation),
    Quiet,
}

impl Condition {
    /// Reads a condition for a policy.
    ///
    /// # Errors
    /// What is wrong, and what to write.
    pub(super) fn read(text: &str, machine: &Machine) -> Result<Condition, String> {
        read(text.trim(), machine, 0)
    }

    /// The comparisons in it, for the space of facts.
    pub(super) fn comparisons(&self, out: &mut Vec<Comparison>) {
        match self {
            Condition::All(parts) | Condition::Any(parts) => parts.iter().for_each(|p| p.comparisons(out)),
            Condition::Not(part) => part.comparisons(out),
            Condition::Compare(comparison) => out.push(comparison.clone()),
            Condition::Otherwise(_) | Condition::Confirmed(_) | Condition::Quiet => {}
        }
    }

    /// What of a run it reads, beside facts.
    pub(super) fn reads(&self, out: &mut Reads) {
        match self {
            Condition::All(parts) | Condition::Any(parts) => parts.iter().for_each(|part| part.reads(out)),
            Condition::Not(part) => part.reads(out),
            Condition::Compare(comparison) => {
                for operand in [&comparison.left, &comparison.right] {
                    out.time |= *operand == Operand::Elapsed;
                    out.amounts |= matches!(operand, Operand::Sends | Operand::Cost);
                }
            }
            Condition::Confirmed(level) => _ = out.confirmations.insert(*level),
            Condition::Quiet => out.clock = true,
            Condition::Otherwise(_) => {}
        }
    }

    /// The parts that must all hold, parted into those that speak of facts alone, which are so from the
    /// beginning, and the others.
    pub(super) fn parted(&self) -> (Vec<&Condition>, Vec<&Condition>) {
        match self {
            Condition::All(parts) => parts.iter().partition(|part| part.is_of_facts()),
            one => std::iter::once(one).partition(|one| one.is_of_facts()),
        }
    }

    fn is_of_facts(&self) -> bool {
        let mut reads = Reads::default();
        self.reads(&mut reads);
        !(reads.time || reads.clock || reads.amounts) && reads.confirmations.is_empty()
    }

    /// The facts that it asks for, by their place.
    pub(super) fn facts(&self, space: &FactSpace, out: &mut BTreeSet<usize>) {
        match self {
            Condition::All(parts) | Condition::Any(parts) => parts.iter().for_each(|p| p.facts(space, out)),
            Condition::Not(part) => part.facts(space, out),
            Condition::Otherwise(name) => out.extend(space.place(name)),
            Condition::Compare(comparison) => {
                let names = [&comparison.left, &comparison.right].into_iter().filter_map(FactName::of);
                out.extend(names.filter_map(|name| space.place(&name)));
            }
            Condition::Quiet => {
                out.extend(space.place(&FactName::Contact("timezone".to_owned())));
            }
            Condition::Confirmed(_) => {}
        }
    }

    /// Whether it holds in a step, of what the message has come to in `instance`; `Err` with a fact
    /// that must be decided first.
    pub(super) fn holds(
        &self,
        seen: &Seen<'_>,
        instance: &Instance,
        machine: &Machine,
        space: &FactSpace,
    ) -> Result<bool, usize> {
        let each = |part: &Condition| part.holds(seen, instance, machine, space);
        match self {
            Condition::All(parts) => {
                for part in parts {
                    if !each(part)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Condition::Any(parts) => {
                for part in parts {
                    if each(part)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Condition::Not(part) => Ok(!each(part)?),
            Condition::Otherwise(name) => match space.place(name) {
                // What nothing asks about is ordinary.
                None => Ok(false),
                Some(place) => match seen.choice(place) {
                    None => Err(place),
                    Some(choice) => Ok(*choice == Choice::Otherwise),
                },
            },
            Condition::Compare(comparison) => seen.holds(comparison, instance),
            Condition::Confirmed(level) => Ok(instance.is_confirmed(*level)),
            Condition::Quiet => seen.is_quiet(machine),
        }
    }
}

/// What a condition reads of a run.
#[derive(Debug, Default)]
pub(super) struct Reads {
    pub(super) time: bool,
    pub(super) clock: bool,
    pub(super) amounts: bool,
    pub(super) confirmations: BTreeSet<Confirmation>,
}

fn read(text: &str, machine: &Machine, depth: usize) -> Result<Condition, String> {
    if depth > DEPTH_MAX {
        return Err(format!("parentheses are nested more than {DEPTH_MAX} deep"));
    }
    if text.is_empty() {
        return Err("a condition is missing; write for example `when quota.sms is used`".to_owned());
    }
    for (word, is_any) in [("or", true), ("and", false)] {
        let parts = split(text, word)?;
        if parts.len() > 1 {
            let parts =
                parts.into_iter().map(|part| read(part.trim(), machine, depth)).collect::<Result<_, _>>()?;
            return Ok(if is_any { Condition::Any(parts) } else { Condition::All(parts) });
        }
    }
    if let Some(rest) = text.strip_prefix("not ").or_else(|| text.strip_prefix("not(").map(|_| &text[3..])) {
        return Ok(Condition::Not(Box::new(read(rest.trim(), machine, depth + 1)?)));
    }
    if let Some(inner) = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
        return read(inner.trim(), machine, depth + 1);
    }
    leaf(text, machine)
}

/// The parts of a text between a word that stands in no quotes and no brackets.
fn split<'t>(text: &'t str, word: &str) -> Result<Vec<&'t str>, String> {
    let (mut parts, mut start, mut depth, mut inside) = (Vec::new(), 0, 0_usize, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' => inside = !inside,
            '(' | '[' if !inside => depth += 1,
            ')' | ']' if !inside => {
                depth = depth
                    .checked_sub(1)
                    .ok_or_else(|| format!("a bracket of {} was never opened", quoted(text)))?;
            }
            _ => {}
        }
        let ends = |at: usize| {
            text[at..].chars().next().is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '.')
        };
        let begins =
            text[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '.');
        if !inside && depth == 0 && begins && text[at..].starts_with(word) && ends(at + word.len()) {
            parts.push(&text[start..at]);
            start = at + word.len();
        }
    }
    if depth > 0 || inside {
        return Err(format!("a bracket or a quote of {} is never closed", quoted(text)));
    }
    parts.push(&text[start..]);
    Ok(parts)
}

/// A fact, or a condition as policies have it.
fn leaf(text: &str, machine: &Machine) -> Result<Condition, String> {
    let (name, is) = match text.split_once(" is not ") {
        Some((name, value)) => (name.trim(), Some((value.trim(), false))),
        None => {
            match text.split_once(" is ").or_else(|| text.split_once("==")).or_else(|| text.split_once('=')) {
                Some((name, value)) => (name.trim(), Some((value.trim(), true))),
                None => (text, None),
            }
        }
    };
    let switched = |fact: FactName, on: [&str; 2], off: [&str; 2]| match is {
        None => Ok(Condition::Otherwise(fact)),
        Some((value, positive)) if on.contains(&value) || off.contains(&value) => {
            let condition = Condition::Otherwise(fact);
            let holds = on.contains(&value) == positive;
            Ok(if holds { condition } else { Condition::Not(Box::new(condition)) })
        }
        Some((value, _)) => {
            Err(format!("{} is {} or {}, not {}", quoted(name), quoted(on[0]), quoted(off[0]), quoted(value)))
        }
    };
    if let Some(channel) = name.strip_prefix("quota.") {
        return switched(FactName::Quota(channel_of(channel)?), ["used", "true"], ["free", "false"]);
    }
    if let Some(channel) = name.strip_prefix("opted_out.") {
        return switched(FactName::OptedOut(channel_of(channel)?), ["true", "yes"], ["false", "no"]);
    }
    if let Some(provider) = name.strip_prefix("breaker.") {
        return switched(FactName::Breaker(provider.to_owned()), ["open", "true"], ["closed", "false"]);
    }
    if let Some(channel) = name.strip_prefix("contact.has.") {
        let missing = FactName::Has(channel_of(channel)?);
        return match is {
            None => Ok(Condition::Not(Box::new(Condition::Otherwise(missing)))),
            Some(_) => switched(missing, ["false", "no"], ["true", "yes"]),
        };
    }
    of_policy(text, machine)
}

/// A condition as policies have it: read by the policies' own compiler, with the vars of this one.
fn of_policy(text: &str, machine: &Machine) -> Result<Condition, String> {
    let vars = machine.headers().vars.as_ref().map(|vars| {
        let each = vars.iter().map(|(name, declared)| {
            format!("{name}: {}{}", kind(declared.kind), if declared.optional { " optional" } else { "" })
        });
        format!("vars {{ {} }}\n", each.collect::<Vec<_>>().join(", "))
    });
    let source = format!("policy sentence {{\n{}sms if {text}\n}}", vars.unwrap_or_default());
    let compiled = compile(&source, None, &NoLibrary);
    if let Some(fault) = compiled.diagnostics.first() {
        let pause = if fault.message.ends_with('?') { " " } else { "; " };
        let help = fault.help.as_ref().map(|help| format!("{pause}{help}")).unwrap_or_default();
        return Err(format!("{}{help}", fault.message));
    }
    let stage = compiled.policies.first().and_then(|policy| policy.strategy.stages.first());
    let condition = stage.filter(|stage| matches!(stage.action, Action::Channel(_)) && stage.after.is_none());
    let Some(condition) = condition.and_then(|stage| stage.only_if.as_ref()) else {
        return Err(format!("{} is no condition; write for example `quota.sms is used`", quoted(text)));
    };
    of_expr(&condition.expr)
}

const fn kind(kind: ValueType) -> &'static str {
    match kind {
        ValueType::String => "string",
        ValueType::Number => "number",
        ValueType::Boolean => "boolean",
        ValueType::Duration => "duration",
        ValueType::Time => "time",
        ValueType::List => "list",
    }
}

fn of_expr(expr: &Expr) -> Result<Condition, String> {
    let all = |parts: &[Expr]| parts.iter().map(of_expr).collect::<Result<Vec<_>, _>>();
    Ok(match expr {
        Expr::And(parts) => Condition::All(all(parts)?),
        Expr::Or(parts) => Condition::Any(all(parts)?),
        Expr::Not(part) => Condition::Not(Box::new(of_expr(part)?)),
        Expr::HasAddress(channel) => Condition::Not(Box::new(Condition::Otherwise(FactName::Has(*channel)))),
        Expr::Compare(comparison) => Condition::Compare(comparison.clone()),
        Expr::Word(Word::Confirmed(level)) => Condition::Confirmed(*level),
        Expr::Word(Word::Quiet) => Condition::Quiet,
        Expr::Word(Word::Quota) => return Err(of_channel("quota", "quota.sms is used")),
        Expr::Word(Word::OptedOut) => return Err(of_channel("opted_out", "opted_out.sms")),
        Expr::Word(Word::Tripped) => return Err(of_channel("tripped", "breaker.twilio is open")),
    })
}

fn of_channel(word: &str, write: &str) -> String {
    format!("`{word}` does not say of which; write for example `{write}`")
}
