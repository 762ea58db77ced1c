//! What would have become of real messages under another version of their policy.
//!
//! The audit holds what each step of a message was given: answers, receipts, and the facts that were
//! asked about. From them the message is run twice more: by its own version, and by another one. What
//! the other one asks and the record does not say is assumed, and each assumption is told.

mod answers;
mod drive;
mod facts;
mod outcome;
mod read;
mod record;
mod report;
mod zone;

use std::collections::BTreeMap;

use crate::machine::Machine;
use crate::machine::catalog::Catalog;

pub use outcome::{Change, Replayed, Told};
pub use read::{Export, Message, ReadFault, Version};
pub use report::{Report, Table, human, json};

use answers::Typical;
use record::Record;

/// Which policy takes whose place.
pub struct Against<'a> {
    /// The policies of the other version.
    pub policies: &'a [Machine],
    /// The one that all messages are run by, whatever theirs was called; `None`: the one of the same
    /// name.
    pub always: Option<&'a str>,
    /// Providers that the record may know nothing of.
    pub catalog: &'a Catalog,
}

/// Runs the messages of an export again, each by its own version and by the other one. `compile` gives
/// the machine of a version of the export.
pub fn replay(
    export: &Export,
    against: &Against<'_>,
    compile: &dyn Fn(&Export, &str) -> Option<Machine>,
) -> Report {
    let mut report = Report::default();
    let mut machines: BTreeMap<String, Option<Machine>> = BTreeMap::new();
    let mut records = Vec::new();
    for message in &export.messages {
        let own = machines.entry(message.policy.clone()).or_insert_with(|| compile(export, &message.policy));
        let name = message.policy.split_once('@').map_or(message.policy.as_str(), |(name, _)| name);
        let wanted = against.always.unwrap_or(name);
        let other = against.policies.iter().find(|policy| policy.name() == wanted);
        let why = match (&own, other) {
            _ if message.ended_at.is_none() => Some("still under way".to_owned()),
            (None, _) => {
                Some("the text of its own version is not in the export, or does not compile".to_owned())
            }
            (_, None) if name.starts_with("inline:") => {
                Some("sent by a strategy of its own; name a policy by `--policy`".to_owned())
            }
            (_, None) => Some(format!("no policy `{wanted}` to run it by")),
            (Some(own), Some(_)) => match Record::of(message, own) {
                Ok(record) => {
                    records.push((message, record));
                    None
                }
                Err(why) => Some(why),
            },
        };
        if let Some(why) = why {
            report.left_out(why);
        }
    }
    let typical = Typical::of(records.iter().map(|(_, record)| record));
    for (message, record) in &records {
        let name = message.policy.split_once('@').map_or(message.policy.as_str(), |(name, _)| name);
        let wanted = against.always.unwrap_or(name);
        let own = machines.get(&message.policy).and_then(Option::as_ref);
        let other = against.policies.iter().find(|policy| policy.name() == wanted);
        if let (Some(own), Some(other)) = (own, other) {
            report.add(drive::both(message, record, own, other, &typical, against.catalog));
        }
    }
    report
}
