//! The types of the sides of a comparison, and whether they fit.

use crate::model::{Money, Priority};

use super::super::condition::{Literal, Op, Operand};
use super::super::policy::{TextRange, ValueType};
use super::super::words::{near, quoted};
use super::operand::Side;
use super::strategy::Walk;
use super::value::did_you_mean;

/// The types of a comparison's sides: those of values, and two that only words of the language have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Value(ValueType),
    Priority,
    Money,
}

impl Type {
    pub(super) fn name(self) -> &'static str {
        match self {
            Type::Value(kind) => kind.in_words(),
            Type::Priority => "a priority",
            Type::Money => "an amount of money",
        }
    }

    /// A value of it, as one writes it.
    fn example(self) -> &'static str {
        match self {
            Type::Value(ValueType::String) => "a text in quotes like `\"gold\"`",
            Type::Value(ValueType::Number) => "a number like `100`",
            Type::Value(ValueType::Boolean) => "`true` or `false`",
            Type::Value(ValueType::Duration) => "a duration like `30s`",
            Type::Value(ValueType::Time) => "a time of day like `08:00`",
            Type::Value(ValueType::List) => "a list like `[\"a\", \"b\"]`",
            Type::Priority => "`low`, `normal`, `high` or `urgent`",
            Type::Money => "an amount like `0.25 EUR`",
        }
    }

    fn has_order(self) -> bool {
        !matches!(self, Type::Value(ValueType::String | ValueType::Boolean | ValueType::List))
    }
}

impl Walk<'_, '_> {
    /// Both sides as operands, once their types are found to fit the comparison.
    pub(super) fn typed(
        &mut self,
        op: Op,
        (left, left_at): (Side, &TextRange),
        (right, right_at): (Side, &TextRange),
    ) -> Option<(Operand, Operand)> {
        match op {
            Op::In => return self.typed_in((left, left_at), (right, right_at)),
            Op::Has => return self.typed_has((left, left_at), (right, right_at)),
            _ => {}
        }
        for (side, at) in [(&left, left_at), (&right, right_at)] {
            let list = matches!(side, Side::List(_))
                || matches!(side, Side::Name { kind: Some(Type::Value(ValueType::List)), .. });
            if list {
                let message = format!("{} is a list", quoted(self.faults.text(at)));
                let help = "look into it with `has`, or whether something is in it with `in`";
                self.faults.tell("types-differ", at.clone(), message, help);
                return None;
            }
        }
        let (left, left_kind) = self.known(left, left_at, None)?;
        let (right, right_kind) = self.known(right, right_at, Some((&left, left_kind)))?;
        let (left, left_kind, right, right_kind) = money_beside_cost(left, left_kind, right, right_kind);
        let kind = match (left_kind, right_kind) {
            (Some(a), Some(b)) if a == b => a,
            (Some(a), Some(b)) => {
                self.differ((left_at, a), (right_at, b));
                return None;
            }
            (Some(a), None) => {
                self.infer(&right, a, right_at)?;
                a
            }
            (None, Some(b)) => {
                self.infer(&left, b, left_at)?;
                b
            }
            // Two names of which nothing says the types: equal types are compared at run time.
            (None, None) => return Some((left, right)),
        };
        if !matches!(op, Op::Is | Op::IsNot) && !kind.has_order() {
            let message =
                format!("{} is {}, which has no order", quoted(self.faults.text(left_at)), kind.name());
            let help = "compare it by `is`, `is not` or `in`";
            self.faults.tell("no-order", left_at.start..right_at.end, message, help);
            return None;
        }
        Some((left, right))
    }

    fn typed_in(
        &mut self,
        (left, left_at): (Side, &TextRange),
        (right, right_at): (Side, &TextRange),
    ) -> Option<(Operand, Operand)> {
        let Side::List(values) = right else {
            let message = format!("{} is no list", quoted(self.faults.text(right_at)));
            self.faults.tell(
                "bad-list",
                right_at.clone(),
                message,
                "write `in [ … ]`, or `NAME has VALUE` for a list",
            );
            return None;
        };
        if matches!(left, Side::List(_)) {
            let message = "a list is in no list".to_owned();
            self.faults.tell("types-differ", left_at.clone(), message, "write a name before `in`");
            return None;
        }
        let (left, mut kind) = self.known(left, left_at, None)?;
        let (mut literals, mut all) = (Vec::new(), true);
        for (value, at) in values {
            let Some((value, value_kind)) = self.known(value, &at, Some((&left, kind))) else {
                all = false;
                continue;
            };
            let (_, _, value, value_kind) = money_beside_cost(left.clone(), kind, value, value_kind);
            let Operand::Literal(literal) = value else {
                let message = format!("{} is no value", quoted(self.faults.text(&at)));
                self.faults.tell("bad-list", at, message, "a list holds values, not names");
                return None;
            };
            match (kind, value_kind) {
                (Some(a), Some(b)) if a != b => {
                    self.differ((left_at, a), (&at, b));
                    return None;
                }
                (None, Some(b)) => {
                    self.infer(&left, b, left_at)?;
                    kind = Some(b);
                }
                _ => {}
            }
            literals.push(literal);
        }
        all.then_some((left, Operand::Literal(Literal::List(literals))))
    }

    fn typed_has(
        &mut self,
        (left, left_at): (Side, &TextRange),
        (right, right_at): (Side, &TextRange),
    ) -> Option<(Operand, Operand)> {
        let list = Type::Value(ValueType::List);
        let left = match left {
            Side::List(values) => {
                let values = values.into_iter().map(|(value, _)| match value {
                    Side::Value { literal, .. } => Some(literal),
                    _ => None,
                });
                let Some(values) = values.collect() else {
                    let message = "the list holds something that is no value".to_owned();
                    self.faults.tell("bad-list", left_at.clone(), message, "a list holds values, not names");
                    return None;
                };
                Operand::Literal(Literal::List(values))
            }
            side => {
                let (operand, kind) = self.known(side, left_at, None)?;
                match kind {
                    None => self.infer(&operand, list, left_at)?,
                    Some(kind) if kind == list => {}
                    Some(kind) => {
                        let message =
                            format!("{} is {}, not a list", quoted(self.faults.text(left_at)), kind.name());
                        self.faults.tell(
                            "types-differ",
                            left_at.clone(),
                            message,
                            "`has` looks into a list; compare others by `is` or `in`",
                        );
                        return None;
                    }
                }
                operand
            }
        };
        if matches!(right, Side::List(_)) {
            let message = "`has` looks for one value, not for a list".to_owned();
            self.faults.tell(
                "types-differ",
                right_at.clone(),
                message,
                "write one `has` a value, joined by `and` or `or`",
            );
            return None;
        }
        let (right, kind) = self.known(right, right_at, None)?;
        if matches!(kind, Some(Type::Money | Type::Priority)) || kind == Some(list) {
            let message = format!("{} is nothing that a list holds", quoted(self.faults.text(right_at)));
            self.faults.tell(
                "types-differ",
                right_at.clone(),
                message,
                "write a text, a number or another value",
            );
            return None;
        }
        Some((left, right))
    }

    /// A side as an operand; a bare word is explained by what it is compared with.
    fn known(
        &mut self,
        side: Side,
        at: &TextRange,
        other: Option<(&Operand, Option<Type>)>,
    ) -> Option<(Operand, Option<Type>)> {
        match side {
            Side::Name { operand, kind } => Some((operand, kind)),
            Side::Value { literal, kind } => Some((Operand::Literal(literal), Some(kind))),
            Side::List(_) => {
                let message = format!("{} is a list", quoted(self.faults.text(at)));
                self.faults.tell("types-differ", at.clone(), message, "write one value");
                None
            }
            Side::Bare(word) => self.bare(&word, at, other),
        }
    }

    fn bare(
        &mut self,
        word: &str,
        at: &TextRange,
        other: Option<(&Operand, Option<Type>)>,
    ) -> Option<(Operand, Option<Type>)> {
        match other {
            Some((_, Some(Type::Priority))) => {
                if let Ok(priority) = word.parse::<Priority>() {
                    return Some((Operand::Literal(Literal::Priority(priority)), Some(Type::Priority)));
                }
                let meant = near(word, Priority::WORDS.iter().copied());
                let message = format!("unknown priority {}{}", quoted(word), did_you_mean(meant));
                match meant {
                    Some(meant) => self.faults.tell_replace("unknown-priority", at.clone(), message, meant),
                    None => self.faults.tell(
                        "unknown-priority",
                        at.clone(),
                        message,
                        super::value::one_of(Priority::WORDS),
                    ),
                }
            }
            // `category marketing` is written without quotes in the header, so it may be here.
            Some((Operand::Category, kind)) => {
                return Some((Operand::Literal(Literal::String(word.to_owned())), kind));
            }
            Some((_, Some(Type::Value(ValueType::Boolean)))) => {
                let message = format!("{} is neither `true` nor `false`", quoted(word));
                self.faults.tell("types-differ", at.clone(), message, "write `true` or `false`");
            }
            _ => {
                let message = format!("{} is no known name; a text stands in quotes", quoted(word));
                self.faults.tell_replace("unknown-name", at.clone(), message, &format!("\"{word}\""));
            }
        }
        None
    }

    fn differ(&mut self, (left_at, left): (&TextRange, Type), (right_at, right): (&TextRange, Type)) {
        let left_text = quoted(self.faults.text(left_at));
        let right_text = quoted(self.faults.text(right_at));
        let message = format!("{left_text} is {} and {right_text} is {}", left.name(), right.name());
        self.faults.tell("types-differ", right_at.clone(), message, format!("write {}", left.example()));
    }

    /// Gives a name that nothing declares the type of what it is compared with.
    pub(super) fn infer(&mut self, operand: &Operand, kind: Type, at: &TextRange) -> Option<()> {
        let text = quoted(self.faults.text(at));
        let Type::Value(kind) = kind else {
            let message = format!("{text} cannot be {}", kind.name());
            let help = "vars and fields of a contact are texts, numbers, booleans, durations, times or lists";
            self.faults.tell("types-differ", at.clone(), message, help);
            return None;
        };
        match self.inferred.insert(key(operand), kind) {
            Some(before) if before != kind => {
                let (kind, before) = (Type::Value(kind), Type::Value(before));
                let message = format!("{text} is {} here and {} before", kind.name(), before.name());
                self.faults.tell("types-differ", at.clone(), message, "compare it with values of one type");
                None
            }
            _ => Some(()),
        }
    }
}

/// Under which the inferred type of a name is kept.
pub(super) fn key(operand: &Operand) -> String {
    match operand {
        Operand::Var(name) => format!("vars.{name}"),
        Operand::Attribute(name) => format!("contact.{name}"),
        _ => String::new(),
    }
}

/// A plain number beside `cost` is an amount.
fn money_beside_cost(
    left: Operand,
    left_kind: Option<Type>,
    right: Operand,
    right_kind: Option<Type>,
) -> (Operand, Option<Type>, Operand, Option<Type>) {
    let amount = |operand: &Operand| match operand {
        Operand::Literal(Literal::Number(n)) => Money::parse_amount(&n.to_string()).ok(),
        _ => None,
    };
    match (left_kind, right_kind) {
        (Some(Type::Money), Some(Type::Value(ValueType::Number))) => match amount(&right) {
            Some(micros) => (left, left_kind, Operand::Literal(Literal::Money(micros)), Some(Type::Money)),
            None => (left, left_kind, right, right_kind),
        },
        (Some(Type::Value(ValueType::Number)), Some(Type::Money)) => match amount(&left) {
            Some(micros) => (Operand::Literal(Literal::Money(micros)), Some(Type::Money), right, right_kind),
            None => (left, left_kind, right, right_kind),
        },
        _ => (left, left_kind, right, right_kind),
    }
}
