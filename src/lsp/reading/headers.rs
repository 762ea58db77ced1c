//! What stands before the strategy.

use super::condition::is_currency;
use super::outline::{Header, VarNode};
use super::reader::Reader;
use super::{Expect, For, Role, Takes};

const SENDS: [&str; 5] = ["sends", "send", "messages", "message", "attempts"];

impl Reader<'_> {
    /// Reads a header, where one begins.
    pub(super) fn header(&mut self) -> bool {
        let found = Header::ALL.into_iter().find(|header| header.word() == self.word());
        let Some(header) = found else { return false };
        if header == Header::Vars && !matches!(self.second_text(), "{" | "") {
            return false;
        }
        let start = self.start();
        self.take(Role::Keyword);
        match header {
            Header::Category => {
                self.must(Expect::Category);
                if self.argument() && !self.section() {
                    self.take(Role::Category);
                }
            }
            Header::Expires => {
                self.must(Expect::AfterWord);
                self.keyword("after");
                self.amount(For::Expires);
            }
            Header::Quiet => {
                self.window("to");
                self.may(Expect::Unless);
                while matches!(self.word(), "unless" | "if") {
                    self.take(Role::Keyword);
                    self.takes = Takes::Start;
                    self.condition();
                }
            }
            Header::Limit => self.limit(),
            Header::Vars => self.vars(),
        }
        let at = self.since(start);
        self.policy.headers.push((header, at));
        true
    }

    fn limit(&mut self) {
        loop {
            self.must(Expect::LimitPart);
            // Between two commas nothing need stand.
            let is_there = self.limit_part();
            if is_there {
                self.may(Expect::Comma);
            }
            let goes_on = self.eat_sign(",") || is_there && self.keyword("and");
            if !goes_on {
                return;
            }
        }
    }

    fn limit_part(&mut self) -> bool {
        if matches!(self.sign(), "€" | "$" | "£") {
            self.take(Role::Money);
            self.take(Role::Money);
            return true;
        }
        let numeric = self.word().starts_with(|c: char| c.is_ascii_digit() || c == '-');
        if !numeric && !SENDS.contains(&self.second_word()) || self.word().is_empty() {
            return false;
        }
        if is_currency(self.second_text()) {
            self.take(Role::Money);
            self.take(Role::Money);
            return true;
        }
        self.take(if numeric { Role::Number } else { Role::Unknown });
        self.must(Expect::LimitSends);
        if SENDS.contains(&self.word()) {
            self.take(Role::Keyword);
        }
        true
    }

    fn vars(&mut self) {
        self.must(Expect::OpenBrace);
        if !self.eat_sign("{") {
            return;
        }
        while !self.at_end() {
            if self.eat_sign("}") {
                return;
            }
            if !self.eat_sign(",") && !self.var() {
                self.take(Role::Unknown);
            }
        }
        self.must(Expect::VarName);
    }

    fn var(&mut self) -> bool {
        if self.word().is_empty() || self.word().starts_with('-') {
            return false;
        }
        let start = self.start();
        let Some(name) = self.take_plain(Role::Var) else { return false };
        self.must(Expect::Colon);
        if self.eat_sign(":") {
            self.must(Expect::VarType);
            self.plain_word(Role::Type);
            self.may(Expect::OptionalWord);
            while self.plain_word(Role::Keyword) {}
            self.may(Expect::Comma);
            self.may(Expect::CloseBrace);
            self.settle();
        }
        let at = self.since(start);
        self.policy.vars.push(VarNode { name, at });
        true
    }

    /// A word that is not the name of the next entry.
    fn plain_word(&mut self, role: Role) -> bool {
        let word = self.word();
        if word.is_empty() || word.starts_with('-') || word.contains(':') || self.second_text() == ":" {
            return false;
        }
        self.take_plain(role).is_some()
    }
}
