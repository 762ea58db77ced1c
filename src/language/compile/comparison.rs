//! Comparisons: two sides and what stands between them.

use crate::model::Channel;

use super::super::condition::{Comparison, Expr, Literal, Op, Operand};
use super::super::policy::{TextRange, ValueType};
use super::super::words::{near, quoted, synonym};
use super::Node;
use super::condition::{About, WORDS};
use super::operand::Side;
use super::strategy::Walk;
use super::types::Type;
use super::value::did_you_mean;

impl<'s> Walk<'_, 's> {
    pub(super) fn comparison(&mut self, node: &Node<'s>, about: About) -> Option<Expr> {
        let parts: Vec<Node<'s>> = node.children().collect();
        let at = self.faults.range(node);
        let text = self.faults.scan.folded(self.faults.source, &at);
        let (left, op, right) = match &parts[..] {
            [left] => return self.alone(left, text, about),
            [left, op, right] => (left, op, right),
            [left, op] => {
                let message = format!("there is nothing after {}", self.faults.quoted(op));
                self.faults.tell(
                    "missing-value",
                    self.faults.range(op),
                    message,
                    format!("write the value to compare with, or leave {} out", self.faults.quoted(left)),
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
                    "compare it with something, for example by `is`, `>` or `in`",
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
        let meant = synonym(plain)
            .or_else(|| near(plain, Channel::WORDS.iter().copied()))
            .filter(|m| m.parse::<Channel>().is_ok());
        let message = format!("unknown channel {}{}", quoted(word), did_you_mean(meant));
        match meant {
            Some(meant) => self.faults.tell_replace("unknown-channel", right.clone(), message, meant),
            None => {
                let help = "write a channel, such as `sms`, `email` or `push`";
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
            let meant = quoted(&format!("vars.{word}"));
            let message = format!("unknown name {}; did you mean {meant}?", quoted(word));
            self.faults.tell_replace("unknown-condition", at.clone(), message, &format!("vars.{word}"));
        } else {
            self.lone_word(at, word, about);
        }
    }
}
