//! Of each name in a condition, values on each side of everything that it is compared with.

use crate::language::condition::{Comparison, Literal, Op, Operand};
use crate::language::policy::ValueType;
use crate::machine::facts::{Counters, Truth};
use crate::machine::known::{Value, evaluate};
use crate::model::{Priority, Span, TimeOfDay};

/// Constants in one `has` of which every selection is looked at.
const HAS_SUBSETS_MAX: usize = 4;
/// The most values of one name.
pub(super) const VALUES_MAX: usize = 24;

/// What is gathered about one name.
#[derive(Debug, Default)]
pub(super) struct Pool {
    values: Vec<Value>,
    /// Constants that a list of this name may hold.
    members: Vec<Value>,
    /// It is compared with another name, or with what changes during a run.
    pub(super) is_loose: bool,
}

impl Pool {
    fn add(&mut self, value: Value) {
        if !self.values.contains(&value) {
            self.values.push(value);
        }
    }

    /// Takes in a comparison in which `name` stands; gives the other operand where that is a name too.
    pub(super) fn take(&mut self, comparison: &Comparison, name: &Operand) {
        let Comparison { left, op, right, .. } = comparison;
        let other = if left == name { right } else { left };
        match (op, other) {
            (Op::Has, Operand::Literal(literal)) if left == name => {
                self.members.extend(around(literal).into_iter().next());
            }
            (_, Operand::Literal(Literal::List(items))) => {
                items.iter().flat_map(around).for_each(|value| self.add(value));
                // Something that is in no list.
                if items.iter().all(|item| matches!(item, Literal::String(_))) {
                    self.add(Value::String("other".to_owned()));
                }
            }
            (_, Operand::Literal(literal)) => around(literal).into_iter().for_each(|value| self.add(value)),
            _ => self.is_loose = true,
        }
    }

    /// Adds what another pool has: two names that are compared with each other.
    pub(super) fn join(&mut self, other: &Pool) {
        other.values.iter().for_each(|value| self.add(value.clone()));
    }

    /// Adds values for something that is compared with what changes during a run.
    pub(super) fn extend(&mut self, values: impl IntoIterator<Item = Value>) {
        values.into_iter().for_each(|value| self.add(value));
    }

    /// The values, one for each way in which the comparisons `about` the name can come out; all of
    /// them where it is compared with something that has no fixed value. Whether that is all.
    pub(super) fn into_values(
        mut self,
        name: &Operand,
        about: &[&Comparison],
        kind: Option<ValueType>,
    ) -> (Vec<Value>, bool) {
        let mut complete = true;
        if !self.members.is_empty() || kind == Some(ValueType::List) {
            complete = self.members.len() <= HAS_SUBSETS_MAX;
            self.members.truncate(HAS_SUBSETS_MAX);
            for subset in 0..1_usize << self.members.len() {
                let held = self.members.iter().enumerate().filter(|(place, _)| subset >> place & 1 == 1);
                let held: Vec<Value> = held.map(|(_, value)| value.clone()).collect();
                self.add(Value::List(held));
            }
        }
        if self.values.is_empty() {
            self.values = plain(kind);
        }
        if !self.is_loose {
            let mut seen: Vec<Vec<Truth>> = Vec::new();
            self.values.retain(|value| {
                let truths: Vec<Truth> = about.iter().map(|c| truth(c, name, value)).collect();
                let is_new = !seen.contains(&truths);
                if is_new {
                    seen.push(truths);
                }
                is_new
            });
        }
        complete &= self.values.len() <= VALUES_MAX;
        self.values.truncate(VALUES_MAX);
        (self.values, complete)
    }
}

/// The truth of a comparison where `name` has that value and stands alone in it.
fn truth(comparison: &Comparison, name: &Operand, value: &Value) -> Truth {
    let counters = Counters { elapsed: Span::ZERO, sends: 0, cost: 0 };
    evaluate(comparison, counters, &|operand| (operand == name).then(|| value.clone()))
}

/// Values of a declared type that nothing is compared with but another name.
fn plain(kind: Option<ValueType>) -> Vec<Value> {
    let text = |text: &str| Value::String(text.to_owned());
    match kind {
        Some(ValueType::Number) => vec![Value::Number(1.0), Value::Number(2.0), Value::Number(0.0)],
        Some(ValueType::Boolean) => vec![Value::Boolean(true), Value::Boolean(false)],
        Some(ValueType::Duration) => vec![text("1m"), text("2m"), text("0s")],
        Some(ValueType::Time) => vec![text("12:00"), text("13:00"), text("11:00")],
        Some(ValueType::List) => vec![Value::List(Vec::new())],
        Some(ValueType::String) | None => vec![text("a"), text("b")],
    }
}

/// A constant and what lies just beside it.
fn around(literal: &Literal) -> Vec<Value> {
    let text = |text: String| Value::String(text);
    match literal {
        Literal::String(written) => {
            let mut values = vec![text(written.clone()), text("other".to_owned())];
            // What is ordered has something after it and something before it.
            values.extend([text(format!("{written}0")), text(String::new())]);
            values
        }
        Literal::Number(number) => vec![*number, number - 1.0, number + 1.0, number - 0.5, number + 0.5]
            .into_iter()
            .map(Value::Number)
            .collect(),
        Literal::Boolean(truth) => vec![Value::Boolean(*truth), Value::Boolean(!truth)],
        Literal::Duration(span) => {
            [0, -1, 1].into_iter().map(|more| text(Span::from_ms(span.ms() + more).to_string())).collect()
        }
        Literal::Time(time) => [0, 1, 1_439]
            .into_iter()
            .filter_map(|more| TimeOfDay::from_minutes((time.minutes() + more) % 1_440))
            .map(|time| text(time.to_string()))
            .collect(),
        Literal::Money(micros) => {
            #[expect(clippy::cast_precision_loss, reason = "money stays far below what a double holds")]
            let amount = |micros: i64| Value::Number(micros as f64 / 1e6);
            vec![amount(*micros), amount(micros - 1), amount(micros + 1)]
        }
        Literal::Priority(_) => Priority::WORDS.iter().map(|word| text((*word).to_owned())).collect(),
        Literal::List(items) => items.iter().flat_map(around).collect(),
    }
}
