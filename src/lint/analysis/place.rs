//! A stage where it stands.

use std::borrow::Cow;

use crate::language::policy::{Action, ChannelStage, GroupKind, Stage, TextRange, Wait};
use crate::machine::facts::RouteProvider;
use crate::model::{Channel, Confirmation};

/// A stage, with what surrounds it and when it can start.
#[derive(Debug)]
pub struct Place<'a> {
    /// Its place in the text, from 0.
    pub id: usize,
    /// The stage.
    pub stage: &'a Stage,
    /// Its bytes of the policy's own source: of a stage inside a `use`, those of the `use`.
    pub at: TextRange,
    /// Whether it was written in another policy.
    pub used: bool,
    /// Whether a stage stands after it, in its strategy or in one around it.
    pub followed: bool,
    /// Whether one does in the policy in which it was written.
    pub followed_where_written: bool,
    /// The group or `use` that it stands in.
    pub parent: Option<usize>,
    /// Which member of that.
    pub member: usize,
    /// Its place in its strategy.
    pub index: usize,
    /// The stage before it in its strategy.
    pub before: Option<usize>,
    /// The stage after it in its strategy.
    pub next: Option<usize>,
    /// The providers of a channel, in the order in which they are tried.
    pub route: Vec<RouteProvider>,
    /// What reaches a channel.
    pub goal: Option<Confirmation>,
    /// Milliseconds from the start of the message to its earliest turn in any run.
    pub earliest: i64,
    /// The same in runs in which everything that is tried before it stays silent; `None` where it does
    /// not start in such a run.
    pub silent: Option<i64>,
    /// Whether in such a run it is surely tried.
    pub sure: bool,
    /// Whether it may be neither reached nor failed: something was accepted, and nothing is heard of it.
    pub can_be_silent: bool,
}

impl<'a> Place<'a> {
    /// The channel stage.
    #[must_use]
    pub fn channel(&self) -> Option<&'a ChannelStage> {
        match &self.stage.action {
            Action::Channel(channel) => Some(channel),
            Action::Group { .. } | Action::Use { .. } | Action::Wait(_) => None,
        }
    }

    /// Whether it is an `all of` of more than one.
    #[must_use]
    pub fn is_all_of(&self) -> bool {
        matches!(&self.stage.action, Action::Group { kind: GroupKind::All, members } if members.len() > 1)
    }

    /// The wait.
    #[must_use]
    pub fn wait(&self) -> Option<&'a Wait> {
        match &self.stage.action {
            Action::Wait(wait) => Some(wait),
            Action::Channel(_) | Action::Group { .. } | Action::Use { .. } => None,
        }
    }

    /// Whether it has a guard.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        self.stage.only_if.is_some() || self.stage.unless.is_some()
    }

    /// Whether it has an `if` and an `unless`.
    #[must_use]
    pub fn is_guarded_twice(&self) -> bool {
        self.stage.only_if.is_some() && self.stage.unless.is_some()
    }

    /// How it is called in a message: its channel, or what kind of stage it is.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match &self.stage.action {
            Action::Channel(channel) => channel.channel.word(),
            Action::Group { kind: GroupKind::Any, .. } => "any of",
            Action::Group { kind: GroupKind::All, .. } => "all of",
            Action::Use { .. } => "use",
            Action::Wait(_) => "wait",
        }
    }

    /// The same, of a `use` with the policy that it names.
    #[must_use]
    pub fn called(&self) -> Cow<'a, str> {
        match &self.stage.action {
            Action::Use { policy, .. } => Cow::Owned(format!("use {policy}")),
            _ => Cow::Borrowed(self.name()),
        }
    }

    /// What a provider of the route can confirm, beyond acceptance.
    pub fn confirms(&self) -> impl Iterator<Item = Confirmation> {
        self.route.iter().flat_map(|provider| provider.confirms.iter().copied())
    }

    /// The channel's word.
    #[must_use]
    pub fn channel_word(&self) -> Option<Channel> {
        self.channel().map(|channel| channel.channel)
    }
}
