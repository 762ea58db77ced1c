//! Scripts as the search writes them: a word longer at each step.

use std::collections::BTreeMap;

use crate::language::script::{Later, LaterWhat, Script, Scripts, Step};
use crate::model::{Channel, Confirmation, Outcome, Span};

/// Scripts by key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct Draft {
    pub(super) keys: BTreeMap<String, Vec<Said>>,
}

/// What is said of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Said {
    pub(super) answer: Answer,
    /// What comes later, in the order of time.
    pub(super) then: Vec<(Receipt, Span)>,
}

/// What a provider answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Answer {
    Accepted,
    RecipientFault,
    Transient,
    AccountFault,
    InDoubt,
    /// For longer than a stage waits.
    RateLimited,
}

/// What comes after an acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Receipt {
    Confirmed(Confirmation),
    Failed,
}

/// Longer than a stage waits for a provider that asked to be left alone.
const LONG_PAUSE: Span = Span::from_s(2 * 3_600);

impl Answer {
    /// Shortest to read first.
    pub(super) const ALL: [Answer; 6] = [
        Answer::Accepted,
        Answer::RecipientFault,
        Answer::Transient,
        Answer::AccountFault,
        Answer::InDoubt,
        Answer::RateLimited,
    ];

    pub(super) fn is_taken(self) -> bool {
        matches!(self, Answer::Accepted | Answer::InDoubt)
    }

    fn text(self) -> &'static str {
        match self {
            Answer::Accepted => "accepted",
            Answer::RecipientFault => "recipient fault",
            Answer::Transient => "transient",
            Answer::AccountFault => "account fault",
            Answer::InDoubt => "in doubt",
            Answer::RateLimited => "rate limited for 2h",
        }
    }

    fn step(self) -> Step {
        match self {
            Answer::Accepted => Step::plain(Outcome::Accepted),
            Answer::RecipientFault => Step::plain(Outcome::RecipientFault),
            Answer::Transient => Step::plain(Outcome::Transient),
            Answer::AccountFault => Step::plain(Outcome::AccountFault),
            Answer::InDoubt => Step::plain(Outcome::InDoubt),
            Answer::RateLimited => {
                Step { rate_limited_for: Some(LONG_PAUSE), ..Step::plain(Outcome::RateLimited) }
            }
        }
    }
}

impl Said {
    pub(super) fn plain(answer: Answer) -> Said {
        Said { answer, then: Vec::new() }
    }

    fn step(&self) -> Step {
        let later = |(receipt, after): &(Receipt, Span)| {
            let what = match receipt {
                Receipt::Confirmed(Confirmation::Replied) => {
                    LaterWhat::Confirmed(Confirmation::Replied, Some("yes".to_owned()))
                }
                Receipt::Confirmed(level) => LaterWhat::Confirmed(*level, None),
                Receipt::Failed => LaterWhat::Failed,
            };
            Later { after: *after, what }
        };
        Step { then: self.then.iter().map(later).collect(), ..self.answer.step() }
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.answer.text())?;
        for (receipt, after) in &self.then {
            match receipt {
                Receipt::Confirmed(Confirmation::Replied) => write!(f, ", replied \"yes\" after {after}")?,
                Receipt::Confirmed(level) => write!(f, ", {level} after {after}")?,
                Receipt::Failed => write!(f, ", failed after {after}")?,
            }
        }
        Ok(())
    }
}

impl Draft {
    /// How much of it there is to read.
    pub(super) fn length(&self) -> usize {
        self.keys.values().flatten().map(|said| 1 + said.then.len()).sum()
    }

    /// Under which key an attempt is looked up.
    pub(super) fn key_of<'a>(&self, provider: &'a str, channel: Channel) -> Option<&'a str> {
        [provider, channel.word()].into_iter().find(|key| self.keys.contains_key(*key))
    }

    /// For the simulator.
    pub(super) fn scripts(&self) -> Scripts {
        let mut scripts = Scripts::default();
        for (key, said) in &self.keys {
            if let Some(script) = Script::of(said.iter().map(Said::step)) {
                scripts.insert(key.clone(), script);
            }
        }
        scripts
    }

    /// As the command line takes it, by key.
    pub(super) fn texts(&self) -> BTreeMap<String, String> {
        let text = |said: &Vec<Said>| {
            let mut parts: Vec<(String, usize)> = Vec::new();
            for said in said.iter().map(Said::to_string) {
                match parts.last_mut() {
                    Some((last, times)) if *last == said => *times += 1,
                    _ => parts.push((said, 1)),
                }
            }
            let last = parts.len().saturating_sub(1);
            let part = |(place, (said, times)): (usize, (String, usize))| match times {
                // The last goes on for ever.
                2.. if place < last => format!("{said} x{times}"),
                _ => said,
            };
            parts.into_iter().enumerate().map(part).collect::<Vec<_>>().join(" then ")
        };
        self.keys.iter().map(|(key, said)| (key.clone(), text(said))).collect()
    }

    /// The same, nothing refused by anybody; the refusals are what differs.
    pub(super) fn unrefused(&self) -> Draft {
        let mut draft = self.clone();
        for said in draft.keys.values_mut().flatten().filter(|said| !said.answer.is_taken()) {
            *said = Said::plain(Answer::Accepted);
        }
        draft
    }

    /// The same, but nothing is heard of what was accepted, on these keys too, where nothing is scripted.
    pub(super) fn silent(&self, keys: impl Iterator<Item = String>) -> Draft {
        let mut draft = self.clone();
        draft.keys.values_mut().flatten().for_each(|said| said.then.clear());
        keys.fold(draft, |draft, key| draft.accepted(key))
    }

    /// The same, but what nothing is scripted for is accepted and no more is heard of it.
    pub(super) fn accepted(&self, key: String) -> Draft {
        let mut draft = self.clone();
        draft.keys.entry(key).or_insert_with(|| vec![Said::plain(Answer::Accepted)]);
        draft
    }

    /// The same, but of an answer that receipt and what comes after it never come.
    pub(super) fn cut(&self, key: &str, step: usize, place: usize) -> Draft {
        let mut draft = self.clone();
        if let Some(said) = draft.keys.get_mut(key).and_then(|steps| steps.get_mut(step)) {
            said.then.truncate(place);
        }
        draft
    }

    pub(super) fn has_refusals(&self) -> bool {
        self.keys.values().flatten().any(|said| !said.answer.is_taken())
    }

    /// Whether something fails after it was accepted.
    pub(super) fn has_failures(&self) -> bool {
        let failed = |said: &Said| said.then.iter().any(|(receipt, _)| *receipt == Receipt::Failed);
        self.keys.values().flatten().any(failed)
    }
}

/// Durations that read easily, the longest first.
const NICE: [Span; 14] = [
    Span::from_s(86_400),
    Span::from_s(43_200),
    Span::from_s(21_600),
    Span::from_s(3_600),
    Span::from_s(1_800),
    Span::from_s(600),
    Span::from_s(300),
    Span::from_s(60),
    Span::from_s(30),
    Span::from_s(10),
    Span::from_s(5),
    Span::from_s(1),
    Span::from_ms(100),
    Span::from_ms(1),
];

/// A duration that reads easily, more than `from` and less than `to`; `None` where there is none.
pub(super) fn between(from: Span, to: Span) -> Option<Span> {
    let second = Span::from_s(1);
    if from < second && second < to {
        return Some(second);
    }
    NICE.into_iter().find_map(|unit| {
        let next = Span::from_ms((from.ms() / unit.ms() + 1) * unit.ms());
        (next < to).then_some(next)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_reads_back_as_what_the_simulator_plays() {
        let yes = (Receipt::Confirmed(Confirmation::Replied), Span::from_s(20));
        let late = (Receipt::Failed, Span::from_s(90));
        let said = vec![
            Said::plain(Answer::Transient),
            Said::plain(Answer::Transient),
            Said::plain(Answer::RateLimited),
            Said { answer: Answer::Accepted, then: vec![yes, late] },
        ];
        let draft = Draft { keys: BTreeMap::from([("sms".to_owned(), said)]) };
        let text = draft.texts().remove("sms").unwrap();
        assert_eq!(
            text,
            "transient x2 then rate limited for 2h then \
             accepted, replied \"yes\" after 20s, failed after 1m30s"
        );
        let (read, made) = (Script::parse(&text).unwrap(), draft.scripts());
        let made = made.of("x", Channel::Sms).unwrap().1;
        assert!((0..6).all(|n| read.attempt(n) == made.attempt(n)));
        assert_eq!(draft.length(), 6);
    }

    #[test]
    fn what_lies_between_reads_easily() {
        let s = Span::from_s;
        assert_eq!(between(s(0), s(30)), Some(s(1)));
        assert_eq!(between(s(30), s(45)), Some(s(40)));
        assert_eq!(between(s(600), s(86_400)), Some(s(43_200)));
        assert_eq!(between(Span::ZERO, Span::from_ms(500)), Some(Span::from_ms(100)));
        assert_eq!(between(s(1), s(1)), None);
        assert_eq!(between(s(1), Span::from_ms(1_001)), None);
    }
}
