//! Policies, their headers, and what joins stages.

use super::{Reader, Rule, maybe};

impl Reader<'_> {
    /// `file`.
    pub(super) fn file(&mut self) {
        self.node(Rule::file, |r| {
            r.blanks();
            while r.policy() || r.piece() || r.stray(Rule::stray, "") || r.left_over() {}
            true
        });
    }

    /// `policy_start`: whether a policy begins here.
    pub(super) fn policy_start(&mut self) -> bool {
        self.word() == "policy" && self.ahead(|r| r.key("policy") && r.policy_name() && r.next_is("{"))
    }

    fn policy(&mut self) -> bool {
        self.word() == "policy"
            && self.node(Rule::policy, |r| {
                r.key("policy")
                    && r.policy_name()
                    && r.brackets("{", "}", |r| while r.piece() || r.stray(Rule::stray_inside, "}") {})
            })
    }

    fn policy_name(&mut self) -> bool {
        self.node(Rule::policy_name, |r| {
            let mut words = 0;
            while words < 3 && (r.atom() || r.string()) {
                r.blanks();
                words += 1;
            }
            true
        })
    }

    /// `piece`.
    pub(super) fn piece(&mut self) -> bool {
        !self.policy_start()
            && (self.header() || self.joiner() || self.otherwise() || self.comma() || self.stage())
    }

    fn otherwise(&mut self) -> bool {
        self.word() == "otherwise"
            && self.node(Rule::otherwise, |r| {
                r.key("otherwise") && maybe(r.key_node(Rule::fail_word, &["fail"])) && maybe(r.why())
            })
    }

    fn why(&mut self) -> bool {
        self.node(Rule::why, |r| (r.string() || !r.reserved() && r.atom()) && r.blanks())
    }

    fn joiner(&mut self) -> bool {
        if self.key_node(Rule::joiner, &["then", "else", "or", "and", "next"]) {
            return true;
        }
        let repeated = |of: u8| self.rest().bytes().take_while(|b| *b == of).count();
        let signs = match self.source.as_bytes().get(self.at..) {
            Some([b'-' | b'=', b'>', ..] | [b'|', b'|', ..] | [b'&', b'&', ..]) => 2,
            Some([sign @ (b';' | b'>'), ..]) => repeated(*sign),
            _ => return false,
        };
        self.node(Rule::joiner, |r| {
            r.at += signs;
            r.blanks()
        })
    }

    /// `stray`, `stray_inside` and `stray_member`: what begins nothing and is none of `but`.
    pub(super) fn stray(&mut self, rule: Rule, but: &str) -> bool {
        self.node(rule, |r| {
            let mut any = false;
            while r.stray_part(but) {
                any = true;
            }
            any
        })
    }

    fn stray_part(&mut self, but: &str) -> bool {
        if self.string() {
            return self.blanks();
        }
        let is_meant = |c: char| c == ',' || but.contains(c);
        !self.rest().starts_with(is_meant) && self.atom_end().is_none() && self.any()
    }

    fn left_over(&mut self) -> bool {
        self.node(Rule::left_over, Self::any)
    }

    fn header(&mut self) -> bool {
        match self.word() {
            "category" => self.node(Rule::category, |r| r.key("category") && maybe(r.value())),
            "expires" => self.node(Rule::expires, |r| {
                r.key("expires") && maybe(r.key_node(Rule::after_word, &["after"])) && maybe(r.amount())
            }),
            "quiet" => self.node(Rule::quiet, |r| {
                let is_there = r.key("quiet") && r.window();
                while is_there && (r.unless() || r.only_if()) {}
                is_there
            }),
            "limit" => self.node(Rule::limit, |r| {
                r.key("limit");
                if r.limit_part() {
                    while r.sign(",") || r.key("and") {
                        r.limit_part();
                    }
                }
                true
            }),
            "vars" => self.vars(),
            _ => false,
        }
    }

    fn value(&mut self) -> bool {
        !self.reserved()
            && !self.section()
            && self.node(Rule::value, |r| {
                let ends = |c| super::super::is_blank(c) || matches!(c, '{' | '}' | '#');
                let length = r.rest().find(ends).unwrap_or(r.rest().len());
                if length > 0 {
                    r.leaf(Rule::value_text, r.at + length);
                    r.blanks();
                }
                length > 0
            })
    }

    fn limit_part(&mut self) -> bool {
        self.node(Rule::limit_part, |r| {
            if r.money() {
                return true;
            }
            let is_number = r.next_is_digit() || r.next_is("-");
            let sends = ["sends", "send", "messages", "message", "attempts"];
            r.atom_and_blanks() && (r.key_node(Rule::sends_word, &sends) || is_number)
        })
    }

    fn vars(&mut self) -> bool {
        self.node(Rule::vars, |r| {
            r.key("vars")
                && r.brackets("{", "}", |r| {
                    while r.var_entry() || r.comma() || r.stray(Rule::stray_inside, "}") {}
                })
        })
    }

    fn var_entry(&mut self) -> bool {
        self.node(Rule::var_entry, |r| {
            if r.vars_over() || !(r.plain() && r.blanks()) {
                return false;
            }
            if r.next_is(":") {
                r.leaf(Rule::colon, r.at + 1);
                r.blanks();
            }
            while !r.vars_over() && r.all(|r| r.plain() && r.blanks() && !r.next_is(":")) {}
            true
        })
    }

    /// What is surely no var: the list before it was never closed.
    fn vars_over(&mut self) -> bool {
        let word = self.word();
        match word {
            "sms" | "whatsapp" | "email" | "push" | "voice" | "slack" | "telegram" | "webhook" => {
                self.ahead(|r| r.key(word) && r.reserved())
            }
            "any" | "all" => self.ahead(|r| r.key(word) && r.word() == "of"),
            "expires" => self.ahead(|r| r.key(word) && r.word() == "after"),
            "quiet" | "limit" => self.ahead(|r| r.key(word) && r.next_is_digit()),
            _ => false,
        }
    }
}
