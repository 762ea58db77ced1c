//! The sandbox: answers and receipts from outcome scripts. It does no I/O; when an answer comes is
//! for the engine, which keeps the scope's clock.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Kind, Opened, schema};
use crate::model::{Channel, Confirmation, Fault};

/// The kind.
#[derive(Debug, Clone, Copy)]
pub struct Sandbox;

/// Takes no setting and no credential.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SandboxSettings {}

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
            .filter_map(|(value, under)| schema::read::<SandboxSettings>(&value, under).err())
            .flatten()
            .collect()
    }

    fn open(&self, settings: &Value, credentials: &Value) -> Result<Opened, Vec<Fault>> {
        let faults = self.check(settings, credentials);
        if faults.is_empty() { Ok(Opened::Scripted) } else { Err(faults) }
    }
}

/// The script of an address that stands for an outcome; `None` where it is like any other.
/// `confirms` is what the provider can confirm on the channel beyond acceptance: a script holds no
/// more than that.
#[must_use]
pub fn magic(address: &str, confirms: &[Confirmation]) -> Option<&'static str> {
    let wanted = match address.rsplit_once('@') {
        Some((local, _)) => MAGIC.iter().find(|magic| local.eq_ignore_ascii_case(magic.local_part)),
        None => MAGIC.iter().find(|magic| address.ends_with(magic.last_digits)),
    };
    wanted.map(|magic| fitting(magic.scripts, confirms))
}

/// The script of a channel where neither the message nor its address says otherwise.
#[must_use]
pub fn default_script(confirms: &[Confirmation]) -> &'static str {
    fitting(DELIVERED, confirms)
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
            assert_eq!(magic(address, sms), script, "{address}");
        }
    }

    #[test]
    fn a_default_script_confirms_no_more_than_its_channel_can() {
        let of = |channel: Channel| default_script(channel.default_confirmations());
        assert_eq!(of(Channel::Push), "accepted, delivered after 1s");
        assert_eq!(of(Channel::Slack), "accepted");
        assert_eq!(of(Channel::Webhook), "accepted");
        let replies = |channel: Channel| magic("0007", channel.default_confirmations());
        assert_eq!(replies(Channel::Telegram), Some("accepted, replied \"YES\" after 2s"));
        assert_eq!(replies(Channel::Push), Some("accepted, delivered after 1s"));
    }
}
