//! How a walk came to a state, and the scripts that lead there again.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::model::{Confirmation, Instant, Outcome, Span};

/// Longer than a stage waits for a provider that asked to be left alone.
pub(super) const LONG_PAUSE: Span = Span::from_s(2 * 3_600);

/// One thing that was decided on the way.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// The request was accepted then.
    At(Instant),
    /// An attempt was answered.
    Answer { attempt: u32, provider: Rc<str>, outcome: Outcome },
    /// An accepted attempt was confirmed, or failed, so long after its acceptance.
    Later { attempt: u32, level: Option<Confirmation>, after: Span },
}

/// Steps, each with the one before it.
#[derive(Debug, Default)]
pub(super) struct Traces(Vec<(u32, Step)>);

/// The place of a step; [`START`] before the first.
pub(super) type TraceId = u32;
pub(super) const START: TraceId = u32::MAX;

impl Traces {
    pub(super) fn push(&mut self, before: TraceId, step: Step) -> TraceId {
        let id = u32::try_from(self.0.len()).unwrap_or(START - 1);
        self.0.push((before, step));
        id
    }

    /// The instant of acceptance, and the scripts by provider.
    pub(super) fn told(&self, last: TraceId) -> (Option<Instant>, BTreeMap<String, String>) {
        let mut steps = Vec::new();
        let mut at = last;
        while let Some((before, step)) = self.0.get(usize::try_from(at).unwrap_or(usize::MAX)) {
            steps.push(step);
            at = *before;
        }
        steps.reverse();
        let mut accepted_at = None;
        let mut said: Vec<(u32, &Rc<str>, String)> = Vec::new();
        for step in steps {
            match step {
                Step::At(at) => accepted_at = Some(*at),
                Step::Answer { attempt, provider, outcome } => {
                    said.push((*attempt, provider, answer(*outcome)));
                }
                Step::Later { attempt, level, after } => {
                    let Some((_, _, text)) = said.iter_mut().find(|(number, ..)| number == attempt) else {
                        continue;
                    };
                    let what = level.map_or("failed", Confirmation::word);
                    let reply = if *level == Some(Confirmation::Replied) { " \"yes\"" } else { "" };
                    text.push_str(&format!(", {what}{reply} after {after}"));
                }
            }
        }
        let mut by_provider: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (_, provider, text) in said {
            by_provider.entry(provider.to_string()).or_default().push(text);
        }
        (accepted_at, by_provider.into_iter().map(|(key, said)| (key, joined(&said))).collect())
    }
}

/// The answers joined by `then`; the last goes on for ever, and several alike are counted.
fn joined(said: &[String]) -> String {
    let mut runs: Vec<(&str, usize)> = Vec::new();
    for text in said {
        match runs.last_mut() {
            Some((last, times)) if last == text => *times += 1,
            _ => runs.push((text, 1)),
        }
    }
    let count = runs.len();
    let shown = runs.into_iter().enumerate().map(|(place, (text, times))| {
        let is_last = place + 1 == count;
        if times > 1 && !is_last { format!("{text} x{times}") } else { text.to_owned() }
    });
    shown.collect::<Vec<_>>().join(" then ")
}

fn answer(outcome: Outcome) -> String {
    match outcome {
        Outcome::Accepted => "accepted".to_owned(),
        Outcome::RecipientFault => "recipient fault".to_owned(),
        Outcome::ContentFault => "content fault".to_owned(),
        Outcome::AccountFault => "account fault".to_owned(),
        Outcome::RateLimited => format!("rate limited for {LONG_PAUSE}"),
        Outcome::Transient => "transient".to_owned(),
        Outcome::InDoubt => "in doubt".to_owned(),
    }
}
