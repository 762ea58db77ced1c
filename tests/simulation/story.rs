//! A history told in plain lines.

use super::callers::Request;
use super::check::Broken;
use super::history::{History, POLICIES, What};

/// A request in a few words.
pub(crate) fn asked(request: &Request) -> String {
    match &request.what {
        What::Send(send) => {
            let (name, text) = POLICIES[send.policy];
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            format!("message {} by `{name}` ({text}) to {:?}", request.no, send.to)
        }
        What::Again { of } => format!("message {of} again, under its key"),
        What::Other { of } => format!("another message under the key of {of}"),
        What::Cancel { of } => format!("message {of} is to be canceled"),
        What::Confirm { of, .. } => format!("message {of} is confirmed by its caller"),
        other => format!("{other:?}"),
    }
}

/// The whole story: what was decided beforehand, what happened, and what broke.
pub(crate) fn told(history: &History, lines: &[String], broken: &[Broken]) -> String {
    let mut text = format!(
        "seed {}: {} node(s), a store {}, steps of it up to {} ms\n",
        history.seed,
        history.nodes,
        if history.is_shared { "that they share" } else { "of one node" },
        history.delay_ms
    );
    if history.duties_fail > 0 {
        text.push_str(&format!("{} of 100 questions about leases and duties fail\n", history.duties_fail));
    }
    if let Some(limit) = history.quota {
        text.push_str(&format!("a quota of {limit} text messages a day\n"));
    }
    for (n, line) in (1..).zip(lines) {
        text.push_str(&format!("{n:>4}. {line}\n"));
    }
    for broken in broken {
        text.push_str(&format!(
            "broken, {}: {} ({})\n",
            name(broken.check.invariant()),
            broken.what,
            broken.check.name()
        ));
    }
    text
}

/// What must always hold, by its number.
pub(crate) const fn name(invariant: u8) -> &'static str {
    match invariant {
        1 => "1 (an accepted message is never lost)",
        2 => "2 (no call before its intent is durable)",
        3 => "3 (one transition a change, without gaps, replaying to the state)",
        4 => "4 (one key, one mutation; a quota lets no more pass)",
        5 => "5 (no stage before its time or after the end)",
        6 => "6 (every event is delivered or a dead letter, by one node)",
        7 => "7 (no row of another scope)",
        8 => "8 (an end never changes)",
        9 => "9 (the audit is only added to)",
        _ => "something else",
    }
}
