//! Conditions.

use super::{Reader, Rule, maybe};

impl Reader<'_> {
    /// `cond`.
    pub(super) fn cond(&mut self) -> bool {
        self.node(Rule::cond, |r| {
            let is_there = r.conj();
            while is_there && r.joint(Rule::or_word, "or", "||") {
                r.conj();
            }
            is_there
        })
    }

    fn conj(&mut self) -> bool {
        self.node(Rule::conj, |r| {
            let is_there = r.neg();
            while is_there && r.joint(Rule::and_word, "and", "&&") {
                r.neg();
            }
            is_there
        })
    }

    /// `or_word` and `and_word`.
    fn joint(&mut self, rule: Rule, word: &str, sign: &str) -> bool {
        self.node(rule, |r| r.key(word) || r.sign(sign))
    }

    fn neg(&mut self) -> bool {
        self.node(Rule::neg, |r| {
            let mut negated = false;
            while r.no() {
                negated = true;
            }
            r.paren() || r.comparison() || negated
        })
    }

    fn no(&mut self) -> bool {
        let is_sign = self.next_is("!") && !self.next_is("!=");
        (is_sign || self.word() == "not") && self.node(Rule::no, |r| r.key("not") || r.sign("!"))
    }

    fn paren(&mut self) -> bool {
        self.next_is("(")
            && self.node(Rule::paren, |r| {
                r.brackets("(", ")", |r| {
                    r.cond();
                    while r.cond_stray() {}
                })
            })
    }

    fn cond_stray(&mut self) -> bool {
        !self.ends(&[")", "}", ","])
            && self.node(Rule::cond_stray, |r| (r.string() || r.atom()) && r.blanks() || r.any())
    }

    /// Whether one of some signs stands here, or a word that is never an argument.
    fn ends(&mut self, signs: &[&str]) -> bool {
        signs.iter().any(|sign| self.next_is(sign)) || self.reserved()
    }

    fn comparison(&mut self) -> bool {
        self.node(Rule::comparison, |r| {
            let is_there = r.operand();
            while is_there && r.op() {
                r.operand();
            }
            is_there
        })
    }

    fn op(&mut self) -> bool {
        const SIGNS: [&str; 10] = ["==", "!=", "<=", ">=", "=>", "=<", "<>", "<", ">", "="];
        match self.word() {
            "is" => self.node(Rule::op, |r| r.key("is") && maybe(r.key("not"))),
            "has" | "in" | "contains" | "equals" => {
                self.node(Rule::op, |r| r.key_of(&["has", "in", "contains", "equals"]))
            }
            "not" => self.node(Rule::op, |r| r.key("not") && r.key("in")),
            "" => self.node(Rule::op, |r| SIGNS.iter().any(|sign| r.sign(sign))),
            _ => false,
        }
    }

    fn operand(&mut self) -> bool {
        self.node(Rule::operand, |r| {
            if r.list() || r.money() {
                return true;
            }
            if r.string() {
                return r.blanks();
            }
            !r.not_operand() && r.atom_and_blanks() && maybe(r.unit())
        })
    }

    fn not_operand(&mut self) -> bool {
        match self.word() {
            "and" | "or" | "not" | "is" | "has" | "in" | "expires" | "limit" => true,
            "vars" => self.ahead(|r| r.key("vars") && r.next_is("{")),
            _ => self.reserved(),
        }
    }

    fn list(&mut self) -> bool {
        self.next_is("[")
            && self.node(Rule::list, |r| {
                r.brackets("[", "]", |r| while r.operand() || r.comma() || r.list_stray() {})
            })
    }

    fn list_stray(&mut self) -> bool {
        !self.ends(&["]", ")", "}", ","]) && self.node(Rule::list_stray, |r| r.atom_and_blanks() || r.any())
    }
}
