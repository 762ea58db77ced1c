//! Conditions, behind `if` and `unless`.

use super::reader::Reader;
use super::{Expect, Role};
use crate::model::Priority;

/// The words that are a whole condition.
pub(crate) const WORDS: [&str; 7] =
    ["quota", "quiet", "opted_out", "tripped", "delivered", "read", "replied"];
/// The names that are compared.
pub(crate) const NAMES: [&str; 5] = ["priority", "category", "elapsed", "sends", "cost"];

const SIGN_OPERATORS: [&str; 10] = ["==", "!=", "<=", ">=", "=>", "=<", "<>", "<", ">", "="];

impl Reader<'_> {
    /// Comparisons joined by `and` and `or`.
    pub(super) fn condition(&mut self) {
        loop {
            self.must(Expect::Condition { negated: false, takes: self.takes });
            if !self.negation() {
                return;
            }
            self.may(Expect::ConditionJoiner);
            let sign = matches!(self.sign(), "||" | "&&");
            if matches!(self.word(), "and" | "or") {
                self.take(Role::WordOperator);
            } else if sign {
                self.take(Role::Operator);
            } else {
                return;
            }
        }
    }

    fn negation(&mut self) -> bool {
        let mut negated = false;
        while self.word() == "not" || self.sign() == "!" {
            let role = if self.sign() == "!" { Role::Operator } else { Role::WordOperator };
            self.take(role);
            self.must(Expect::Condition { negated: true, takes: self.takes });
            negated = true;
        }
        if self.sign() == "(" {
            self.parenthesis();
            return true;
        }
        self.comparison() || negated
    }

    fn parenthesis(&mut self) {
        self.eat_sign("(");
        self.nested(|reader| {
            reader.condition();
            // What fits nowhere, up to the end of the parenthesis.
            while !reader.at_end() && !matches!(reader.sign(), ")" | "}" | ",") && !reader.reserved() {
                reader.take(Role::Unknown);
            }
        });
        self.must(Expect::CloseParen);
        self.eat_sign(")");
    }

    fn comparison(&mut self) -> bool {
        let left = self.word().to_owned();
        if !self.operand("") {
            return false;
        }
        self.may(Expect::Comparator { left: left.clone() });
        loop {
            let Some(op) = self.operator() else { return true };
            self.must(Expect::Value { left: left.clone(), op: op.clone() });
            if op == "is" && self.word() == "not" {
                self.take(Role::WordOperator);
                self.must(Expect::Value { left: left.clone(), op: "is not".to_owned() });
            }
            self.operand_of(&left, &op);
        }
    }

    fn operator(&mut self) -> Option<String> {
        let sign = self.sign();
        if SIGN_OPERATORS.contains(&sign) {
            self.take(Role::Operator);
            return Some(sign.to_owned());
        }
        let word = self.word();
        if word == "not" && self.second_word() == "in" {
            self.take(Role::WordOperator);
            self.take(Role::WordOperator);
            return Some("not in".to_owned());
        }
        if matches!(word, "is" | "has" | "in" | "contains" | "equals") {
            self.take(Role::WordOperator);
            return Some(word.to_owned());
        }
        None
    }

    fn operand_of(&mut self, left: &str, op: &str) -> bool {
        if left == "contact" && op == "has" && self.word().parse::<crate::model::Channel>().is_ok() {
            self.take(Role::Channel);
            return true;
        }
        self.operand(left)
    }

    /// A value, a name or a list; `left` is what it is compared with.
    fn operand(&mut self, left: &str) -> bool {
        if self.text_follows() {
            self.take(Role::Text);
            return true;
        }
        match self.sign() {
            "[" => {
                self.list(left);
                return true;
            }
            "€" | "$" | "£" => {
                self.take(Role::Money);
                if self.word().starts_with(|c: char| c.is_ascii_digit()) {
                    self.take(Role::Money);
                }
                return true;
            }
            _ => {}
        }
        let word = self.word();
        let vars_header = word == "vars" && self.second_text() == "{";
        let other = matches!(word, "and" | "or" | "not" | "is" | "has" | "in" | "expires" | "limit");
        if !self.argument() || other || vars_header {
            return false;
        }
        self.value(word, left);
        true
    }

    fn value(&mut self, word: &str, left: &str) {
        if let Some(name) = word.strip_prefix("vars.") {
            let at = self.take_parts(&[(4, Some(Role::Owner)), (1, None), (name.len(), Some(Role::VarUse))]);
            if let Some(at) = at {
                self.policy.var_uses.push(at.start + 5..at.end);
            }
        } else if let Some(name) = word.strip_prefix("contact.") {
            self.take_parts(&[(7, Some(Role::Owner)), (1, None), (name.len(), Some(Role::Contact))]);
        } else if matches!(word, "contact" | "vars") {
            self.take(Role::Owner);
        } else if word.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            self.digits(word);
        } else {
            let role = match word {
                "true" | "false" => Role::Boolean,
                _ if left == "priority" && word.parse::<Priority>().is_ok() => Role::Priority,
                _ if left == "category" => Role::Category,
                _ if NAMES.contains(&word) => Role::Name,
                _ if left.is_empty() && WORDS.contains(&word) => Role::Word,
                _ if left.is_empty() && word.parse::<Priority>().is_ok() => Role::Priority,
                _ => Role::Unknown,
            };
            self.take(role);
        }
    }

    fn digits(&mut self, word: &str) {
        let plain = word.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
        let currency = is_currency(self.second_text());
        if plain && currency {
            self.take(Role::Money);
            self.take(Role::Money);
        } else if word.contains(':') {
            self.take(Role::Time);
        } else if plain {
            let place = self.out.marks.len();
            self.take(Role::Number);
            if self.unit()
                && let Some(mark) = self.out.marks.get_mut(place)
            {
                mark.role = Role::Duration;
            }
        } else {
            self.take(Role::Duration);
        }
    }

    fn list(&mut self, left: &str) {
        self.eat_sign("[");
        loop {
            self.must(Expect::Value { left: left.to_owned(), op: "in".to_owned() });
            if self.eat_sign("]") || self.at_end() || matches!(self.sign(), ")" | "}") || self.reserved() {
                return;
            }
            let nested = self.sign() == "[";
            if !self.eat_sign(",") && (nested || !self.operand(left)) {
                self.take(Role::Unknown);
            }
        }
    }
}

pub(super) fn is_currency(word: &str) -> bool {
    matches!(word, "€" | "$" | "£")
        || word.len() == 3 && word.bytes().all(|b| b.is_ascii_uppercase())
        || matches!(word.to_lowercase().as_str(), "euros" | "euro" | "eur" | "usd" | "gbp" | "chf")
}
