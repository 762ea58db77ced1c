//! What of the machine the histories reach.

use std::collections::BTreeMap;

use serde_json::Value;
use spine::machine::Was;
use spine::model::{Reason, Status};

use super::edges;

/// How often each thing came to pass.
#[derive(Debug, Clone, Default)]
pub(crate) struct Coverage {
    pub(crate) events: BTreeMap<&'static str, u64>,
    pub(crate) reasons: BTreeMap<&'static str, u64>,
    pub(crate) ends: BTreeMap<&'static str, u64>,
    pub(crate) edges: BTreeMap<&'static str, u64>,
    pub(crate) messages: u64,
}

impl Coverage {
    /// Adds the transitions of a message, which is of a policy of the world as that stands at the beginning,
    /// where one is named.
    pub(crate) fn add(&mut self, lines: &[Value], policy: Option<&str>) {
        self.messages += 1;
        let text =
            |line: &Value, name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        for edge in policy.map(|name| edges::taken(name, lines)).unwrap_or_default() {
            *self.edges.entry(edge).or_default() += 1;
        }
        for line in lines {
            let event = text(line, "event");
            if let Some(word) = Was::WORDS.iter().find(|word| **word == event) {
                *self.events.entry(word).or_default() += 1;
            }
            let detail = text(line, "detail");
            let word = detail.split(':').next().unwrap_or_default();
            if matches!(
                event.as_str(),
                "stage_failed" | "stage_skipped" | "message_ended" | "send_failed" | "attempt_refused"
            ) && let Some(reason) = Reason::WORDS.iter().find(|known| **known == word)
            {
                *self.reasons.entry(reason).or_default() += 1;
            }
            if event == "message_ended" {
                let to = text(line, "to");
                if let Some(status) = Status::WORDS.iter().find(|known| **known == to) {
                    *self.ends.entry(status).or_default() += 1;
                }
            }
        }
    }

    /// Adds another's counts.
    pub(crate) fn merge(&mut self, other: &Coverage) {
        self.messages += other.messages;
        for (own, others) in [
            (&mut self.events, &other.events),
            (&mut self.reasons, &other.reasons),
            (&mut self.ends, &other.ends),
            (&mut self.edges, &other.edges),
        ] {
            for (word, times) in others {
                *own.entry(word).or_default() += times;
            }
        }
    }

    /// What was never reached.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let events = Was::WORDS.iter().filter(|word| !self.events.contains_key(*word));
        let reasons = Reason::WORDS.iter().filter(|word| !self.reasons.contains_key(*word));
        let ends = Status::WORDS.iter().filter(|word| **word != "queued" && !self.ends.contains_key(*word));
        let edges = edges::WORDS.iter().filter(|word| !self.edges.contains_key(*word));
        events.chain(reasons).chain(ends).chain(edges).copied().collect()
    }

    /// As a table.
    pub(crate) fn shown(&self) -> String {
        let mut text = String::new();
        for (name, all, counts) in [
            ("transitions", Was::WORDS, &self.events),
            ("reasons", Reason::WORDS, &self.reasons),
            ("ends", Status::WORDS, &self.ends),
            ("edges", &edges::WORDS[..], &self.edges),
        ] {
            text.push_str(&format!("{name}\n"));
            for word in all {
                text.push_str(&format!(
                    "  {word:<22} {:>12}\n",
                    counts.get(word).copied().unwrap_or_default()
                ));
            }
        }
        text
    }
}
