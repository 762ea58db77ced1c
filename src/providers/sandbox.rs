//! The sandbox: answers and receipts from outcome scripts. It does no I/O; when an answer comes is
//! for the engine, which keeps the scope's clock.

use std::borrow::Cow;
use std::sync::LazyLock;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::schema::Reader;
use super::{Answer, Kind, Opened, Report};
use crate::language::script::{LaterWhat, Script, Scripts};
use crate::model::{Channel, Confirmation, Fault, Id, Outcome, Span, kinds};

/// The kind.
#[derive(Debug, Clone, Copy)]
pub struct Sandbox;

/// Takes no setting and no credential.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SandboxSettings {}

static SETTINGS: LazyLock<Reader<SandboxSettings>> = LazyLock::new(Reader::new);

impl Kind for Sandbox {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    fn doc(&self) -> &'static str {
        "Stands behind every test key and reaches nobody. What it answers comes from the message's `sandbox` \
         scripts, else from magic addresses, else it is the channel's default: `accepted, delivered after 1s`, \
         or `accepted` where the channel cannot confirm delivery. Magic addresses end in 0001 (delivered), \
         0002 (recipient fault), 0003 (silent), 0004 (transient), 0005 (in doubt), 0006 (account fault) or \
         0007 (reply), or are an e-mail address of that local part: `delivered@`, `recipient-fault@`, \
         `silent@`, `transient@`, `in-doubt@`, `account-fault@`, `reply@`. Takes no settings."
    }

    fn channels(&self) -> &'static [Channel] {
        Channel::ALL
    }

    fn settings_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<SandboxSettings>()
    }

    fn credentials_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<SandboxSettings>()
    }

    fn check(&self, settings: &Value, credentials: &Value) -> Vec<Fault> {
        let none = Value::Object(Map::new());
        let or_none = |value| if Value::is_null(value) { none.clone() } else { Value::clone(value) };
        [(or_none(settings), "/settings"), (or_none(credentials), "/credentials")]
            .into_iter()
            .filter_map(|(value, under)| SETTINGS.read(&value, under).err())
            .flatten()
            .collect()
    }

    fn open(&self, settings: &Value, credentials: &Value) -> Result<Opened, Vec<Fault>> {
        let faults = self.check(settings, credentials);
        if faults.is_empty() { Ok(Opened::Scripted) } else { Err(faults) }
    }
}

/// The script of a send, and the key under which its attempts are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen<'a> {
    /// The provider's or channel's name in the message's `sandbox`; none where the address or the
    /// default decides, whose scripts are the same for every attempt.
    pub key: Option<&'a str>,
    /// What is answered.
    pub script: Cow<'a, Script>,
}

/// Which script decides: the message's own, else that of a magic address, else the default.
/// `confirms` is what the provider can confirm on the channel beyond acceptance.
#[must_use]
pub fn choose<'a>(
    scripts: &'a Scripts,
    provider: &str,
    channel: Channel,
    address: &str,
    confirms: &[Confirmation],
) -> Chosen<'a> {
    if let Some((key, script)) = scripts.of(provider, channel) {
        return Chosen { key: Some(key), script: Cow::Borrowed(script) };
    }
    let script = magic(address, confirms).unwrap_or_else(|| Script::default_for(confirms));
    Chosen { key: None, script: Cow::Owned(script) }
}

/// The script of an address that stands for an outcome; `None` where it is like any other.
/// It confirms no more than `confirms` holds.
#[must_use]
pub fn magic(address: &str, confirms: &[Confirmation]) -> Option<Script> {
    let wanted = match address.rsplit_once('@') {
        Some((local, _)) => MAGIC.iter().find(|magic| local.eq_ignore_ascii_case(magic.local_part)),
        None => MAGIC.iter().find(|magic| address.ends_with(magic.last_digits)),
    };
    wanted.and_then(|magic| Script::parse(fitting(magic.scripts, confirms)).ok())
}

/// What the sandbox does with one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// How long the answer takes.
    pub answer_after: Span,
    /// The answer.
    pub answer: Answer,
    /// What comes later, in the order of the script; the times count from the answer.
    pub later: Vec<Planned>,
}

/// Something that is told after the answer.
#[derive(Clone, PartialEq, Eq)]
pub enum Planned {
    /// A receipt.
    Receipt {
        /// How long after the answer.
        after: Span,
        /// What it reports.
        report: Report,
    },
    /// A person's reply.
    Reply {
        /// How long after the answer.
        after: Span,
        /// What they wrote.
        text: String,
    },
}

impl std::fmt::Debug for Planned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Planned::Receipt { after, report } => {
                f.debug_struct("Receipt").field("after", after).field("report", report).finish()
            }
            Planned::Reply { after, .. } => {
                f.debug_struct("Reply").field("after", after).finish_non_exhaustive()
            }
        }
    }
}

/// What the text of a reply is where a script gives none.
const REPLY_TEXT: &str = "YES";

/// What the sandbox does with attempt `n` (from 0) of a script's key. The same arguments give the
/// same plan, so that after a restart what is still to come is known from the attempts alone.
#[must_use]
pub fn plan(script: &Script, n: usize, attempt: Id<kinds::Attempt>) -> Plan {
    let step = script.attempt(n);
    let mut answer = Answer::of(step.outcome);
    answer.retry_after = step.rate_limited_for;
    answer.provider_message_id = (step.outcome == Outcome::Accepted).then(|| message_id(attempt));
    let later = step.then.iter().map(|later| match &later.what {
        LaterWhat::Confirmed(Confirmation::Replied, text) => {
            Planned::Reply { after: later.after, text: text.clone().unwrap_or_else(|| REPLY_TEXT.to_owned()) }
        }
        LaterWhat::Confirmed(confirmation, _) => {
            Planned::Receipt { after: later.after, report: Report::Confirmed(*confirmation) }
        }
        LaterWhat::Failed => Planned::Receipt {
            after: later.after,
            report: Report::Failed { fault: None, address_gone: false },
        },
    });
    Plan { answer_after: step.answer_after, later: later.collect(), answer }
}

/// The sandbox's own id for what it took.
fn message_id(attempt: Id<kinds::Attempt>) -> String {
    format!("sandbox-{attempt}")
}

/// One kind of magic address.
struct Magic {
    last_digits: &'static str,
    local_part: &'static str,
    scripts: &'static [Wording],
}

/// A script, and what a channel must be able to confirm for it.
struct Wording {
    needs: &'static [Confirmation],
    script: &'static str,
}

static DELIVERED: &[Wording] = &[
    Wording { needs: &[Confirmation::Delivered], script: "accepted, delivered after 1s" },
    Wording { needs: &[], script: "accepted" },
];

static REPLY: &[Wording] = &[
    Wording {
        needs: &[Confirmation::Delivered, Confirmation::Replied],
        script: "accepted, delivered after 1s, replied \"YES\" after 2s",
    },
    Wording { needs: &[Confirmation::Replied], script: "accepted, replied \"YES\" after 2s" },
    Wording { needs: &[Confirmation::Delivered], script: "accepted, delivered after 1s" },
    Wording { needs: &[], script: "accepted" },
];

static MAGIC: &[Magic] = &[
    Magic { last_digits: "0001", local_part: "delivered", scripts: DELIVERED },
    Magic { last_digits: "0002", local_part: "recipient-fault", scripts: &[always("recipient fault")] },
    Magic { last_digits: "0003", local_part: "silent", scripts: &[always("accepted")] },
    Magic { last_digits: "0004", local_part: "transient", scripts: &[always("transient")] },
    Magic { last_digits: "0005", local_part: "in-doubt", scripts: &[always("in doubt")] },
    Magic { last_digits: "0006", local_part: "account-fault", scripts: &[always("account fault")] },
    Magic { last_digits: "0007", local_part: "reply", scripts: REPLY },
];

const fn always(script: &'static str) -> Wording {
    Wording { needs: &[], script }
}

/// The first wording that the channel can keep; the last of each needs nothing.
fn fitting(scripts: &'static [Wording], confirms: &[Confirmation]) -> &'static str {
    scripts
        .iter()
        .find(|wording| wording.needs.iter().all(|needed| confirms.contains(needed)))
        .map_or("accepted", |wording| wording.script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magic_addresses_are_the_same_on_all_channels() {
        let sms = Channel::Sms.default_confirmations();
        for (address, script) in [
            ("+4915112340001", Some("accepted, delivered after 1s")),
            ("device-token-0001", Some("accepted, delivered after 1s")),
            ("delivered@example.org", Some("accepted, delivered after 1s")),
            ("+4915112340002", Some("recipient fault")),
            ("recipient-fault@example.org", Some("recipient fault")),
            ("silent@example.org", Some("accepted")),
            ("+4915112340004", Some("transient")),
            ("in-doubt@example.org", Some("in doubt")),
            ("+4915112340006", Some("account fault")),
            ("Reply@example.org", Some("accepted, delivered after 1s, replied \"YES\" after 2s")),
            ("+4915112345678", None),
            ("someone@example.org", None),
            ("0001@example.org", None),
        ] {
            assert_eq!(magic(address, sms), script.map(|text| Script::parse(text).unwrap()), "{address}");
        }
    }

    #[test]
    fn every_script_of_ours_can_be_read_and_confirms_no_more_than_its_channel() {
        for magic in MAGIC {
            for channel in Channel::ALL {
                let confirms = channel.default_confirmations();
                let script = super::magic(magic.last_digits, confirms).unwrap();
                assert_eq!(script.beyond(confirms), [], "{} on {channel}", magic.local_part);
            }
        }
        let replies = |channel: Channel| fitting(REPLY, channel.default_confirmations());
        assert_eq!(replies(Channel::Telegram), "accepted, replied \"YES\" after 2s");
        assert_eq!(replies(Channel::Push), "accepted, delivered after 1s");
        assert_eq!(replies(Channel::Webhook), "accepted");
    }

    #[test]
    fn a_messages_own_script_comes_before_its_address_and_that_before_the_default() {
        let scripts = Scripts::parse("a: transient; sms: content fault").unwrap();
        let sms = Channel::Sms.default_confirmations();
        let of = |scripts, provider, address| {
            let chosen = choose(scripts, provider, Channel::Sms, address, sms);
            (chosen.key.map(str::to_owned), chosen.script.attempt(0).outcome)
        };
        assert_eq!(of(&scripts, "a", "0002"), (Some("a".into()), Outcome::Transient));
        assert_eq!(of(&scripts, "b", "0002"), (Some("sms".into()), Outcome::ContentFault));
        let none = Scripts::default();
        assert_eq!(of(&none, "a", "0002"), (None, Outcome::RecipientFault));
        assert_eq!(of(&none, "a", "+491"), (None, Outcome::Accepted));
    }

    #[test]
    fn a_plan_follows_from_the_script_and_the_number_of_the_attempt() {
        let text = "rate limited for 10s then accepted after 200ms, read after 2s, replied \"NO\" after 3s then accepted, failed after 5s";
        let script = Script::parse(text).unwrap();
        let id = Id::from_u128(7);
        let first = plan(&script, 0, id);
        assert_eq!(first.answer.outcome, Outcome::RateLimited);
        assert_eq!(
            (first.answer.retry_after, first.answer.provider_message_id),
            (Some(Span::from_s(10)), None)
        );
        let second = plan(&script, 1, id);
        assert_eq!(second.answer_after, Span::from_ms(200));
        assert_eq!(second.answer.provider_message_id, Some(format!("sandbox-{id}")));
        assert_eq!(
            second.later,
            [
                Planned::Receipt { after: Span::from_s(2), report: Report::Confirmed(Confirmation::Read) },
                Planned::Reply { after: Span::from_s(3), text: "NO".into() },
            ]
        );
        for n in [2, 3, 1_000] {
            let failed = Report::Failed { fault: None, address_gone: false };
            assert_eq!(
                plan(&script, n, id).later,
                [Planned::Receipt { after: Span::from_s(5), report: failed }]
            );
        }
    }
}
