//! Which conditions can hold, decided over values that stand for all others.
//!
//! For each name in a condition a few values are taken: one on each side of every constant that it is
//! compared with, the constants themselves, and none where it may be missing. Every comparison is then
//! decided by the function that the machine itself uses. So what is found to hold in no row of the table
//! holds never.

use std::collections::BTreeMap;

use crate::language::condition::{Comparison, Expr, Literal, Op, Operand, Word};
use crate::language::facts_text::FactValue;
use crate::language::policy::VarDeclaration;
use crate::machine::facts::{Counters, Truth};
use crate::machine::known::evaluate;
use crate::model::{Channel, Confirmation, Priority, Span, TimeOfDay};

use super::Weighed;

/// How many rows are looked at.
const ROWS_MAX: usize = 4_096;
/// How many values of one list are told apart.
const LIST_VALUES_MAX: usize = 5;

/// What holds where a condition is decided.
pub(in crate::lint) struct Scope<'a> {
    /// Whether `quiet` can be true, and whether it can be false.
    pub(super) quiet: (bool, bool),
    /// How far something may have been confirmed.
    pub(super) level_max: Option<Confirmation>,
    /// `elapsed`, in milliseconds.
    pub(super) elapsed: (i64, Option<i64>),
    /// The most `sends`.
    pub(super) sends_max: Option<u32>,
    /// The most `cost`, in millionths.
    pub(super) cost_max: Option<i64>,
    vars: Option<&'a BTreeMap<String, VarDeclaration>>,
}

impl<'a> Scope<'a> {
    /// Everything can be.
    pub(in crate::lint) fn relaxed(vars: Option<&'a BTreeMap<String, VarDeclaration>>) -> Scope<'a> {
        Scope {
            quiet: (true, true),
            level_max: Some(Confirmation::Replied),
            elapsed: (0, None),
            sends_max: None,
            cost_max: None,
            vars,
        }
    }

    /// The guard of quiet hours is decided inside of them.
    pub(in crate::lint) fn inside_quiet_hours(mut self) -> Scope<'a> {
        self.quiet = (true, false);
        self
    }

    fn may_lack(&self, operand: &Operand) -> bool {
        match operand {
            Operand::Var(name) => {
                self.vars.and_then(|vars| vars.get(name)).is_none_or(|declared| declared.optional)
            }
            Operand::Contact(_) | Operand::Attribute(_) => true,
            _ => false,
        }
    }
}

/// What a condition asks about.
#[derive(Debug, Clone, PartialEq)]
enum Key<'e> {
    Word(Word),
    Confirmed,
    Address(Channel),
    Name(&'e Operand),
    /// A comparison of two names: taken as it comes.
    Whole(&'e Comparison),
}

/// One answer.
#[derive(Debug, Clone, PartialEq)]
enum Choice {
    Truth(bool),
    Level(Option<Confirmation>),
    Value(Option<FactValue>),
    Whole(i64),
}

/// All combinations of answers that matter to some conditions.
pub(in crate::lint) struct Table<'e> {
    keys: Vec<(Key<'e>, Vec<Choice>)>,
}

/// One combination.
pub(in crate::lint) struct Row<'t, 'e> {
    table: &'t Table<'e>,
    at: Vec<usize>,
}

impl<'e> Table<'e> {
    /// The table of some conditions; `None` where it has too many rows.
    pub(in crate::lint) fn of(conditions: &[&'e Expr], scope: &Scope<'_>) -> Option<Table<'e>> {
        let mut asked = Asked::default();
        conditions.iter().for_each(|condition| asked.read(condition));
        let mut table = Table { keys: Vec::new() };
        let mut rows = 1_usize;
        for key in asked.keys {
            let choices = asked.comparisons.choices(&key, scope)?;
            rows = rows.checked_mul(choices.len()).filter(|rows| *rows <= ROWS_MAX)?;
            table.keys.push((key, choices));
        }
        Some(table)
    }

    /// Looks at every row until `look` says that it has seen enough.
    pub(in crate::lint) fn rows(&self, look: &mut dyn FnMut(&Row<'_, 'e>) -> bool) {
        if self.keys.iter().any(|(_, choices)| choices.is_empty()) {
            return;
        }
        let mut row = Row { table: self, at: vec![0; self.keys.len()] };
        loop {
            if look(&row) {
                return;
            }
            let mut place = 0;
            loop {
                let Some((_, choices)) = self.keys.get(place) else { return };
                row.at[place] += 1;
                if row.at[place] < choices.len() {
                    break;
                }
                row.at[place] = 0;
                place += 1;
            }
        }
    }

    /// Whether a condition can hold, and whether it can fail.
    pub(in crate::lint) fn weigh(&self, condition: &Expr) -> Weighed {
        let mut weighed = Weighed { can_hold: false, can_fail: false };
        self.rows(&mut |row| {
            let holds = row.holds(condition);
            weighed.can_hold |= holds;
            weighed.can_fail |= !holds;
            weighed.can_hold && weighed.can_fail
        });
        weighed
    }

    /// Whether all of these can be so at once.
    pub(in crate::lint) fn allows(&self, wanted: &[(&Expr, bool)]) -> bool {
        let mut found = false;
        self.rows(&mut |row| {
            found = wanted.iter().all(|(condition, so)| row.holds(condition) == *so);
            found
        });
        found
    }
}

impl<'e> Row<'_, 'e> {
    /// Whether a condition holds in this row.
    pub(in crate::lint) fn holds(&self, condition: &Expr) -> bool {
        match condition {
            Expr::And(parts) => parts.iter().all(|part| self.holds(part)),
            Expr::Or(parts) => parts.iter().any(|part| self.holds(part)),
            Expr::Not(part) => !self.holds(part),
            Expr::Word(Word::Confirmed(wanted)) => match self.choice(&Key::Confirmed) {
                Some(Choice::Level(level)) => *level >= Some(*wanted),
                _ => false,
            },
            Expr::Word(word) => self.choice(&Key::Word(*word)) == Some(&Choice::Truth(true)),
            Expr::HasAddress(channel) => self.choice(&Key::Address(*channel)) == Some(&Choice::Truth(true)),
            Expr::Compare(comparison) => self.compares(comparison),
        }
    }

    /// The row as facts for the command line; `None` where it asks for what those cannot say.
    pub(in crate::lint) fn facts(&self) -> Option<String> {
        let mut facts: Vec<String> = Vec::new();
        for (place, (key, choices)) in self.table.keys.iter().enumerate() {
            let choice = choices.get(*self.at.get(place)?)?;
            match (key, choice) {
                (Key::Address(channel), Choice::Truth(false)) => {
                    facts.push(format!("contact.has.{channel}=false"))
                }
                (Key::Name(name), Choice::Value(Some(value))) => {
                    facts.push(format!("{}={}", called(name)?, plain(value)?))
                }
                (Key::Word(_), Choice::Truth(true)) | (Key::Confirmed, Choice::Level(Some(_))) => {
                    return None;
                }
                _ => {}
            }
        }
        Some(facts.join(", "))
    }

    fn choice(&self, key: &Key<'_>) -> Option<&Choice> {
        let (place, (_, choices)) =
            self.table.keys.iter().enumerate().find(|(_, (known, _))| known == key)?;
        choices.get(*self.at.get(place)?)
    }

    fn compares(&self, comparison: &Comparison) -> bool {
        if is_of_two_names(comparison) {
            return self.choice(&Key::Whole(comparison)) == Some(&Choice::Truth(true));
        }
        let whole = |operand: &Operand| match self.choice(&Key::Name(operand)) {
            Some(Choice::Whole(value)) => *value,
            _ => 0,
        };
        let counters = Counters {
            elapsed: Span::from_ms(whole(&Operand::Elapsed)),
            sends: u32::try_from(whole(&Operand::Sends)).unwrap_or(u32::MAX),
            cost: whole(&Operand::Cost),
        };
        let value = |operand: &Operand| match self.choice(&Key::Name(operand)) {
            Some(Choice::Value(value)) => value.clone(),
            _ => None,
        };
        evaluate(comparison, counters, &value) == Truth::True
    }
}

fn called(name: &Operand) -> Option<String> {
    Some(match name {
        Operand::Var(name) => format!("vars.{name}"),
        Operand::Contact(field) => format!("contact.{field}"),
        Operand::Attribute(name) => format!("contact.{name}"),
        Operand::Priority => "priority".to_owned(),
        Operand::Category => "category".to_owned(),
        _ => return None,
    })
}

fn plain(value: &FactValue) -> Option<String> {
    match value {
        FactValue::String(text) => {
            text.chars().all(|c| c.is_alphanumeric() || "_-:/. ".contains(c)).then(|| text.clone())
        }
        FactValue::Number(number) => Some(number.to_string()),
        FactValue::Boolean(truth) => Some(truth.to_string()),
        FactValue::List(_) => None,
    }
}

fn is_of_two_names(comparison: &Comparison) -> bool {
    let is_name = |side: &Operand| !matches!(side, Operand::Literal(_));
    is_name(&comparison.left) && is_name(&comparison.right)
}

/// Whether the answer to a part of it may differ from one stage or instant to another.
pub(in crate::lint) fn changes_over_time(condition: &Expr) -> bool {
    condition.leaves().any(|leaf| match leaf {
        Expr::Word(_) => true,
        Expr::Compare(comparison) => [&comparison.left, &comparison.right]
            .into_iter()
            .any(|side| matches!(side, Operand::Elapsed | Operand::Sends | Operand::Cost)),
        _ => false,
    })
}

#[derive(Default)]
struct Asked<'e> {
    keys: Vec<Key<'e>>,
    comparisons: Comparisons<'e>,
}

#[derive(Default)]
struct Comparisons<'e>(Vec<&'e Comparison>);

impl<'e> Asked<'e> {
    fn read(&mut self, condition: &'e Expr) {
        match condition {
            Expr::And(parts) | Expr::Or(parts) => parts.iter().for_each(|part| self.read(part)),
            Expr::Not(part) => self.read(part),
            Expr::Word(Word::Confirmed(_)) => self.key(Key::Confirmed),
            Expr::Word(word) => self.key(Key::Word(*word)),
            Expr::HasAddress(channel) => self.key(Key::Address(*channel)),
            Expr::Compare(comparison) => {
                self.comparisons.0.push(comparison);
                if is_of_two_names(comparison) {
                    return self.key(Key::Whole(comparison));
                }
                for side in [&comparison.left, &comparison.right] {
                    if !matches!(side, Operand::Literal(_)) {
                        self.key(Key::Name(side));
                    }
                }
            }
        }
    }

    fn key(&mut self, key: Key<'e>) {
        if !self.keys.contains(&key) {
            self.keys.push(key);
        }
    }
}

impl Comparisons<'_> {
    /// The answers to one question that matter.
    fn choices(&self, key: &Key<'_>, scope: &Scope<'_>) -> Option<Vec<Choice>> {
        let truths = |yes: bool, no: bool| {
            let both = [(yes, true), (no, false)];
            both.into_iter().filter(|(can, _)| *can).map(|(_, truth)| Choice::Truth(truth)).collect()
        };
        Some(match key {
            Key::Word(Word::Quiet) => truths(scope.quiet.0, scope.quiet.1),
            Key::Word(_) | Key::Address(_) | Key::Whole(_) => truths(true, true),
            Key::Confirmed => {
                let levels = [Confirmation::Delivered, Confirmation::Read, Confirmation::Replied];
                let reached = levels.into_iter().filter(|level| Some(*level) <= scope.level_max);
                std::iter::once(None).chain(reached.map(Some)).map(Choice::Level).collect()
            }
            Key::Name(operand) => return self.values(operand, scope),
        })
    }

    fn values(&self, operand: &Operand, scope: &Scope<'_>) -> Option<Vec<Choice>> {
        let mut constants: Vec<&Literal> = Vec::new();
        let mut looked_into = false;
        for comparison in &self.0 {
            let other = match (&comparison.left == operand, &comparison.right == operand) {
                (true, _) => &comparison.right,
                (_, true) => &comparison.left,
                _ => continue,
            };
            looked_into |= comparison.op == Op::Has && comparison.left == *operand;
            match other {
                Operand::Literal(Literal::List(items)) => constants.extend(items),
                Operand::Literal(literal) => constants.push(literal),
                _ => {}
            }
        }
        let whole = |values: Vec<i64>, least: i64, most: Option<i64>| {
            let mut values: Vec<i64> =
                values.into_iter().flat_map(|v| [v.saturating_sub(1), v, v.saturating_add(1)]).collect();
            values.extend([Some(least), most].into_iter().flatten());
            values.retain(|v| *v >= least && most.is_none_or(|most| *v <= most));
            values.sort_unstable();
            values.dedup();
            values
        };
        match operand {
            Operand::Elapsed => {
                let spans = constants
                    .iter()
                    .filter_map(|c| if let Literal::Duration(s) = c { Some(s.ms()) } else { None });
                let (least, most) = scope.elapsed;
                return Some(whole(spans.collect(), least, most).into_iter().map(Choice::Whole).collect());
            }
            Operand::Sends => {
                #[expect(clippy::cast_possible_truncation, reason = "cut to the range of counts")]
                let number = |n: f64| n.clamp(-1.0, 1e9).floor() as i64;
                let numbers = constants
                    .iter()
                    .filter_map(|c| if let Literal::Number(n) = c { Some(number(*n)) } else { None });
                let most = scope.sends_max.map(i64::from);
                return Some(whole(numbers.collect(), 0, most).into_iter().map(Choice::Whole).collect());
            }
            Operand::Cost => {
                let amounts =
                    constants.iter().filter_map(|c| if let Literal::Money(m) = c { Some(*m) } else { None });
                return Some(
                    whole(amounts.collect(), 0, scope.cost_max).into_iter().map(Choice::Whole).collect(),
                );
            }
            Operand::Priority => {
                let words = Priority::WORDS.iter().map(|word| FactValue::String((*word).to_owned()));
                return Some(words.map(|word| Choice::Value(Some(word))).collect());
            }
            _ => {}
        }
        let mut values = if looked_into { subsets(&constants)? } else { around(&constants) };
        let mut choices: Vec<Choice> = values.drain(..).map(|value| Choice::Value(Some(value))).collect();
        if scope.may_lack(operand) {
            choices.push(Choice::Value(None));
        }
        Some(choices)
    }
}

/// The lists that hold some of these values.
fn subsets(constants: &[&Literal]) -> Option<Vec<FactValue>> {
    let mut values: Vec<FactValue> = Vec::new();
    for value in constants.iter().filter_map(|literal| fact(literal)) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    if values.len() > LIST_VALUES_MAX {
        return None;
    }
    let chosen = |mask: usize| {
        let some = values.iter().enumerate().filter(|(n, _)| mask & 1 << n != 0).map(|(_, v)| v.clone());
        FactValue::List(some.collect())
    };
    Some((0..1_usize << values.len()).map(chosen).collect())
}

fn fact(literal: &Literal) -> Option<FactValue> {
    Some(match literal {
        Literal::String(text) => FactValue::String(text.clone()),
        Literal::Number(number) => FactValue::Number(*number),
        Literal::Boolean(truth) => FactValue::Boolean(*truth),
        Literal::Duration(span) => FactValue::String(span.to_string()),
        Literal::Time(time) => FactValue::String(time.to_string()),
        Literal::Priority(priority) => FactValue::String(priority.word().to_owned()),
        Literal::Money(_) | Literal::List(_) => return None,
    })
}

/// A text that is none of those that are named.
fn other_text(constants: &[&Literal]) -> String {
    let mut other = "other".to_owned();
    while constants.iter().any(|literal| matches!(literal, Literal::String(text) if *text == other)) {
        other.push('_');
    }
    other
}

/// The constants, and a value on each side of each.
fn around(constants: &[&Literal]) -> Vec<FactValue> {
    let mut values: Vec<FactValue> = Vec::new();
    let mut numbers: Vec<f64> = Vec::new();
    let mut put = |value: FactValue| {
        if !values.contains(&value) {
            values.push(value);
        }
    };
    for literal in constants {
        match literal {
            Literal::Number(number) => numbers.push(*number),
            Literal::Duration(span) => {
                for ms in [span.ms() - 1, span.ms(), span.ms() + 1] {
                    if (0..=Span::MAX.ms()).contains(&ms) {
                        put(FactValue::String(Span::from_ms(ms).to_string()));
                    }
                }
            }
            Literal::Time(time) => {
                let minutes = time.minutes();
                for minutes in [minutes.checked_sub(1), Some(minutes), minutes.checked_add(1)] {
                    if let Some(time) = minutes.and_then(TimeOfDay::from_minutes) {
                        put(FactValue::String(time.to_string()));
                    }
                }
            }
            Literal::String(_) => {
                fact(literal).into_iter().for_each(&mut put);
                put(FactValue::String(other_text(constants)));
            }
            Literal::Boolean(_) => [true, false].into_iter().map(FactValue::Boolean).for_each(&mut put),
            _ => fact(literal).into_iter().for_each(&mut put),
        }
    }
    numbers.sort_by(f64::total_cmp);
    numbers.dedup();
    for (place, number) in numbers.iter().enumerate() {
        put(FactValue::Number(*number));
        match numbers.get(place + 1) {
            Some(next) => put(FactValue::Number(number + (next - number) / 2.0)),
            None => put(FactValue::Number(number + 1.0)),
        }
    }
    if let Some(first) = numbers.first() {
        put(FactValue::Number(first - 1.0));
    }
    values
}
