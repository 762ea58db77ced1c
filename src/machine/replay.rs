//! The audit's replay: what each step was given, in a form that is kept, and the same steps again.
//!
//! A journal entry holds what the engine gave to `step` in one committed change: events, and the
//! facts that were read. No personal value is in it, so a replay is exact also after an erasure.
//! The types are the persisted form itself: short names, nothing written that is empty. A change of
//! them raises [`JOURNAL_FORMAT`].

use serde::{Deserialize, Serialize};

use crate::model::{Channel, Confirmation, Instant, Outcome, Span};

use super::effect::{Effect, Effects, Transition};
use super::event::{Event, What};
use super::facts::{Fact, Facts, Moment, Recorded, Recorder, is_default};
use super::instance::{Instance, InstanceError, SEMANTICS};
use super::plan::{Machine, StageId};
use super::step::{Beginning, step};

/// The number of this layout of a journal entry.
pub const JOURNAL_FORMAT: u16 = 1;

/// What was given to `step` in one committed change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// The number of its layout.
    #[serde(rename = "f")]
    format: u16,
    /// The number of what `step` did with it.
    #[serde(rename = "s")]
    semantics: u16,
    /// How the instance began, in the first entry of a message.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    beginning: Option<Beginning>,
    /// One for each step, in order.
    #[serde(rename = "i", default, skip_serializing_if = "Vec::is_empty")]
    inputs: Vec<ChangeInput>,
}

/// What was given to one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeInput {
    /// The event's instant, as it was given.
    #[serde(rename = "a")]
    pub at: Moment,
    /// What happened.
    #[serde(rename = "w")]
    pub what: WhatRecord,
    /// The facts that were read, in the order in which they were.
    #[serde(rename = "k", default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<Fact>,
}

/// [`What`], as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WhatRecord {
    /// [`What::Accepted`].
    #[serde(rename = "new")]
    Accepted,
    /// [`What::Due`].
    #[serde(rename = "due")]
    Due,
    /// [`What::Answered`].
    #[serde(rename = "ans")]
    Answered {
        /// Which attempt.
        #[serde(rename = "n")]
        attempt: u32,
        /// How.
        #[serde(rename = "o")]
        outcome: Outcome,
        /// In milliseconds.
        #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<i64>,
    },
    /// [`What::Confirmed`].
    #[serde(rename = "con")]
    Confirmed {
        /// Which attempt.
        #[serde(rename = "n")]
        attempt: u32,
        /// How far.
        #[serde(rename = "l")]
        level: Confirmation,
    },
    /// [`What::FailedLater`].
    #[serde(rename = "bad")]
    FailedLater {
        /// Which attempt.
        #[serde(rename = "n")]
        attempt: u32,
        /// Whose fault.
        #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
        fault: Option<Outcome>,
    },
    /// [`What::Ready`].
    #[serde(rename = "rdy")]
    Ready {
        /// The stage's place in the text.
        #[serde(rename = "s", default, skip_serializing_if = "is_default")]
        stage: u16,
    },
    /// [`What::ConfirmedByCaller`].
    #[serde(rename = "cal")]
    ConfirmedByCaller {
        /// How far.
        #[serde(rename = "l")]
        level: Confirmation,
        /// On which channel.
        #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
        channel: Option<Channel>,
    },
    /// [`What::Canceled`].
    #[serde(rename = "end")]
    Canceled,
}

impl From<What> for WhatRecord {
    fn from(what: What) -> WhatRecord {
        match what {
            What::Accepted => WhatRecord::Accepted,
            What::Due => WhatRecord::Due,
            What::Answered { attempt, outcome, retry_after } => {
                WhatRecord::Answered { attempt, outcome, retry_after_ms: retry_after.map(Span::ms) }
            }
            What::Confirmed { attempt, level } => WhatRecord::Confirmed { attempt, level },
            What::FailedLater { attempt, fault } => WhatRecord::FailedLater { attempt, fault },
            What::Ready { stage } => WhatRecord::Ready { stage: stage.0 },
            What::ConfirmedByCaller { level, channel } => WhatRecord::ConfirmedByCaller { level, channel },
            What::Canceled => WhatRecord::Canceled,
        }
    }
}

impl From<WhatRecord> for What {
    fn from(record: WhatRecord) -> What {
        match record {
            WhatRecord::Accepted => What::Accepted,
            WhatRecord::Due => What::Due,
            WhatRecord::Answered { attempt, outcome, retry_after_ms } => {
                What::Answered { attempt, outcome, retry_after: retry_after_ms.map(Span::from_ms) }
            }
            WhatRecord::Confirmed { attempt, level } => What::Confirmed { attempt, level },
            WhatRecord::FailedLater { attempt, fault } => What::FailedLater { attempt, fault },
            WhatRecord::Ready { stage } => What::Ready { stage: StageId(stage) },
            WhatRecord::ConfirmedByCaller { level, channel } => What::ConfirmedByCaller { level, channel },
            WhatRecord::Canceled => What::Canceled,
        }
    }
}

/// Why a replay does not give what was recorded.
#[derive(Debug, thiserror::Error)]
pub enum Mismatch {
    /// Not this layout.
    #[error(
        "the journal entry has format {0}; this program reads format {JOURNAL_FORMAT}: \
         replay it with the version that wrote it"
    )]
    Format(u16),
    /// Another `step` than this one. Such an entry is not replayed; its chain can still be checked.
    #[error("the entry was made by semantics {0}; this program replays semantics {SEMANTICS}")]
    Semantics(u16),
    /// Damaged.
    #[error("the journal entry cannot be read: {0}")]
    Damaged(#[from] serde_json::Error),
    /// The instance has no bytes.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// There is neither an instance nor a beginning to start from, or both.
    #[error("the entry {}", if *.0 { "begins a message that had begun before" } else { "does not begin its message" })]
    Beginning(bool),
    /// A step read other facts than were recorded.
    #[error("step {0} of the entry reads other facts than were recorded")]
    Facts(usize),
    /// The transitions differ.
    #[error("the replay gives another transition {0} than the one on record")]
    Transition(u32),
    /// The instances differ.
    #[error("the replay gives another instance than the one on record")]
    OtherInstance,
}

/// What a replay gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// The instance after the entry.
    pub instance: Instance,
    /// What was written down, in order.
    pub transitions: Vec<Transition>,
}

impl JournalEntry {
    /// An entry to which inputs are yet to be added; with a beginning where it is a message's first.
    #[must_use]
    pub fn new(beginning: Option<Beginning>) -> JournalEntry {
        JournalEntry { format: JOURNAL_FORMAT, semantics: SEMANTICS, beginning, inputs: Vec::new() }
    }

    /// Does a step and keeps what it was given.
    pub fn step(
        &mut self,
        machine: &Machine,
        instance: Instance,
        at: Instant,
        what: What,
        facts: &dyn Facts,
    ) -> (Instance, Effects) {
        let recorder = Recorder::new(facts);
        let came = step(machine, instance, Event { at, what, facts: &recorder });
        self.inputs.push(ChangeInput { at: Moment(at), what: what.into(), facts: recorder.into_facts() });
        came
    }

    /// How the instance began, in the first entry of a message.
    #[must_use]
    pub fn beginning(&self) -> Option<&Beginning> {
        self.beginning.as_ref()
    }

    /// What was given to each step, in order.
    #[must_use]
    pub fn inputs(&self) -> &[ChangeInput] {
        &self.inputs
    }

    /// The number of what `step` did with it.
    #[must_use]
    pub fn semantics(&self) -> u16 {
        self.semantics
    }

    /// The bytes that are kept.
    ///
    /// # Errors
    /// None that can happen: every part of an entry has a JSON form.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Mismatch> {
        Ok(serde_json::to_vec(self)?)
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// Another format, or damage.
    pub fn from_bytes(bytes: &[u8]) -> Result<JournalEntry, Mismatch> {
        #[derive(Deserialize)]
        struct Head {
            f: u16,
        }
        let head: Head = serde_json::from_slice(bytes)?;
        if head.f != JOURNAL_FORMAT {
            return Err(Mismatch::Format(head.f));
        }
        Ok(serde_json::from_slice(bytes)?)
    }

    /// The same steps again, from the instance before the entry; of a message's first entry `None`.
    ///
    /// # Errors
    /// An entry of other semantics, no instance to start from, or a step that reads other facts
    /// than were recorded.
    pub fn replay(&self, machine: &Machine, before: Option<Instance>) -> Result<Replayed, Mismatch> {
        if self.semantics != SEMANTICS {
            return Err(Mismatch::Semantics(self.semantics));
        }
        let instance = match (before, &self.beginning) {
            (Some(instance), None) => instance,
            (None, Some(beginning)) => Instance::new(machine, beginning.clone()),
            (before, _) => return Err(Mismatch::Beginning(before.is_some())),
        };
        replay(machine, instance, &self.inputs)
    }
}

/// The same steps again, each with the facts that it read.
///
/// # Errors
/// A step that reads other facts than were recorded.
pub fn replay(
    machine: &Machine,
    mut instance: Instance,
    inputs: &[ChangeInput],
) -> Result<Replayed, Mismatch> {
    let mut transitions = Vec::new();
    for (place, input) in inputs.iter().enumerate() {
        let facts = Recorded::new(&input.facts);
        let event = Event { at: input.at.0, what: input.what.into(), facts: &facts };
        let (after, effects) = step(machine, instance, event);
        if !facts.is_exact() {
            return Err(Mismatch::Facts(place));
        }
        instance = after;
        transitions.extend(effects.into_iter().filter_map(|effect| match effect {
            Effect::Transition(transition) => Some(transition),
            _ => None,
        }));
    }
    Ok(Replayed { instance, transitions })
}

impl Replayed {
    /// Whether this is what stands on record: the bytes of the instance and the transitions.
    ///
    /// # Errors
    /// What differs first.
    pub fn matches(&self, instance: &[u8], transitions: &[Transition]) -> Result<(), Mismatch> {
        let pairs = self.transitions.iter().map(Some).chain(std::iter::repeat(None));
        let recorded = transitions.iter().map(Some).chain(std::iter::repeat(None));
        let count = self.transitions.len().max(transitions.len());
        for (ours, theirs) in pairs.zip(recorded).take(count) {
            if ours != theirs {
                return Err(Mismatch::Transition(ours.or(theirs).map_or(0, |transition| transition.seq)));
            }
        }
        if self.instance.to_bytes()? != instance {
            return Err(Mismatch::OtherInstance);
        }
        Ok(())
    }
}
