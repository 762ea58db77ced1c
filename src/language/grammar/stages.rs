//! Stages: what is done, and its modifiers.

use super::{Reader, Rule, maybe};

const TIMES: [&str; 2] = ["times", "time"];

impl Reader<'_> {
    /// `stage`.
    pub(super) fn stage(&mut self) -> bool {
        self.node(Rule::stage, |r| {
            let is_there = r.action() || r.modifier();
            while is_there && r.modifier() {}
            is_there
        })
    }

    fn action(&mut self) -> bool {
        match self.word() {
            "wait" => self.wait(),
            "use" => {
                self.node(Rule::use_policy, |r| r.key("use") && maybe(!r.reserved() && r.atom_and_blanks()))
            }
            "any" | "all" if self.group() => true,
            _ => self.free_atom(Rule::channel),
        }
    }

    fn wait(&mut self) -> bool {
        self.node(Rule::wait, |r| {
            r.key("wait")
                && maybe(r.key_node(Rule::for_word, &["for"]))
                && maybe(r.wait_until() || r.amount())
        })
    }

    fn wait_until(&mut self) -> bool {
        self.word() == "until"
            && self.node(Rule::wait_until, |r| r.key("until") && maybe(r.clock_time()) && r.days_and_zones())
    }

    fn group(&mut self) -> bool {
        const KINDS: [&str; 2] = ["any", "all"];
        self.node(Rule::group, |r| {
            let begins = r.key_node(Rule::group_kind, &KINDS);
            if !begins || !(r.key_node(Rule::of_word, &["of"]) || r.next_is("(")) {
                return false;
            }
            maybe(r.brackets("(", ")", |r| while r.piece() || r.stray(Rule::stray_member, ")}") {}))
        })
    }

    fn modifier(&mut self) -> bool {
        match self.word() {
            "after" => self.node(Rule::after, |r| r.key("after") && maybe(r.amount())),
            "unless" => self.unless(),
            "if" => self.only_if(),
            "via" => self.via(),
            "until" => self.node(Rule::until, |r| r.key("until") && maybe(r.free_atom(Rule::goal))),
            "retry" => self.node(Rule::retry, |r| r.key("retry") && r.times()),
            "repeat" => self.node(Rule::repeat, |r| r.key("repeat") && r.times()),
            "between" => self.node(Rule::between, |r| r.key("between") && r.window()),
            "valid" => self.node(Rule::valid, |r| {
                r.key("valid") && maybe(r.key_node(Rule::for_word, &["for"])) && maybe(r.amount())
            }),
            "on" => self.node(Rule::on_doubt, |r| r.key("on") && r.key("doubt") && maybe(r.doubt_choice())),
            _ => false,
        }
    }

    /// `unless`.
    pub(super) fn unless(&mut self) -> bool {
        self.word() == "unless" && self.node(Rule::unless, |r| r.key("unless") && maybe(r.cond()))
    }

    /// `only_if`.
    pub(super) fn only_if(&mut self) -> bool {
        self.word() == "if" && self.node(Rule::only_if, |r| r.key("if") && maybe(r.cond()))
    }

    fn via(&mut self) -> bool {
        self.node(Rule::via, |r| {
            r.key("via");
            if r.choice() {
                while r.via_sep() {
                    r.choice();
                }
            }
            true
        })
    }

    fn choice(&mut self) -> bool {
        self.node(Rule::choice, |r| {
            if r.share() {
                return maybe(r.free_atom(Rule::provider));
            }
            r.free_atom(Rule::provider)
        })
    }

    fn share(&mut self) -> bool {
        self.next_is_digit() && self.node(Rule::share, |r| r.number() && r.blanks() && r.sign("%"))
    }

    fn via_sep(&mut self) -> bool {
        self.node(Rule::via_sep, |r| r.key_of(&["or", "and"]) || r.sign(",") && r.ahead(Self::share))
    }

    /// What stands behind `retry` and `repeat`.
    fn times(&mut self) -> bool {
        maybe(self.count())
            && maybe(self.key_node(Rule::times_word, &TIMES))
            && maybe(self.every() || self.backoff())
    }

    fn count(&mut self) -> bool {
        !matches!(self.word(), "times" | "time" | "every" | "backoff") && self.free_atom(Rule::count)
    }

    fn every(&mut self) -> bool {
        self.word() == "every" && self.node(Rule::every, |r| r.key("every") && maybe(r.amount()))
    }

    fn backoff(&mut self) -> bool {
        self.word() == "backoff"
            && self.node(Rule::backoff, |r| {
                r.key("backoff")
                    && maybe(r.key_node(Rule::from_word, &["from"]))
                    && maybe(r.amount())
                    && maybe(r.joins_two() && r.amount())
            })
    }

    /// `to_word`.
    fn joins_two(&mut self) -> bool {
        self.key_node(Rule::to_word, &["to", "and", "till"])
    }

    fn doubt_choice(&mut self) -> bool {
        match self.word() {
            "move" => self.node(Rule::doubt_choice, |r| r.key("move") && maybe(r.key("on"))),
            _ => self.free_atom(Rule::doubt_choice),
        }
    }

    /// `window`.
    pub(super) fn window(&mut self) -> bool {
        self.node(Rule::window, |r| {
            if r.clock_time() {
                match r.joins_two() {
                    true => r.clock_time(),
                    false => r.next_is_digit() && r.clock_time(),
                };
            }
            r.days_and_zones()
        })
    }

    fn clock_time(&mut self) -> bool {
        !self.section()
            && !matches!(self.word(), "in" | "on" | "to" | "and")
            && self.free_atom(Rule::clock_time)
    }

    /// `(on_days | in_zone)*`.
    fn days_and_zones(&mut self) -> bool {
        while self.on_days() || self.in_zone() {}
        true
    }

    fn on_days(&mut self) -> bool {
        self.word() == "on"
            && self.node(Rule::on_days, |r| {
                if !r.key("on") || r.word() == "doubt" {
                    return false;
                }
                r.day();
                while r.all(|r| (r.sign(",") || r.key_of(&["and", "or"])) && r.day_like() && r.day()) {}
                true
            })
    }

    fn day(&mut self) -> bool {
        self.word() != "in" && self.free_atom(Rule::day)
    }

    fn day_like(&self) -> bool {
        const BEGINNINGS: [&str; 9] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun", "weekday", "weekend"];
        let rest = self.rest().as_bytes();
        self.next_is_digit()
            || BEGINNINGS.iter().any(|day| {
                rest.get(..day.len()).is_some_and(|word| word.eq_ignore_ascii_case(day.as_bytes()))
            })
    }

    fn in_zone(&mut self) -> bool {
        self.word() == "in"
            && self.node(Rule::in_zone, |r| {
                r.key("in") && maybe(r.zone()) && maybe(r.key_node(Rule::else_word, &["else"]) && r.zone())
            })
    }

    fn zone(&mut self) -> bool {
        !self.section() && !matches!(self.word(), "else" | "on") && self.free_atom(Rule::zone)
    }
}
