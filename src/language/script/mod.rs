//! Outcome scripts: what providers answer, attempt by attempt, in simulations, policy tests, the
//! sandbox and the tests of faults.

mod reader;

use std::collections::BTreeMap;

use crate::model::{Channel, Confirmation, Outcome, Span};

use super::diagnostic::{Diagnostic, Edit, Severity};
use super::limits::SCRIPT_BYTES_MAX;
use super::policy::TextRange;
use super::words::{listed, quoted};
use reader::{Reader, split_outside_quotes, trimmed};

/// What one key (a provider's or a channel's name) answers, attempt by attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// In order, repetitions not written out; never empty.
    steps: Vec<(u32, Step)>,
}

/// The answer to one attempt, and what comes after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What the provider answers.
    pub outcome: Outcome,
    /// How long it takes to answer.
    pub answer_after: Span,
    /// Of `rate limited for D`, the D.
    pub rate_limited_for: Option<Span>,
    /// What is told about the send later, in the order of the text.
    pub then: Vec<Later>,
}

/// Something that is told about a send after its acceptance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    /// How long after acceptance.
    pub after: Span,
    /// What.
    pub what: LaterWhat,
}

/// What is told later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaterWhat {
    /// A confirmation; of `replied "YES"` with the text.
    Confirmed(Confirmation, Option<String>),
    /// The send failed after all.
    Failed,
}

impl Step {
    /// An answer that takes no time and has no consequence.
    #[must_use]
    pub const fn plain(outcome: Outcome) -> Step {
        Step { outcome, answer_after: Span::ZERO, rate_limited_for: None, then: Vec::new() }
    }
}

impl Script {
    /// A script of which every attempt ends in `step`.
    #[must_use]
    pub fn always(step: Step) -> Script {
        Script { steps: vec![(1, step)] }
    }

    /// A script of these steps, the last of which goes on for ever; `None` without any.
    #[must_use]
    pub fn of(steps: impl IntoIterator<Item = Step>) -> Option<Script> {
        let steps: Vec<_> = steps.into_iter().map(|step| (1, step)).collect();
        (!steps.is_empty()).then_some(Script { steps })
    }

    /// What holds where nothing is scripted: `accepted, delivered after 1s`, or `accepted` where
    /// delivery cannot be confirmed.
    #[must_use]
    pub fn default_for(confirms: &[Confirmation]) -> Script {
        let mut step = Step::plain(Outcome::Accepted);
        if confirms.contains(&Confirmation::Delivered) {
            let what = LaterWhat::Confirmed(Confirmation::Delivered, None);
            step.then.push(Later { after: Span::from_s(1), what });
        }
        Script::always(step)
    }

    /// Reads a script.
    ///
    /// # Errors
    /// Every fault of the text, with its bytes.
    pub fn parse(text: &str) -> Result<Script, Vec<Diagnostic>> {
        let mut reader = Reader::new(text, 0..text.len());
        let script = reader.script();
        reader.faults.is_empty().then_some(script).flatten().ok_or(reader.faults)
    }

    /// What is answered to attempt `n`, from 0. The last step goes on for ever.
    #[must_use]
    pub fn attempt(&self, n: usize) -> &Step {
        let mut left = n;
        let mut last = &self.steps[0].1;
        for (times, step) in &self.steps {
            last = step;
            let times = usize::try_from(*times).unwrap_or(usize::MAX);
            if left < times {
                break;
            }
            left -= times;
        }
        last
    }

    /// The confirmations that it makes and that are not among `confirms` (acceptance always is).
    #[must_use]
    pub fn beyond(&self, confirms: &[Confirmation]) -> Vec<Confirmation> {
        let mut beyond: Vec<Confirmation> = self
            .steps
            .iter()
            .flat_map(|(_, step)| &step.then)
            .filter_map(|later| match later.what {
                LaterWhat::Confirmed(confirmation, _) => Some(confirmation),
                LaterWhat::Failed => None,
            })
            .filter(|c| *c != Confirmation::Accepted && !confirms.contains(c))
            .collect();
        beyond.sort_unstable();
        beyond.dedup();
        beyond
    }
}

/// Scripts by key: a provider's name, or a channel's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scripts {
    by_key: BTreeMap<String, Script>,
}

impl Scripts {
    /// Adds a script under a key; gives back the one that it replaces.
    pub fn insert(&mut self, key: String, script: Script) -> Option<Script> {
        self.by_key.insert(key, script)
    }

    /// The script of a provider on a channel: by provider, then by channel, with its key. Each key
    /// counts its attempts through the whole message.
    #[must_use]
    pub fn of(&self, provider: &str, channel: Channel) -> Option<(&str, &Script)> {
        [provider, channel.word()]
            .into_iter()
            .find_map(|key| self.by_key.get_key_value(key))
            .map(|(key, script)| (key.as_str(), script))
    }

    /// All of them, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Script)> {
        self.by_key.iter().map(|(key, script)| (key.as_str(), script))
    }

    /// Reads the form of the command line, `whatsapp: accepted; sms: accepted, delivered after 1s`.
    ///
    /// # Errors
    /// Every fault of the text, with its bytes.
    pub fn parse(text: &str) -> Result<Scripts, Vec<Diagnostic>> {
        let mut scripts = Scripts::default();
        let mut faults = Vec::new();
        if text.len() > SCRIPT_BYTES_MAX {
            return Err(vec![too_long(text)]);
        }
        for part in split_outside_quotes(text, ';') {
            let whole = trimmed(text, part.clone());
            if whole.is_empty() {
                continue;
            }
            let Some(colon) = text[whole.clone()].find(':') else {
                let help = "write `KEY: SCRIPT`, for example `whatsapp: accepted`";
                let message =
                    format!("{} has no channel or provider before it", quoted(&text[whole.clone()]));
                faults.push(fault("bad-script", whole, message, help.to_owned(), None));
                continue;
            };
            let key_at = trimmed(text, whole.start..whole.start + colon);
            let key = text[key_at.clone()].to_owned();
            if !is_key(&key) {
                let message = format!("{} is no channel or provider", quoted(&key));
                faults.push(fault(
                    "bad-script",
                    key_at,
                    message,
                    "write for example `sms: accepted`".to_owned(),
                    None,
                ));
                continue;
            }
            let mut reader = Reader::new(text, whole.start + colon + 1..whole.end);
            if let Some(script) = reader.script()
                && scripts.insert(key.clone(), script).is_some()
            {
                let message = format!("`{key}` has two scripts");
                faults.push(fault("bad-script", key_at, message, "join them by `then`".to_owned(), None));
            }
            faults.append(&mut reader.faults);
        }
        if faults.is_empty() { Ok(scripts) } else { Err(faults) }
    }

    /// Reads a mapping of keys to scripts, as JSON and YAML hold it.
    ///
    /// # Errors
    /// Every fault, each with the key that it was found under; its bytes are those of that script.
    pub fn from_map<'a>(
        map: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Scripts, Vec<(String, Diagnostic)>> {
        let (mut scripts, mut faults) = (Scripts::default(), Vec::new());
        for (key, text) in map {
            if !is_key(key) {
                let message = format!("{} is no channel or provider", quoted(key));
                let help = "a key is the name of a channel or of a provider".to_owned();
                faults.push((key.to_owned(), fault("bad-script", 0..0, message, help, None)));
            }
            match Script::parse(text) {
                Ok(script) => drop(scripts.insert(key.to_owned(), script)),
                Err(found) => faults.extend(found.into_iter().map(|f| (key.to_owned(), f))),
            }
        }
        if faults.is_empty() { Ok(scripts) } else { Err(faults) }
    }

    /// Refuses scripts that confirm what cannot be confirmed. `confirms` gives for a key what its
    /// channel or provider can confirm, `None` where the key is neither.
    #[must_use]
    pub fn check(&self, confirms: impl Fn(&str) -> Option<Vec<Confirmation>>) -> Vec<(String, Diagnostic)> {
        let mut faults = Vec::new();
        for (key, script) in self.iter() {
            let Some(known) = confirms(key) else { continue };
            for beyond in script.beyond(&known) {
                let message = format!("`{key}` cannot confirm `{beyond}`");
                let words: Vec<&str> = known.iter().map(|c| c.word()).collect();
                let help = match words.is_empty() {
                    true => format!("`{key}` confirms nothing; write `accepted`"),
                    false => format!("`{key}` confirms {}", listed(words, "and")),
                };
                faults.push((key.to_owned(), fault("cannot-confirm", 0..0, message, help, None)));
            }
        }
        faults
    }
}

fn is_key(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= super::limits::NAME_CHARS_MAX
        && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
}

fn fault(
    rule: &'static str,
    at: TextRange,
    message: String,
    help: String,
    mended: Option<String>,
) -> Diagnostic {
    let fix = mended.map(|text| Edit { at: at.clone(), text }).into_iter().collect();
    Diagnostic { rule, severity: Severity::Error, at, message, help: Some(help), fix, counterexample: None }
}

fn too_long(text: &str) -> Diagnostic {
    let message = format!("the script is too long: {} bytes", text.len());
    fault("script-too-long", 0..0, message, format!("write at most {SCRIPT_BYTES_MAX} bytes"), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let found = Script::parse(text).err().unwrap_or_default();
        found.iter().map(|f| format!("{}: {}", &text[f.at.clone()], f.message)).collect()
    }

    #[test]
    fn every_form_of_the_page_is_read() {
        let s = Span::from_s;
        for (text, n, outcome, answer, limited, then) in [
            ("accepted", 5, Outcome::Accepted, 0, None, vec![]),
            (
                "accepted, delivered after 2s",
                0,
                Outcome::Accepted,
                0,
                None,
                vec![(2, Confirmation::Delivered)],
            ),
            ("accepted, read after 1m", 0, Outcome::Accepted, 0, None, vec![(60, Confirmation::Read)]),
            ("transient", 0, Outcome::Transient, 0, None, vec![]),
            ("transient x3 then accepted", 2, Outcome::Transient, 0, None, vec![]),
            ("transient x3 then accepted", 3, Outcome::Accepted, 0, None, vec![]),
            ("transient x3 then accepted", 1_000, Outcome::Accepted, 0, None, vec![]),
            ("rate limited for 10s", 0, Outcome::RateLimited, 0, Some(10), vec![]),
            ("rate limited for 4s then accepted", 1, Outcome::Accepted, 0, None, vec![]),
            ("recipient fault", 0, Outcome::RecipientFault, 0, None, vec![]),
            ("content fault after 1s", 0, Outcome::ContentFault, 1, None, vec![]),
            ("account fault", 0, Outcome::AccountFault, 0, None, vec![]),
            (
                "in doubt, delivered after 3s",
                0,
                Outcome::InDoubt,
                0,
                None,
                vec![(3, Confirmation::Delivered)],
            ),
            (
                "accepted after 40s, delivered after 2s",
                0,
                Outcome::Accepted,
                40,
                None,
                vec![(2, Confirmation::Delivered)],
            ),
            (
                "accepted, delivered after 10s x2 then accepted, replied \"1\" after 20s",
                1,
                Outcome::Accepted,
                0,
                None,
                vec![(10, Confirmation::Delivered)],
            ),
        ] {
            let step = Script::parse(text).unwrap_or_else(|f| panic!("{text}: {f:?}")).attempt(n).clone();
            assert_eq!((step.outcome, step.answer_after), (outcome, s(answer)), "{text}");
            assert_eq!(step.rate_limited_for, limited.map(s), "{text}");
            let then: Vec<Later> = then
                .into_iter()
                .map(|(after, c)| Later { after: s(after), what: LaterWhat::Confirmed(c, None) })
                .collect();
            assert_eq!(step.then, then, "{text}");
        }
        let replied =
            Script::parse("accepted, replied \"YES; \\\"now\\\"\" after 20s, failed after 1m").unwrap();
        let step = replied.attempt(0);
        assert_eq!(
            step.then[0].what,
            LaterWhat::Confirmed(Confirmation::Replied, Some("YES; \"now\"".into()))
        );
        assert_eq!(step.then[1], Later { after: s(60), what: LaterWhat::Failed });
    }

    #[test]
    fn every_fault_is_told_at_once() {
        assert_eq!(
            faults("acepted then transient, delivered after 2s then accepted, delivered after 2sec"),
            [
                "acepted: unknown outcome `acepted`",
                "delivered after 2s: nothing comes later of an attempt that was not taken: `delivered after 2s`",
                "2sec: `sec` in `2sec` is not a unit of time",
            ]
        );
        for text in [
            "",
            "then",
            "accepted then",
            "accepted,",
            "accepted after",
            "accepted x0",
            "accepted x1001",
            "accepted \"x\"",
            "delivered",
            "rate limited for",
            "accepted, replied \"x",
        ] {
            assert!(!faults(text).is_empty(), "{text} was taken");
        }
    }

    #[test]
    fn scripts_are_looked_up_by_provider_then_by_channel() {
        let scripts = Scripts::parse("meta: transient; whatsapp: accepted, replied \"a; b: c\"; ").unwrap();
        assert_eq!(scripts.of("meta", Channel::Whatsapp).map(|s| s.0), Some("meta"));
        assert_eq!(scripts.of("other", Channel::Whatsapp).map(|s| s.0), Some("whatsapp"));
        assert_eq!(scripts.of("other", Channel::Sms), None);
        assert!(Scripts::parse("sms: accepted; sms: transient").is_err());
        assert!(Scripts::parse("accepted").is_err());
    }

    #[test]
    fn a_script_confirms_only_what_can_be_confirmed() {
        let scripts =
            Scripts::parse("sms: accepted, read after 1s; slack: accepted, replied; webhook: accepted")
                .unwrap();
        let of_channel = |key: &str| key.parse::<Channel>().ok().map(|c| c.default_confirmations().to_vec());
        let faults = scripts.check(of_channel);
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].1.message, "`sms` cannot confirm `read`");
    }

    #[test]
    fn what_is_not_scripted_is_accepted_and_delivered_where_it_can_be() {
        assert_eq!(Script::default_for(Channel::Sms.default_confirmations()).attempt(0).then.len(), 1);
        assert_eq!(Script::default_for(Channel::Slack.default_confirmations()).attempt(0).then.len(), 0);
    }
}
