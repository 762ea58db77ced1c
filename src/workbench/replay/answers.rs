//! What providers answer a run: what they answered in fact, and where that is not on record, what is
//! assumed.

use std::collections::BTreeMap;

use crate::machine::facts::RouteProvider;
use crate::model::{Channel, Confirmation, Outcome, Span};

use super::record::{Attempt, Later, Record};

/// What usually becomes of a message on a channel, by all messages of the export.
#[derive(Debug, Default)]
pub(super) struct Typical {
    by_channel: BTreeMap<Channel, Of>,
    /// The providers that some message's route had, by channel and name.
    providers: BTreeMap<(Channel, String), RouteProvider>,
}

#[derive(Debug, Default)]
struct Of {
    taken: usize,
    delivered: Vec<Span>,
}

/// An answer with all that comes after it.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) answers: Vec<(Span, Outcome, Option<Span>)>,
    pub(super) later: Vec<(Span, Later)>,
}

impl From<&Attempt> for Answer {
    fn from(attempt: &Attempt) -> Answer {
        let mut answers = attempt.answers.clone();
        // The record ends before the answer.
        if answers.is_empty() {
            answers.push((Span::ZERO, Outcome::InDoubt, None));
        }
        Answer { answers, later: attempt.later.clone() }
    }
}

impl Typical {
    pub(super) fn of<'a>(records: impl Iterator<Item = &'a Record>) -> Typical {
        let mut typical = Typical::default();
        for record in records {
            for attempt in record.attempts.iter().filter(|attempt| attempt.accepted_at.is_some()) {
                let of = typical.by_channel.entry(attempt.channel).or_default();
                of.taken += 1;
                let arrived = attempt.later.iter().find_map(|(after, later)| match later {
                    Later::Confirmed(level) if *level >= Confirmation::Delivered => Some(*after),
                    _ => None,
                });
                of.delivered.extend(arrived);
            }
            for (channel, _, route) in &record.known.routes {
                for provider in route {
                    typical.providers.insert((*channel, provider.name.clone()), provider.clone());
                }
            }
        }
        for of in typical.by_channel.values_mut() {
            of.delivered.sort_unstable();
        }
        typical
    }

    /// A provider as other messages' routes had it on a channel.
    pub(super) fn provider(&self, channel: Channel, name: &str) -> Option<&RouteProvider> {
        self.providers.get(&(channel, name.to_owned()))
    }

    /// The providers that other messages' routes had on a channel.
    pub(super) fn on(&self, channel: Channel) -> impl Iterator<Item = &RouteProvider> {
        self.providers.iter().filter(move |((served, _), _)| *served == channel).map(|(_, provider)| provider)
    }

    /// What becomes of a message on a channel of which this message's record has nothing, and what is
    /// assumed by that.
    fn usual(&self, channel: Channel, provider: Option<&RouteProvider>) -> (Answer, String) {
        let accepted = vec![(Span::ZERO, Outcome::Accepted, None)];
        let confirmed = |after| vec![(after, Later::Confirmed(Confirmation::Delivered))];
        let never = format!("nothing was sent on `{channel}`");
        match self.by_channel.get(&channel).filter(|of| of.taken > 0) {
            Some(of) if of.delivered.len() * 2 >= of.taken => {
                let median = of.delivered.get(of.delivered.len() / 2).copied().unwrap_or_default();
                let assumed = format!(
                    "{never}: taken as accepted and delivered after {median}, the median of the other messages"
                );
                (Answer { answers: accepted, later: confirmed(median) }, assumed)
            }
            Some(_) => {
                let assumed =
                    format!("{never}: taken as accepted and never confirmed, as most of the other messages");
                (Answer { answers: accepted, later: Vec::new() }, assumed)
            }
            None => {
                let can =
                    provider.is_some_and(|provider| provider.confirms.contains(&Confirmation::Delivered));
                let (later, what) = match can {
                    true => (confirmed(Span::from_s(1)), " and delivered after 1s"),
                    false => (Vec::new(), ""),
                };
                let assumed = format!("{never}, in no message of the export: taken as accepted{what}");
                (Answer { answers: accepted, later }, assumed)
            }
        }
    }
}

/// The answers to one run, each attempt of a provider on a channel in its turn.
pub(super) struct Answers<'a> {
    record: &'a Record,
    typical: &'a Typical,
    asked: BTreeMap<(String, Channel), usize>,
}

impl<'a> Answers<'a> {
    pub(super) fn new(record: &'a Record, typical: &'a Typical) -> Answers<'a> {
        Answers { record, typical, asked: BTreeMap::new() }
    }

    /// What the next attempt of a provider is answered, and what is assumed by that.
    pub(super) fn next(&mut self, provider: &RouteProvider, channel: Channel) -> (Answer, Option<String>) {
        let name = &provider.name;
        let count = self.asked.entry((name.clone(), channel)).or_default();
        let n = *count;
        *count += 1;
        let on = || self.record.attempts.iter().filter(|attempt| attempt.channel == channel);
        let own: Vec<&Attempt> = on().filter(|attempt| attempt.provider == *name).collect();
        if let Some(attempt) = own.get(n) {
            return (Answer::from(*attempt), None);
        }
        if let Some(last) = own.last() {
            let assumed = format!("`{name}` was asked on `{channel}` less often: its last answer goes on");
            return (Answer::from(*last), Some(assumed));
        }
        let others: Vec<&Attempt> = on().collect();
        if let Some(other) = others.get(n).or(others.last()) {
            let assumed =
                format!("`{name}` sent nothing on `{channel}`: taken to answer as `{}` did", other.provider);
            return (Answer::from(*other), Some(assumed));
        }
        let (answer, assumed) = self.typical.usual(channel, Some(provider));
        (answer, Some(assumed))
    }
}
