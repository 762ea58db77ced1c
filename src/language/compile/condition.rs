//! Conditions: `and`, `or`, `not` and words. Comparisons stand in `comparison`.

use crate::model::{Channel, Confirmation, Currency};

use super::super::condition::{Condition, Expr, Word};
use super::super::limits;
use super::super::policy::TextRange;
use super::super::words::{near, quoted};
use super::habits;
use super::strategy::Walk;
use super::value::did_you_mean;
use super::{Node, Rule};

/// What a condition guards.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    Channel,
    Group,
    Use,
    Quiet,
}

impl About {
    pub(super) fn name(self) -> &'static str {
        match self {
            About::Channel => "a channel",
            About::Group => "a group",
            About::Use => "a `use`",
            About::Quiet => "`quiet`",
        }
    }
}

/// The words that stand for a whole condition.
pub(super) const WORDS: [(&str, Word); 7] = [
    ("quota", Word::Quota),
    ("quiet", Word::Quiet),
    ("opted_out", Word::OptedOut),
    ("tripped", Word::Tripped),
    ("read", Word::Confirmed(Confirmation::Read)),
    ("replied", Word::Confirmed(Confirmation::Replied)),
    ("delivered", Word::Confirmed(Confirmation::Delivered)),
];

impl<'s> Walk<'_, 's> {
    /// The condition behind `word`.
    pub(super) fn condition(&mut self, owner: &Node<'s>, word: &str, about: About) -> Option<Condition> {
        let Some(node) = owner.child(Rule::cond) else {
            let message = format!("the condition after `{word}` is missing");
            let help = format!("write it behind `{word}`, for example `{word} quota`, or leave `{word}` out");
            self.faults.tell("missing-condition", self.faults.range(owner), message, help);
            return None;
        };
        let at = self.faults.range(&node);
        let text = self.faults.scan.folded(self.faults.source, &at);
        let expr = self.any_of(&node, about, 0)?;
        Some(Condition { expr, text, at })
    }

    fn any_of(&mut self, node: &Node<'s>, about: About, depth: usize) -> Option<Expr> {
        let (mut parts, mut joints, mut all) = (Vec::new(), Vec::new(), true);
        for part in node.children() {
            match part.rule() {
                Rule::or_word => joints.push(part),
                _ => {
                    let expr = self.all_of(&part, about, depth);
                    all &= expr.is_some();
                    parts.extend(expr);
                }
            }
        }
        let wanted = node.children().count() - joints.len();
        self.joints(&joints, wanted, "or");
        let one = parts.len() == 1;
        if !all {
            None
        } else if one {
            parts.pop()
        } else {
            Some(Expr::Or(parts)).filter(|_| wanted > 0)
        }
    }

    fn all_of(&mut self, node: &Node<'s>, about: About, depth: usize) -> Option<Expr> {
        let (mut parts, mut joints, mut all) = (Vec::new(), Vec::new(), true);
        for part in node.children() {
            match part.rule() {
                Rule::and_word => joints.push(part),
                _ => {
                    let expr = self.negated(&part, about, depth);
                    all &= expr.is_some();
                    parts.extend(expr);
                }
            }
        }
        let wanted = node.children().count() - joints.len();
        self.joints(&joints, wanted, "and");
        let one = parts.len() == 1;
        if !all {
            None
        } else if one {
            parts.pop()
        } else {
            Some(Expr::And(parts)).filter(|_| wanted > 0)
        }
    }

    /// Looks at the `or`s or `and`s between `parts` parts.
    fn joints(&mut self, joints: &[Node<'s>], parts: usize, word: &str) {
        for joint in joints {
            let at = self.faults.range(joint);
            let text = self.faults.text(&at);
            if text != word {
                self.faults.tell_replace(
                    "bad-condition",
                    at,
                    format!("{} is not a word of conditions", quoted(text)),
                    word,
                );
            }
        }
        if joints.len() >= parts
            && let Some(last) = joints.last()
        {
            let message = format!("the condition after `{word}` is missing");
            self.faults.tell(
                "missing-condition",
                self.faults.range(last),
                message,
                "write it, or leave the word out",
            );
        }
    }

    fn negated(&mut self, node: &Node<'s>, about: About, depth: usize) -> Option<Expr> {
        let (mut negative, mut inner) = (false, None);
        for part in node.children() {
            match part.rule() {
                Rule::no => {
                    negative = !negative;
                    let at = self.faults.range(&part);
                    if self.faults.text(&at) == "!" {
                        self.faults.tell_replace(
                            "bad-condition",
                            at,
                            "`!` is not a word of conditions".to_owned(),
                            "not ",
                        );
                    }
                }
                _ => inner = Some(part),
            }
        }
        let Some(inner) = inner else {
            let message = "the condition after `not` is missing".to_owned();
            self.faults.tell(
                "missing-condition",
                self.faults.range(node),
                message,
                "write it, or leave the word out",
            );
            return None;
        };
        let expr = match inner.rule() {
            Rule::paren => self.paren(&inner, about, depth + 1)?,
            _ => {
                let at = self.faults.range(&inner);
                if !self.count_parts(1, &at) {
                    return None;
                }
                self.comparison(&inner, about)?
            }
        };
        Some(if negative { Expr::Not(Box::new(expr)) } else { expr })
    }

    fn paren(&mut self, node: &Node<'s>, about: About, depth: usize) -> Option<Expr> {
        let at = self.faults.range(node);
        let open = at.start..at.start + 1;
        if depth > limits::CONDITION_DEPTH_MAX {
            let message = format!("parentheses are nested more than {} deep", limits::CONDITION_DEPTH_MAX);
            self.over(super::strategy::Limit::Depth, open, message, "write the condition with fewer of them");
            return None;
        }
        if node.child(Rule::unclosed).is_some() {
            let message = "the `(` of the condition is never closed".to_owned();
            self.faults.tell("unclosed-bracket", open, message, "end it with `)`");
            return None;
        }
        let stray = node.child(Rule::cond_stray);
        let Some(inner) = node.child(Rule::cond) else {
            let message = match &stray {
                Some(stray) => format!("{} is no condition", self.faults.quoted(stray)),
                None => "there is nothing between the parentheses".to_owned(),
            };
            self.faults.tell("missing-condition", at, message, "write a condition, or leave them out");
            return None;
        };
        if let Some(stray) = stray {
            let message = format!("{} does not belong here", self.faults.quoted(&stray));
            self.faults.tell(
                "bad-condition",
                self.faults.range(&stray),
                message,
                "join conditions by `and` or `or`",
            );
            return None;
        }
        self.any_of(&inner, about, depth)
    }

    /// A word that stands alone, or `vars.NAME` as a boolean.
    pub(super) fn lone_word(&mut self, at: &TextRange, word: &str, about: About) -> Option<Expr> {
        if let Some((_, found)) = WORDS.iter().find(|(w, _)| *w == word) {
            let of_channel = matches!(found, Word::Quota | Word::OptedOut | Word::Tripped);
            if of_channel && about != About::Channel {
                let message =
                    format!("`{word}` is about one channel, and {} has none of its own", about.name());
                let help = match about {
                    About::Quiet => {
                        "write a condition about the message, such as `unless priority is urgent`, or leave this one out"
                    }
                    About::Use => "leave it out, or put it on the channels of the policy that is used",
                    _ => "write the condition inside the group, behind each channel that it is about",
                };
                self.faults.tell("misplaced-word", at.clone(), message, help);
                return None;
            }
            return Some(Expr::Word(*found));
        }
        let known = WORDS.iter().map(|(w, _)| *w);
        let meant = match word.replace('-', "_").as_str() {
            "seen" | "opened" => Some("read"),
            "arrived" => Some("delivered"),
            "answered" => Some("replied"),
            "unsubscribed" | "optout" | "opt_out" | "opted_out" | "abgemeldet" => Some("opted_out"),
            "subscribed" | "optin" | "opt_in" | "opted_in" => Some("not opted_out"),
            _ => habits::languages::state(word).or_else(|| near(word, known)),
        };
        let message = format!("unknown word {} in a condition{}", quoted(word), did_you_mean(meant));
        match meant {
            Some(meant) => self.faults.tell_replace("unknown-condition", at.clone(), message, meant),
            None => {
                let help = match word.parse::<Channel>() {
                    Ok(channel) => format!(
                        "write `then {channel}` for another stage, or `contact has {channel}` for a condition"
                    ),
                    Err(_) => {
                        "write a word such as `quota` or `read`, or a name such as `vars.amount`".to_owned()
                    }
                };
                self.faults.tell("unknown-condition", at.clone(), message, help);
            }
        }
        None
    }

    /// Looks whether money is in the one currency.
    pub(super) fn one_currency(&mut self, currency: Currency, at: &TextRange) {
        match self.currency {
            None => self.currency = Some(currency),
            Some(known) if known == currency => {}
            Some(known) => {
                let message = format!("`{currency}` is not the currency here, `{known}` is");
                self.faults.tell(
                    "other-currency",
                    at.clone(),
                    message,
                    format!("write the amount in `{known}`"),
                );
            }
        }
    }
}
