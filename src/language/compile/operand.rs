//! One side of a comparison, as it is written: a name, a value, a list, or a bare word.

use crate::model::ContactField;

use super::super::condition::{Literal, Operand};
use super::super::policy::{TextRange, ValueType};
use super::super::words::{in_other_number, near, quoted};
use super::strategy::Walk;
use super::types::{Type, key};
use super::unit::bad_name;
use super::value::{did_you_mean, replace};
use super::{Node, Rule};

/// One side, as far as it is known by itself.
pub(super) enum Side {
    /// A name; without a type where nothing declares one.
    Name { operand: Operand, kind: Option<Type> },
    /// A value; of a list, the type of its elements.
    Value { literal: Literal, kind: Type },
    /// A list, its values not yet typed.
    List(Vec<(Side, TextRange)>),
    /// A word that only its other side can explain.
    Bare(String),
}

impl<'s> Walk<'_, 's> {
    pub(super) fn side(&mut self, node: &Node<'s>) -> Option<Side> {
        let part = node.children().next()?;
        match part.rule() {
            Rule::list => self.list(&part),
            Rule::string => {
                let literal = Literal::String(self.faults.string(&part)?);
                Some(Side::Value { literal, kind: Type::Value(ValueType::String) })
            }
            Rule::money => {
                let at = self.faults.range(&part);
                let money = self.faults.money(&part)?;
                self.one_currency(money.currency, &at);
                Some(Side::Value { literal: Literal::Money(money.micros), kind: Type::Money })
            }
            _ => self.word(node, &part),
        }
    }

    fn word(&mut self, node: &Node<'s>, atom: &Node<'s>) -> Option<Side> {
        let (text, at) = (atom.text(), self.faults.range(atom));
        let name = |operand, kind| Some(Side::Name { operand, kind: Some(kind) });
        match text {
            "true" | "false" => {
                let kind = Type::Value(ValueType::Boolean);
                return Some(Side::Value { literal: Literal::Boolean(text == "true"), kind });
            }
            "priority" => return name(Operand::Priority, Type::Priority),
            "category" => return name(Operand::Category, Type::Value(ValueType::String)),
            "elapsed" => return name(Operand::Elapsed, Type::Value(ValueType::Duration)),
            "sends" => return name(Operand::Sends, Type::Value(ValueType::Number)),
            "cost" => return name(Operand::Cost, Type::Money),
            _ => {}
        }
        if let Some(var) = text.strip_prefix("vars.") {
            return self.var(var, &at);
        }
        if let Some(field) = text.strip_prefix("contact.") {
            return self.contact(field, &at);
        }
        if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            return Some(Side::Bare(text.to_owned()));
        }
        self.digits(node, text, at)
    }

    fn digits(&mut self, node: &Node<'s>, text: &str, at: TextRange) -> Option<Side> {
        let value = |literal, kind| Some(Side::Value { literal, kind: Type::Value(kind) });
        if node.child(Rule::unit).is_some() {
            let what = super::value::What("is", "write for example `30s`");
            return value(
                Literal::Duration(self.faults.duration(node, Some(*node), what)?),
                ValueType::Duration,
            );
        }
        if text.contains(':') {
            return value(Literal::Time(self.faults.time_of(text, at)?), ValueType::Time);
        }
        let digits = text.trim_start_matches('-');
        let decimal =
            digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') && digits.matches('.').count() <= 1;
        if !decimal {
            return value(Literal::Duration(self.faults.span_of(text, at)?), ValueType::Duration);
        }
        match text.parse::<f64>().ok().filter(|n| n.is_finite()) {
            Some(number) => value(Literal::Number(number), ValueType::Number),
            None => {
                self.faults.tell(
                    "bad-number",
                    at,
                    format!("{} is too large a number", quoted(text)),
                    "write a smaller one",
                );
                None
            }
        }
    }

    fn var(&mut self, name: &str, at: &TextRange) -> Option<Side> {
        if !self.is_name(name, "var", at) {
            return None;
        }
        let declared = self.vars.as_ref().and_then(|v| v.get(name)).or_else(|| self.used_vars.get(name));
        let operand = Operand::Var(name.to_owned());
        if let Some(declared) = declared {
            return Some(Side::Name { operand, kind: Some(Type::Value(declared.kind)) });
        }
        if let Some(vars) = &self.vars {
            let declared = || vars.keys().map(String::as_str);
            // `vars.country` where `countries` is declared: either may be the slip.
            let other_number = in_other_number(name, declared());
            let meant = other_number.or_else(|| near(name, declared())).map(|meant| format!("vars.{meant}"));
            let message = format!("unknown var `vars.{name}`{}", did_you_mean(meant.as_deref()));
            let help = match (&meant, other_number) {
                (Some(meant), Some(_)) => format!("write `{meant}`, or `{name}` in the header `vars`"),
                (Some(meant), None) => format!("write `{meant}`, or declare `{name}` in the header `vars`"),
                (None, _) => format!("declare it in the header: `vars {{ {name}: string }}`"),
            };
            let meant = meant.filter(|_| other_number.is_none());
            let fix = meant.map(|m| replace(at.clone(), &m)).unwrap_or_default();
            self.faults.tell_fix("unknown-var", at.clone(), message, help, fix);
            return None;
        }
        let kind = self.inferred.get(&key(&operand)).map(|k| Type::Value(*k));
        Some(Side::Name { operand, kind })
    }

    fn contact(&mut self, name: &str, at: &TextRange) -> Option<Side> {
        if let Ok(field) = name.parse::<ContactField>() {
            let kind = Some(Type::Value(ValueType::String));
            return Some(Side::Name { operand: Operand::Contact(field), kind });
        }
        let meant = near(name, ContactField::WORDS.iter().copied())
            .filter(|m| m.chars().next() == name.to_lowercase().chars().next());
        if let Some(meant) = meant {
            let message = format!("unknown field `contact.{name}`; did you mean `contact.{meant}`?");
            self.faults.tell_replace(
                "unknown-contact-field",
                at.clone(),
                message,
                &format!("contact.{meant}"),
            );
            return None;
        }
        if !self.is_name(name, "contact", at) {
            return None;
        }
        let operand = Operand::Attribute(name.to_owned());
        let kind = self.inferred.get(&key(&operand)).map(|k| Type::Value(*k));
        Some(Side::Name { operand, kind })
    }

    fn is_name(&mut self, name: &str, of: &str, at: &TextRange) -> bool {
        match bad_name(name).filter(|h| !h.starts_with("it is a word")) {
            None => true,
            Some(help) => {
                let owner = if of == "var" { "vars" } else { "contact" };
                let message = format!("{} is no name in `{owner}`", quoted(name));
                let joined = name.replace(['-', ' '], "_");
                if of == "var" && self.vars.as_ref().is_some_and(|vars| vars.contains_key(&joined)) {
                    self.faults.tell_replace("bad-name", at.clone(), message, &format!("vars.{joined}"));
                    return false;
                }
                self.faults.tell("bad-name", at.clone(), message, help);
                false
            }
        }
    }

    fn list(&mut self, node: &Node<'s>) -> Option<Side> {
        let at = self.faults.range(node);
        let (mut values, mut after_value, mut all) = (Vec::new(), false, true);
        for part in node.children() {
            let part_at = self.faults.range(&part);
            match part.rule() {
                Rule::comma => after_value = false,
                Rule::unclosed => {
                    let message = "the `[` of the list is never closed".to_owned();
                    self.faults.tell("unclosed-bracket", at.start..at.start + 1, message, "end it with `]`");
                    return None;
                }
                Rule::operand if !after_value => {
                    after_value = true;
                    if !self.count_parts(1, &part_at) {
                        return None;
                    }
                    match self.side(&part) {
                        Some(side) => values.push((side, part_at)),
                        None => all = false,
                    }
                }
                _ => {
                    let message = format!("{} does not belong into the list", self.faults.quoted(&part));
                    self.faults.tell(
                        "bad-list",
                        part_at,
                        message,
                        "write values with commas between: `[\"a\", \"b\"]`",
                    );
                    return None;
                }
            }
        }
        if values.is_empty() && all {
            self.faults.tell(
                "bad-list",
                at,
                "the list is empty".to_owned(),
                "write values with commas between: `[\"a\", \"b\"]`",
            );
            return None;
        }
        all.then_some(Side::List(values))
    }
}
