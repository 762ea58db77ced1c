//! Stages: an action and its modifiers.

use std::ops::Range;

use super::outline::{Action, Modifier, StageNode};
use super::reader::{Place, Reader};
use super::token::{Kind, Token};
use super::{Expect, For, Role, Takes};
use crate::model::{Channel, Confirmation};

const TO_WORDS: [&str; 3] = ["to", "and", "till"];
const UNITS: [&str; 25] = [
    "milliseconds",
    "millisecond",
    "millis",
    "seconds",
    "second",
    "secs",
    "sec",
    "minutes",
    "minute",
    "mins",
    "min",
    "hours",
    "hour",
    "hrs",
    "hr",
    "days",
    "day",
    "weeks",
    "week",
    "ms",
    "s",
    "m",
    "h",
    "d",
    "w",
];

impl<'s> Reader<'s> {
    /// One stage; takes one word at least.
    pub(super) fn stage(&mut self) -> StageNode {
        let start = self.start();
        let (action, word, members) = self.action();
        let mut stage = StageNode { action, at: self.since(start), word, modifiers: Vec::new(), members };
        let takes = match action {
            Action::Channel | Action::Missing => Takes::All,
            Action::AnyOf | Action::AllOf | Action::Use => Takes::Start,
            Action::Wait => Takes::Nothing,
        };
        let channel = if action == Action::Channel {
            self.source[stage.word.clone()].to_owned()
        } else {
            String::new()
        };
        loop {
            let used = stage.modifiers.iter().map(|(modifier, _)| *modifier).collect();
            self.may(Expect::Modifier { takes, used });
            let begin = self.start();
            let Some(modifier) = self.next_modifier() else { break };
            self.takes = takes;
            self.modifier(modifier, &channel);
            stage.modifiers.push((modifier, self.since(begin)));
        }
        stage.at = self.since(start);
        stage
    }

    fn next_modifier(&self) -> Option<Modifier> {
        match self.word() {
            "on" if self.second_word() == "doubt" || self.second().is_none() => Some(Modifier::OnDoubt),
            word => Modifier::begun_by(word),
        }
    }

    fn action(&mut self) -> (Action, Range<usize>, Vec<Vec<StageNode>>) {
        let start = self.start();
        let word = self.word();
        if self.next_modifier().is_some() {
            return (Action::Missing, start..start, Vec::new());
        }
        match word {
            "wait" => {
                self.take(Role::Keyword);
                let word = self.since(start);
                self.wait();
                (Action::Wait, word, Vec::new())
            }
            "use" => {
                self.take(Role::Keyword);
                self.must(Expect::PolicyReference);
                if self.argument()
                    && let Some(at) = self.take(Role::PolicyUse)
                {
                    self.policy.uses.push(at);
                }
                (Action::Use, self.since(start), Vec::new())
            }
            "any" | "all" if matches!(self.second_text(), "of" | "(" | "") => {
                let action = if word == "any" { Action::AnyOf } else { Action::AllOf };
                self.take(Role::Keyword);
                if self.sign() != "(" {
                    self.must(Expect::Of);
                    self.keyword("of");
                }
                let word = self.since(start);
                self.must(Expect::OpenParen);
                (action, word, self.members())
            }
            _ => {
                let role = if word.parse::<Channel>().is_ok() { Role::Channel } else { Role::Unknown };
                let at = self.take(role).unwrap_or(start..start);
                (Action::Channel, at, Vec::new())
            }
        }
    }

    fn members(&mut self) -> Vec<Vec<StageNode>> {
        let mut members = Vec::new();
        if !self.eat_sign("(") {
            return members;
        }
        self.nested(|reader| {
            loop {
                members.push(reader.strategy(Place::Member));
                if !reader.eat_sign(",") {
                    break;
                }
            }
        });
        self.settle();
        self.eat_sign(")");
        members
    }

    fn wait(&mut self) {
        self.may(Expect::WaitUntil);
        self.must(Expect::Amount(For::Wait));
        self.keyword("for");
        if self.keyword("until") {
            self.must(Expect::ClockTime);
            self.clock_time();
            self.days_and_zone();
        } else {
            self.amount(For::Wait);
        }
    }

    // ------------------------------------------------------------------------ modifiers

    fn modifier(&mut self, modifier: Modifier, channel: &str) {
        self.take(Role::Keyword);
        match modifier {
            Modifier::After => self.amount(For::After),
            Modifier::Unless | Modifier::If => self.condition(),
            Modifier::Via => self.route(channel),
            Modifier::Until => {
                self.must(Expect::Goal { channel: channel.to_owned() });
                if self.argument() {
                    let known = self.word().parse::<Confirmation>().is_ok();
                    self.take(if known { Role::Goal } else { Role::Unknown });
                }
            }
            Modifier::Retry => self.times(For::Retry),
            Modifier::Repeat => self.times(For::Repeat),
            Modifier::Between => self.window("and"),
            Modifier::Valid => {
                self.keyword("for");
                self.amount(For::Valid);
            }
            Modifier::OnDoubt => {
                self.must(Expect::Doubt);
                self.keyword("doubt");
                self.must(Expect::DoubtChoice);
                if self.keyword("move") {
                    self.keyword("on");
                } else if self.argument() {
                    let known = matches!(self.word(), "wait" | "resend");
                    self.take(if known { Role::Keyword } else { Role::Unknown });
                }
            }
        }
    }

    fn route(&mut self, channel: &str) {
        let (mut used, mut shares): (Vec<String>, bool) = (Vec::new(), false);
        loop {
            self.must(Expect::Provider { channel: channel.to_owned(), used: used.clone() });
            if self.second_text() == "%" {
                shares = true;
                self.take(Role::Number);
                self.take(Role::Operator);
                self.must(Expect::Provider { channel: channel.to_owned(), used: used.clone() });
            }
            if !self.argument() {
                return;
            }
            used.push(self.word().to_owned());
            self.take(Role::Provider);
            self.may(Expect::ViaJoiner { shares });
            let comma = self.sign() == "," && self.share_follows();
            if matches!(self.word(), "or" | "and") {
                self.take(Role::WordOperator);
            } else if comma {
                self.take(Role::Sign);
            } else {
                return;
            }
        }
    }

    /// `, 30%`: not the end of a member of a group.
    fn share_follows(&self) -> bool {
        self.second().is_some_and(|token| {
            self.source[token.at.clone()].bytes().all(|b| b.is_ascii_digit() || b == b'.')
                && self.source[token.at.end..].trim_start().starts_with('%')
        })
    }

    fn times(&mut self, what: For) {
        self.must(Expect::Count(what));
        let is_count = !matches!(self.word(), "times" | "time" | "every" | "backoff");
        if self.argument() && is_count {
            self.take(Role::Number);
        }
        self.must(Expect::Times);
        if matches!(self.word(), "times" | "time") {
            self.take(Role::Keyword);
        }
        self.must(Expect::Pace(what));
        if self.keyword("every") {
            self.amount(For::Every);
        } else if self.keyword("backoff") {
            self.keyword("from");
            self.amount(For::Backoff);
            self.must(Expect::BackoffTo);
            if TO_WORDS.contains(&self.word()) {
                self.take(Role::Keyword);
                self.amount(For::Backoff);
            }
        }
    }

    // -------------------------------------------------------------------------- values

    /// A duration, `30s` or `30 seconds`.
    pub(super) fn amount(&mut self, what: For) {
        self.must(Expect::Amount(what));
        if !self.argument() || self.section() {
            return;
        }
        let is_number = self.word().starts_with(|c: char| c.is_ascii_digit() || c == '-');
        self.take(if is_number { Role::Duration } else { Role::Unknown });
        self.unit();
    }

    pub(super) fn unit(&mut self) -> bool {
        let found = UNITS.contains(&self.word());
        if found {
            self.take(Role::Duration);
        }
        found
    }

    /// `08:00 to 21:00 on weekdays in ZONE`.
    pub(super) fn window(&mut self, joiner: &'static str) {
        self.must(Expect::ClockTime);
        if self.clock_time() {
            self.must(Expect::WindowJoiner(joiner));
            if TO_WORDS.contains(&self.word()) {
                self.take(Role::Keyword);
                self.must(Expect::ClockTime);
                self.clock_time();
            } else if self.word().starts_with(|c: char| c.is_ascii_digit()) {
                self.clock_time();
            }
        }
        self.days_and_zone();
    }

    fn clock_time(&mut self) -> bool {
        let other = matches!(self.word(), "in" | "on" | "to" | "and");
        if !self.argument() || self.section() || other {
            return false;
        }
        let is_time = self.word().starts_with(|c: char| c.is_ascii_digit());
        self.take(if is_time { Role::Time } else { Role::Unknown });
        true
    }

    fn days_and_zone(&mut self) {
        let (mut days, mut zone) = (false, false);
        loop {
            if !days {
                self.may(Expect::OnDays);
            }
            if !zone {
                // A window without its zone is not whole.
                self.must(Expect::InZone);
            }
            if self.word() == "on" && self.second_word() != "doubt" {
                self.take(Role::Keyword);
                self.days();
                days = true;
            } else if self.keyword("in") {
                self.zone();
                zone = true;
            } else {
                return;
            }
        }
    }

    fn days(&mut self) {
        self.must(Expect::Day);
        loop {
            if !self.argument() || self.word() == "in" {
                return;
            }
            let known = is_day(self.word());
            self.take(if known { Role::Day } else { Role::Unknown });
            self.may(Expect::Comma);
            if !is_day(self.second_word()) {
                return;
            }
            if self.sign() == "," {
                self.take(Role::Sign);
            } else if matches!(self.word(), "and" | "or") {
                self.take(Role::WordOperator);
            } else {
                return;
            }
        }
    }

    fn zone(&mut self) {
        self.must(Expect::Zone { fallback: false });
        self.one_zone();
        self.may(Expect::ElseZone);
        if self.keyword("else") {
            self.must(Expect::Zone { fallback: true });
            self.one_zone();
        }
    }

    fn one_zone(&mut self) {
        if self.argument() && !self.section() && !matches!(self.word(), "else" | "on") {
            self.take(Role::Zone);
        }
    }

    pub(super) fn text_follows(&self) -> bool {
        matches!(self.peek(), Some(Token { kind: Kind::Text { .. }, .. }))
    }
}

fn is_day(word: &str) -> bool {
    let word = word.to_lowercase();
    ["mon", "tue", "wed", "thu", "fri", "sat", "sun", "weekday", "weekend"]
        .iter()
        .any(|day| word.starts_with(day))
}
