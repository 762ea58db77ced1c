//! Comparisons: what stands on their sides, and whether the types fit.

use crate::model::{Channel, ContactField, Money, Priority};

use super::super::condition::{Comparison, Expr, Literal, Op, Operand};
use super::super::policy::{TextRange, ValueType};
use super::super::words::{listed, near, quoted};
use super::condition::{About, WORDS};
use super::strategy::Walk;
use super::unit::bad_name;
use super::value::{did_you_mean, replace};
use super::{Node, Rule, child};

/// The types of a comparison's sides: those of values, and two that only words of the language have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Value(ValueType),
    Priority,
    Money,
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Type::Value(ValueType::String) => "a text",
            Type::Value(ValueType::Number) => "a number",
            Type::Value(ValueType::Boolean) => "true or false",
            Type::Value(ValueType::Duration) => "a duration",
            Type::Value(ValueType::Time) => "a time of day",
            Type::Value(ValueType::List) => "a list",
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

/// One side, as far as it is known by itself.
enum Side {
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
    pub(super) fn comparison(&mut self, node: &Node<'s>, about: About) -> Option<Expr> {
        let parts: Vec<Node<'s>> = node.clone().into_inner().collect();
        let at = self.faults.range(node);
        let text = self.faults.scan.folded(self.faults.source, &at);
        let (left, op, right) = match &parts[..] {
            [left] => return self.alone(left, text, about),
            [left, op, right] => (left, op, right),
            [_, op] => {
                let message = format!("there is nothing after {}", self.faults.quoted(op));
                self.faults.tell(
                    "missing-value",
                    self.faults.range(op),
                    message,
                    "write the value to compare with",
                );
                return None;
            }
            _ => {
                let message = format!("{} compares more than two values", quoted(&text));
                self.faults.tell(
                    "bad-comparison",
                    at,
                    message,
                    "compare two at a time, and join the comparisons by `and`",
                );
                return None;
            }
        };
        let left_at = self.faults.range(left);
        let right_at = self.faults.range(right);
        let op_at = self.faults.range(op);
        let op = self.op(op, &left_at)?;
        if self.faults.text(&left_at) == "contact" {
            return self.has_address(op, &op_at, &right_at);
        }
        // Both sides are read, so that the faults of both are told.
        let (left, right) = (self.side(left), self.side(right));
        let (left, right) = (left?, right?);
        if let Side::Bare(word) = &left {
            self.bare_left(word, &left_at, about);
            return None;
        }
        let (left, right) = self.typed(op, (left, &left_at), (right, &right_at))?;
        Some(Expr::Compare(Comparison { left, op, right, text }))
    }

    /// A side without a comparison: a word, or a boolean.
    fn alone(&mut self, node: &Node<'s>, text: String, about: About) -> Option<Expr> {
        let at = self.faults.range(node);
        let side = self.side(node)?;
        let yes = Operand::Literal(Literal::Boolean(true));
        let boolean = Type::Value(ValueType::Boolean);
        match side {
            Side::Bare(word) => self.lone_word(&at, &word, about),
            Side::Name { operand, kind: None } => {
                self.infer(&operand, boolean, &at)?;
                Some(Expr::Compare(Comparison { left: operand, op: Op::Is, right: yes, text }))
            }
            Side::Name { operand, kind: Some(kind) } if kind == boolean => {
                Some(Expr::Compare(Comparison { left: operand, op: Op::Is, right: yes, text }))
            }
            Side::Value { literal: literal @ Literal::Boolean(_), .. } => Some(Expr::Compare(Comparison {
                left: Operand::Literal(literal),
                op: Op::Is,
                right: yes,
                text,
            })),
            Side::Name { kind: Some(kind), .. } | Side::Value { kind, .. } => {
                let message = format!("{} alone is no condition: it is {}", quoted(&text), kind.name());
                self.faults.tell(
                    "bad-comparison",
                    at,
                    message,
                    "compare it: `is`, `is not`, `<`, `<=`, `>`, `>=`, `in` or `has`",
                );
                None
            }
            Side::List(_) => {
                let message = format!("{} alone is no condition: it is a list", quoted(&text));
                self.faults.tell("bad-comparison", at, message, "write `NAME in [ … ]`");
                None
            }
        }
    }

    fn op(&mut self, node: &Node<'s>, left: &TextRange) -> Option<Op> {
        let at = self.faults.range(node);
        let text = self.faults.scan.folded(self.faults.source, &at);
        let (op, written) = match text.as_str() {
            "==" | "is" => (Op::Is, None),
            "!=" | "is not" => (Op::IsNot, None),
            "<" => (Op::Less, None),
            "<=" => (Op::AtMost, None),
            ">" => (Op::More, None),
            ">=" => (Op::AtLeast, None),
            "in" => (Op::In, None),
            "has" => (Op::Has, None),
            "=" | "equals" => (Op::Is, Some("is")),
            "<>" => (Op::IsNot, Some("is not")),
            "=<" => (Op::AtMost, Some("<=")),
            "=>" => (Op::AtLeast, Some(">=")),
            "contains" => (Op::Has, Some("has")),
            _ => {
                let name = self.faults.text(left);
                let message = format!("{} is no comparison", quoted(&text));
                self.faults.tell("bad-comparison", at, message, format!("write `not {name} in [ … ]`"));
                return None;
            }
        };
        if let Some(written) = written {
            self.faults.tell_replace(
                "bad-comparison",
                at,
                format!("{} is no comparison", quoted(&text)),
                written,
            );
            return None;
        }
        Some(op)
    }

    fn has_address(&mut self, op: Op, op_at: &TextRange, right: &TextRange) -> Option<Expr> {
        if op != Op::Has {
            let message = "`contact` alone is no value".to_owned();
            self.faults.tell(
                "bad-comparison",
                op_at.clone(),
                message,
                "write `contact has whatsapp`, or a name like `contact.country`",
            );
            return None;
        }
        let word = self.faults.text(right);
        if let Ok(channel) = word.parse() {
            return Some(Expr::HasAddress(channel));
        }
        let plain = word.trim_matches('"');
        let meant = super::super::words::synonym(plain)
            .or_else(|| near(plain, Channel::WORDS.iter().copied()))
            .filter(|m| m.parse::<Channel>().is_ok());
        let message = format!("unknown channel {}{}", quoted(word), did_you_mean(meant));
        match meant {
            Some(meant) => self.faults.tell_replace("unknown-channel", right.clone(), message, meant),
            None => {
                let help = format!("the channels are {}", listed(Channel::WORDS.iter().copied(), "and"));
                self.faults.tell("unknown-channel", right.clone(), message, help);
            }
        }
        None
    }

    fn bare_left(&mut self, word: &str, at: &TextRange, about: About) {
        if WORDS.iter().any(|(w, _)| *w == word) {
            let message = format!("`{word}` is compared with nothing, it stands alone");
            self.faults.tell(
                "bad-comparison",
                at.clone(),
                message,
                format!("write `{word}` or `not {word}`"),
            );
        } else if let Some(meant) = near(word, ["priority", "category", "elapsed", "sends", "cost"]) {
            let message = format!("unknown name {}; did you mean `{meant}`?", quoted(word));
            self.faults.tell_replace("unknown-condition", at.clone(), message, meant);
        } else if self.vars.as_ref().is_some_and(|v| v.contains_key(word)) {
            let message = format!("unknown name {}; did you mean `vars.{word}`?", quoted(word));
            self.faults.tell_replace("unknown-condition", at.clone(), message, &format!("vars.{word}"));
        } else {
            self.lone_word(at, word, about);
        }
    }

    fn side(&mut self, node: &Node<'s>) -> Option<Side> {
        let part = node.clone().into_inner().next()?;
        match part.as_rule() {
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
        let (text, at) = (atom.as_str(), self.faults.range(atom));
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
        if child(node, Rule::unit).is_some() {
            let what = super::value::What("is", "write for example `30s`");
            return value(
                Literal::Duration(self.faults.duration(node, Some(node.clone()), what)?),
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
            let meant = near(name, vars.keys().map(String::as_str)).map(|m| format!("vars.{m}"));
            let message = format!("unknown var `vars.{name}`{}", did_you_mean(meant.as_deref()));
            let help = match &meant {
                Some(meant) => format!("write `{meant}`, or declare `{name}` in the header `vars`"),
                None => format!("declare it in the header: `vars {{ {name}: string }}`"),
            };
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
                self.faults.tell("bad-name", at.clone(), message, help);
                false
            }
        }
    }

    fn list(&mut self, node: &Node<'s>) -> Option<Side> {
        let at = self.faults.range(node);
        let (mut values, mut after_value, mut all) = (Vec::new(), false, true);
        for part in node.clone().into_inner() {
            let part_at = self.faults.range(&part);
            match part.as_rule() {
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

    /// Both sides as operands, once their types are found to fit the comparison.
    fn typed(
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
    fn infer(&mut self, operand: &Operand, kind: Type, at: &TextRange) -> Option<()> {
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

fn key(operand: &Operand) -> String {
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
