//! `via`, `retry` and `repeat`.

use crate::model::Span;

use super::super::limits;
use super::super::policy::{Repeat, Retry, Route};
use super::super::words::quoted;
use super::value::What;
use super::{Faults, Node, Rule};

impl Faults<'_> {
    pub(super) fn route(&mut self, node: &Node<'_>) -> Option<Route> {
        let at = self.range(node);
        let help = "write `via a`, `via a or b`, or `via 70% a, 30% b`";
        let (mut names, mut shares, mut joints) = (Vec::new(), Vec::new(), Vec::new());
        let before = self.count();
        for part in node.children() {
            if part.rule() == Rule::via_sep {
                joints.push(part);
                continue;
            }
            let share = part.child(Rule::share).and_then(|s| s.child(Rule::number));
            shares.push(share.and_then(|s| self.share(&s)));
            match part.child(Rule::provider) {
                Some(provider) => {
                    let at = self.range(&provider);
                    let name = self.text(&at);
                    if ["or", "and"].contains(&name) {
                        let message = format!("the provider between two `{name}` is missing");
                        let help = format!("write its name there, or `{name}` once");
                        self.tell("bad-route", at, message, &help);
                    } else if !is_provider_name(name) {
                        let message = format!("{} is no name for a provider", quoted(name));
                        self.tell(
                            "bad-name",
                            at,
                            message,
                            "a name has small letters, digits, `_` and `-`, 64 at most",
                        );
                    } else if names.contains(&name.to_owned()) {
                        let message = format!("provider `{name}` stands twice in one `via`");
                        let help = "leave one of them out, or write the other provider that is meant";
                        self.tell("provider-twice", at, message, help);
                    }
                    names.push(name.to_owned());
                }
                None => {
                    let message = "the provider after the share is missing".to_owned();
                    self.tell("bad-route", self.range(&part), message, help);
                }
            }
        }
        if self.count() > before {
            return None;
        }
        if names.is_empty() || joints.len() >= names.len() {
            self.tell("bad-route", at, "a provider of `via` is missing".to_owned(), help);
            return None;
        }
        if names.len() > limits::ROUTE_PROVIDERS_MAX {
            let message = format!("`via` names more than {} providers", limits::ROUTE_PROVIDERS_MAX);
            self.tell("too-many-providers", at, message, "leave some out");
            return None;
        }
        let weighted = shares.iter().any(Option::is_some);
        if weighted && shares.iter().any(Option::is_none) {
            let message = "some providers of `via` have a share and some have none".to_owned();
            self.tell("bad-shares", at, message, help);
            return None;
        }
        let wanted = if weighted { "," } else { "or" };
        for joint in &joints {
            let joint_at = self.range(joint);
            if self.text(&joint_at) != wanted {
                let kind = if weighted { "providers with shares" } else { "providers" };
                let message = format!("{kind} are joined by `{wanted}`, not by {}", self.quoted(joint));
                self.tell_replace("bad-route", joint_at, message, wanted);
                return None;
            }
        }
        if !weighted {
            return Some(Route::Failover(names));
        }
        let shares: Vec<u8> = shares.into_iter().flatten().collect();
        let sum: u32 = shares.iter().map(|s| u32::from(*s)).sum();
        if sum != 100 {
            let message = format!("the shares of `via` make {sum}%, not 100%");
            // Of two shares either may be what is meant.
            let help = match (shares.as_slice(), names.as_slice()) {
                ([one, other], [first, second]) if *one < 100 && *other < 100 => format!(
                    "write `{}% {first}, {other}% {second}` or `{one}% {first}, {}% {second}`",
                    100 - other,
                    100 - one
                ),
                _ => "change them so that they make 100".to_owned(),
            };
            self.tell("bad-shares", at, message, &help);
            return None;
        }
        Some(Route::Weighted(shares.into_iter().zip(names).collect()))
    }

    fn share(&mut self, number: &Node<'_>) -> Option<u8> {
        let share = number.text().parse::<u8>().ok().filter(|n| (1..=100).contains(n));
        if share.is_none() {
            let message = format!("{} is no share", quoted(&format!("{}%", number.text())));
            self.tell("bad-shares", self.range(number), message, "write a whole number from 1 to 100");
        }
        share
    }

    pub(super) fn retry(&mut self, node: &Node<'_>) -> Option<Retry> {
        let help = "write for example `retry 3 times every 1m` or `retry 3 times backoff 1s to 30s`";
        let times = self.times(node, "retry", (0, limits::RETRY_TIMES_MAX), help)?;
        if let Some(every) = node.child(Rule::every) {
            let pause = self.lasting(&every, every.child(Rule::amount), What("every", help))?;
            return Some(Retry { times, from: pause, to: pause });
        }
        let Some(backoff) = node.child(Rule::backoff) else {
            if times == 0 {
                return Some(Retry { times, ..Retry::DEFAULT });
            }
            let message = "`retry` does not say how long it pauses".to_owned();
            let help = format!("write for example `retry {times} times every 1m`");
            self.tell("bad-retry", self.range(node), message, help);
            return None;
        };
        let (from, to) = self.backoff(&backoff, help)?;
        Some(Retry { times, from, to })
    }

    fn backoff(&mut self, node: &Node<'_>, help: &'static str) -> Option<(Span, Span)> {
        let at = self.range(node);
        if let Some(word) = node.child(Rule::from_word) {
            let message = "`backoff` stands before its durations without `from`".to_owned();
            self.tell("bad-retry", self.range(&word), message, help);
            return None;
        }
        let amounts: Vec<_> = node.children().filter(|n| n.rule() == Rule::amount).collect();
        let joined = node.child(Rule::to_word).map(|w| self.range(&w)).map(|r| self.text(&r) == "to");
        if amounts.len() != 2 || joined != Some(true) {
            let message = "`backoff` takes two durations, joined by `to`".to_owned();
            self.tell("bad-retry", at, message, help);
            return None;
        }
        let mut spans = amounts.into_iter().map(|a| self.lasting(node, Some(a), What("backoff", help)));
        let (from, to) = (spans.next().flatten(), spans.next().flatten());
        let (from, to) = (from?, to?);
        if from > to {
            let message = format!("`backoff` goes from `{from}` down to `{to}`");
            self.tell("bad-retry", at, message, "the first pause is the shorter one");
            return None;
        }
        Some((from, to))
    }

    pub(super) fn repeat(&mut self, node: &Node<'_>) -> Option<Repeat> {
        let help = "write for example `repeat 2 times every 5m`";
        let times = self.times(node, "repeat", (1, limits::REPEAT_TIMES_MAX), help)?;
        let Some(every) = node.child(Rule::every) else {
            let message = "`repeat` does not say how long it pauses".to_owned();
            let help = format!("write for example `repeat {times} times every 5m`");
            self.tell("bad-repeat", self.range(node), message, help);
            return None;
        };
        let every = self.lasting(&every, every.child(Rule::amount), What("every", help))?;
        Some(Repeat { times, every })
    }

    fn times(&mut self, node: &Node<'_>, word: &str, range: (u32, u32), help: &str) -> Option<u32> {
        let at = self.range(node);
        let rule = if word == "retry" { "bad-retry" } else { "bad-repeat" };
        let Some(count) = node.child(Rule::count) else {
            self.tell(rule, at, format!("`{word}` does not say how often"), help);
            return None;
        };
        let times = self.count_of(&count, word, range)?;
        let times_word = node.child(Rule::times_word).map(|w| self.range(&w));
        match times_word.map(|r| self.text(&r)) {
            Some("times") => Some(times),
            Some(_) if times == 1 => Some(times),
            _ => {
                self.tell(rule, at, format!("there is no `times` after `{word} {times}`"), help);
                None
            }
        }
    }
}

fn is_provider_name(name: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
    name.len() <= limits::NAME_CHARS_MAX
        && name.bytes().all(word)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}
