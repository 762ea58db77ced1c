//! One stage: its action, and the modifiers that this action takes.

use crate::model::{Channel, Confirmation, Span, Window};

use super::super::condition::Condition;
use super::super::limits;
use super::super::policy::{
    Action, ChannelStage, GroupKind, Headers, OnDoubt, Repeat, Retry, Route, Stage, Strategy, TextRange, Wait,
};
use super::super::words::{near, quoted};
use super::condition::About;
use super::headers::type_word;
use super::strategy::{Limit, Walk};
use super::types::Type;
use super::unit::{Resolution, unknown_policy};
use super::value::{What, did_you_mean, one_of};
use super::{Node, Rule};

/// The modifiers of a stage, each at most once.
#[derive(Default)]
struct Modifiers {
    after: Option<Span>,
    only_if: Option<Condition>,
    unless: Option<Condition>,
    between: Option<Window>,
    route: Option<Route>,
    until: Option<Confirmation>,
    retry: Option<Retry>,
    repeat: Option<Repeat>,
    valid: Option<Span>,
    on_doubt: Option<OnDoubt>,
}

impl<'s> Walk<'_, 's> {
    pub(super) fn stage(&mut self, node: &Node<'s>) -> Option<Stage> {
        let at = self.faults.range(node);
        let fits = self.count_stages(1, &at);
        let mut parts = node.children();
        let action = parts.next()?;
        let modifiers: Vec<Node<'s>> = parts.collect();
        match action.rule() {
            Rule::channel => self.channel(&action, &modifiers, at),
            Rule::wait => self.wait(&action, &modifiers, at),
            Rule::group if fits => self.group(&action, &modifiers, at),
            Rule::use_policy if fits => self.use_policy(&action, &modifiers, at),
            Rule::group | Rule::use_policy => None,
            _ => {
                let text = self.faults.quoted(&action);
                let message = format!("there is no channel before {text}");
                self.faults.tell(
                    "missing-stage",
                    self.faults.range(&action),
                    message,
                    "write what is done, for example `sms`, before it",
                );
                None
            }
        }
    }

    fn channel(&mut self, action: &Node<'s>, modifiers: &[Node<'s>], at: TextRange) -> Option<Stage> {
        let channel = self.faults.text(&self.faults.range(action)).parse::<Channel>().ok();
        if channel.is_none() {
            self.unknown_channel(action);
        }
        let read = self.modifiers(modifiers, About::Channel);
        let stage = ChannelStage {
            channel: channel?,
            route: read.route.unwrap_or(Route::Default),
            until: read.until,
            retry: read.retry.unwrap_or(Retry::DEFAULT),
            repeat: read.repeat,
            valid: read.valid,
            on_doubt: read.on_doubt.unwrap_or_default(),
        };
        Some(Stage {
            action: Action::Channel(stage),
            after: read.after,
            only_if: read.only_if,
            unless: read.unless,
            between: read.between,
            at,
        })
    }

    fn wait(&mut self, action: &Node<'s>, modifiers: &[Node<'s>], at: TextRange) -> Option<Stage> {
        if let Some(first) = modifiers.first() {
            let message = format!("a `wait` takes no {}", self.faults.quoted(first));
            let help = "leave it out, or put it on the stage that it belongs to: a `wait` sends nothing";
            self.faults.tell("misplaced-modifier", self.faults.range(first), message, help);
        }
        let example = "write `wait 10m`, or `wait until 09:00 in contact.timezone`";
        if let Some(word) = action.child(Rule::for_word) {
            let message = "`wait` stands before its duration without `for`".to_owned();
            self.faults.tell("bad-wait", self.faults.range(&word), message, example);
            return None;
        }
        let wait = match action.child(Rule::wait_until) {
            Some(until) => {
                let Some(time) = until.child(Rule::clock_time) else {
                    let message = "the time after `wait until` is missing".to_owned();
                    self.faults.tell("missing-time", self.faults.range(action), message, example);
                    return None;
                };
                let time_at = self.faults.range(&time);
                let time = self.faults.time_of(self.faults.text(&time_at), time_at);
                let (days, zone) = self.faults.days_and_zone(&until, "wait until", example);
                Wait::Until { time: time?, days, zone: zone? }
            }
            None => {
                Wait::For(self.faults.lasting(action, action.child(Rule::amount), What("wait", example))?)
            }
        };
        Some(plain_stage(Action::Wait(wait), at))
    }

    fn group(&mut self, action: &Node<'s>, modifiers: &[Node<'s>], at: TextRange) -> Option<Stage> {
        let kind_at = self.faults.range(&action.child(Rule::group_kind)?);
        let kind = if self.faults.text(&kind_at) == "any" { GroupKind::Any } else { GroupKind::All };
        let word = self.faults.text(&kind_at).to_owned();
        if action.child(Rule::of_word).is_none() {
            let message = format!("there is no `of` after `{word}`");
            self.faults.tell_replace("bad-group", kind_at.clone(), message, &format!("{word} of"));
        }
        let skipped = [Rule::group_kind, Rule::of_word];
        let parts: Vec<Node<'s>> = action.children().filter(|n| !skipped.contains(&n.rule())).collect();
        let text = self.faults.text(&self.faults.range(action));
        if !text.contains('(') {
            let message = format!("the members of `{word} of` are missing");
            self.faults.tell("bad-group", kind_at, message, format!("write `{word} of (sms, email)`"));
            return None;
        }
        if parts.last().is_some_and(|n| n.rule() == Rule::unclosed) {
            let message = format!("the `(` of `{word} of` is never closed");
            self.faults.tell("unclosed-bracket", kind_at.clone(), message, "end the group with `)`");
            // What follows may belong to anything: nothing more is told about this group.
            return None;
        }
        self.groups += 1;
        let members = if self.groups > limits::GROUPS_DEPTH_MAX {
            let message = format!("groups are nested more than {} deep", limits::GROUPS_DEPTH_MAX);
            self.over(Limit::Depth, kind_at.clone(), message, "use fewer groups one inside the other");
            Vec::new()
        } else {
            self.depth = self.depth.max(self.groups);
            let members: Vec<&[Node<'s>]> = parts.split(|n| n.rule() == Rule::comma).collect();
            members.into_iter().filter_map(|m| self.member(m, &kind_at)).collect()
        };
        self.groups -= 1;
        let read = self.modifiers(modifiers, About::Group);
        Some(Stage {
            after: read.after,
            only_if: read.only_if,
            unless: read.unless,
            between: read.between,
            ..plain_stage(Action::Group { kind, members }, at)
        })
    }

    fn use_policy(&mut self, action: &Node<'s>, modifiers: &[Node<'s>], at: TextRange) -> Option<Stage> {
        let action_at = self.faults.range(action);
        let used = match action.child(Rule::atom) {
            None => {
                let message = "the policy after `use` is missing".to_owned();
                self.faults.tell("unknown-policy", action_at, message, "write `use NAME`");
                None
            }
            Some(atom) => self.resolved(&self.faults.range(&atom), atom.text()),
        };
        let read = self.modifiers(modifiers, About::Use);
        let (policy, strategy, headers) = used?;
        Some(Stage {
            after: read.after,
            only_if: read.only_if,
            unless: read.unless,
            between: read.between,
            ..plain_stage(Action::Use { policy, strategy, headers: Box::new(headers) }, at)
        })
    }

    fn resolved(&mut self, at: &TextRange, reference: &str) -> Option<(String, Strategy, Headers)> {
        let at = at.clone();
        let name = quoted(reference);
        match self.uses.get(reference).cloned() {
            Some(Resolution::Ready(draft, label)) => {
                if let (Some(own), Some(theirs)) = (&mut self.vars.clone(), &draft.policy.headers.vars) {
                    for (clash, kinds) in super::unit::merge_vars(own, theirs) {
                        let [here, there] = kinds.map(|kind| Type::Value(kind).name());
                        let message = format!("var `{clash}` is {here} here and {there} in {name}");
                        let [own, theirs] = kinds.map(type_word);
                        let help = format!(
                            "write `{clash}: {theirs}` into the `vars` here, or `{clash}: {own}` into those of {name}"
                        );
                        self.faults.tell("vars-differ", at.clone(), message, help);
                    }
                }
                let deep = self.groups + 1 + draft.depth;
                self.depth = self.depth.max(deep);
                if deep > limits::OPENED_DEPTH_MAX {
                    let message =
                        format!("groups and policies are nested more than {} deep", limits::OPENED_DEPTH_MAX);
                    self.over(Limit::Depth, at, message, "use fewer groups one inside the other");
                    return None;
                }
                let fits = self.count_stages(draft.stages, &at) && self.count_parts(draft.parts, &at);
                fits.then(|| (label, draft.policy.strategy.clone(), draft.policy.headers.clone()))
            }
            Some(Resolution::Unknown(meant)) => {
                let message = unknown_policy(reference, meant.as_deref());
                match meant {
                    Some(meant) => self.faults.tell_replace("unknown-policy", at, message, &meant),
                    None => self.faults.tell(
                        "unknown-policy",
                        at,
                        message,
                        "publish it first, or write it into this file",
                    ),
                }
                None
            }
            Some(Resolution::UnknownVersion) => {
                let (bare, version) = reference.split_once('@').unwrap_or((reference, ""));
                let message =
                    format!("of policy {} no version {} is known here", quoted(bare), quoted(version));
                let help =
                    format!("write `use {bare}`, or check this against the server that has that version");
                self.faults.tell("unknown-policy", at, message, help);
                None
            }
            Some(Resolution::Recursive(way)) => {
                let message = format!("policy {name} uses itself: `{}`", way.join(" → "));
                self.faults.tell("recursive-use", at, message, self.instead_of_itself(&way));
                None
            }
            Some(Resolution::TooLong) => {
                let message =
                    format!("policies use one another in a chain of more than {}", limits::USE_DEPTH_MAX);
                self.faults.tell("use-too-deep", at, message, "use fewer policies in a chain");
                None
            }
            Some(Resolution::Faulty { told: false }) => {
                let message = format!("policy {name} has faults of its own");
                self.faults.tell("faulty-use", at, message, "check that policy, and mend it first");
                None
            }
            Some(Resolution::Faulty { told: true }) | None => None,
        }
    }

    /// What helps where a policy uses itself: of a copied line mostly a policy of a like name was meant.
    fn instead_of_itself(&self, way: &[String]) -> String {
        let ready = |name: &&String| matches!(self.uses.get(*name), Some(Resolution::Ready(..)));
        let mut others: Vec<&String> = self.uses.keys().filter(ready).collect();
        others.sort_unstable();
        match (way, others.as_slice()) {
            ([_, _], [other, ..]) => {
                format!("write the policy that is meant, such as `use {other}`, or leave this `use` out")
            }
            ([_, _], []) => "write the policy that is meant, or leave this `use` out".to_owned(),
            _ => "leave out one of these `use`, so that none comes back to where it began".to_owned(),
        }
    }

    fn modifiers(&mut self, nodes: &[Node<'s>], about: About) -> Modifiers {
        let (mut read, mut seen) = (Modifiers::default(), Vec::new());
        for node in nodes {
            let rule = node.rule();
            let at = self.faults.range(node);
            let word = word_of(rule);
            if seen.contains(&rule) {
                let message = format!("`{word}` stands twice on one stage");
                let help = match rule {
                    Rule::unless => "join the conditions by `or` after one `unless`",
                    Rule::only_if => "join the conditions by `and` after one `if`",
                    _ => "leave one of them out",
                };
                self.faults.tell("repeated-modifier", at, message, help);
                continue;
            }
            seen.push(rule);
            let channel_only = matches!(
                rule,
                Rule::via | Rule::until | Rule::retry | Rule::repeat | Rule::valid | Rule::on_doubt
            );
            if channel_only && about != About::Channel {
                let message = format!("`{word}` goes with a channel only, not with {}", about.name());
                let help = match about {
                    About::Group => "put it on the channels inside the group",
                    _ => "leave it out, or put it on the channels of the policy that is used",
                };
                self.faults.tell("misplaced-modifier", at, message, help);
                continue;
            }
            self.modifier(node, about, &mut read);
        }
        read
    }

    fn modifier(&mut self, node: &Node<'s>, about: About, read: &mut Modifiers) {
        match node.rule() {
            Rule::after => {
                let what = What("after", "write for example `after 30s`");
                read.after = self.faults.duration(node, node.child(Rule::amount), what);
            }
            Rule::unless => read.unless = self.condition(node, "unless", about),
            Rule::only_if => read.only_if = self.condition(node, "if", about),
            Rule::between => read.between = self.faults.window(node, "between", "and"),
            Rule::via => read.route = self.faults.route(node),
            Rule::until => read.until = self.goal(node),
            Rule::retry => read.retry = self.faults.retry(node),
            Rule::repeat => read.repeat = self.faults.repeat(node),
            Rule::valid => {
                let what = What("valid", "write for example `valid 10m`");
                if let Some(word) = node.child(Rule::for_word) {
                    let message = "`valid` stands before its duration without `for`".to_owned();
                    self.faults.tell("bad-valid", self.faults.range(&word), message, what.1);
                } else {
                    read.valid = self.faults.lasting(node, node.child(Rule::amount), what);
                }
            }
            Rule::on_doubt => read.on_doubt = self.on_doubt(node),
            _ => {}
        }
    }

    fn goal(&mut self, node: &Node<'s>) -> Option<Confirmation> {
        let help = one_of(Confirmation::WORDS);
        let Some(goal) = node.child(Rule::goal) else {
            self.faults.tell(
                "unknown-goal",
                self.faults.range(node),
                "the goal after `until` is missing".to_owned(),
                help,
            );
            return None;
        };
        let at = self.faults.range(&goal);
        let word = self.faults.text(&at);
        let found = word.parse().ok();
        if found.is_none() {
            let meant = match word {
                "seen" | "opened" => Some("read"),
                "answered" | "reply" | "confirmed" => Some("replied"),
                "sent" => Some("accepted"),
                "received" | "arrived" => Some("delivered"),
                _ => near(word, Confirmation::WORDS.iter().copied()),
            };
            let message = format!("unknown goal {}{}", quoted(word), did_you_mean(meant));
            match meant {
                Some(meant) => self.faults.tell_replace("unknown-goal", at, message, meant),
                None => self.faults.tell("unknown-goal", at, message, help),
            }
        }
        found
    }

    fn on_doubt(&mut self, node: &Node<'s>) -> Option<OnDoubt> {
        let choice = node.child(Rule::doubt_choice).map(|c| self.faults.range(&c));
        let text = choice.as_ref().map(|at| self.faults.scan.folded(self.faults.source, at));
        match text.as_deref() {
            Some("wait") => Some(OnDoubt::Wait),
            Some("move on") => Some(OnDoubt::MoveOn),
            Some("resend") => Some(OnDoubt::Resend),
            _ => {
                let message = match &text {
                    Some(text) => format!("{} says nothing of what is done in doubt", quoted(text)),
                    None => "what is done in doubt is missing".to_owned(),
                };
                let at = choice.unwrap_or_else(|| self.faults.range(node));
                let help = "write `on doubt wait`, `on doubt move on` or `on doubt resend`";
                self.faults.tell("bad-doubt", at, message, help);
                None
            }
        }
    }
}

fn plain_stage(action: Action, at: TextRange) -> Stage {
    Stage { action, after: None, only_if: None, unless: None, between: None, at }
}

fn word_of(rule: Rule) -> &'static str {
    match rule {
        Rule::after => "after",
        Rule::unless => "unless",
        Rule::only_if => "if",
        Rule::between => "between",
        Rule::via => "via",
        Rule::until => "until",
        Rule::retry => "retry",
        Rule::repeat => "repeat",
        Rule::valid => "valid",
        _ => "on doubt",
    }
}
