//! Policies in plain English: the words for those of the repository, and what holds of any.

use std::fmt::Write as _;
use std::path::Path;

use proptest::prelude::*;
use spine::language::{NoLibrary, compile};
use spine::machine::catalog::{Catalog, CatalogProvider};
use spine::model::{Channel, Span};
use spine::workbench::explain::explain;

use super::format::policies;
use super::generator::{Taste, catalog, policy};
use super::properties::config;
use crate::meaning::machine;

/// Run with `UPDATE_CASES=1` to write what came, and read it aloud.
#[test]
fn the_policies_of_the_repository_read_as_they_were_read_aloud() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/explain");
    let mut wrong = String::new();
    for (path, source) in policies() {
        let stem = Path::new(&path).file_stem().unwrap().to_str().unwrap();
        for policy in compile(&source, Some(stem), &NoLibrary).policies {
            let text = explain(&spine::machine::compile(&policy), &Catalog::default()).text;
            let file = folder.join(format!("{}.txt", policy.name));
            if std::env::var_os("UPDATE_CASES").is_some() {
                std::fs::write(&file, &text).unwrap();
            }
            if std::fs::read_to_string(&file).ok().as_ref() != Some(&text) {
                write!(wrong, "{}:\n{text}\n", file.display()).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn what_after_means_is_said_for_each_place() {
    let said = |policy: &str, words: &str| {
        let text = explain(&machine(policy), &Catalog::default()).text;
        let folded = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(folded.contains(words), "{words}\nis not in\n{text}");
    };
    said("sms", "1. An SMS. It starts when the message starts.");
    said("sms after 5m", "It starts 5 minutes after the message starts.");
    said(
        "sms then email",
        "It starts as soon as step 1 was tried and has failed; while that waits for a confirmation, this does not start.",
    );
    said(
        "sms then email after 1h30m",
        "It starts as soon as step 1 was tried and has failed, and otherwise 1 hour and 30 minutes after step 1 started, if that has not been reached by then.",
    );
    said("sms then wait 10m then email", "3. An e-mail. It starts when the wait of step 2 is over.");
    said("sms then wait 10m then email after 1m", "It starts 1 minute after the wait of step 2 is over.");
    said("any of (sms after 20m, email)", "1a. An SMS. It starts 20 minutes after step 1 starts.");
    said(
        "any of (sms then voice, email)",
        "1a.2. A voice call. It starts as soon as step 1a.1 was tried and has failed;",
    );
    said(
        "slack",
        "It is reached once it is accepted by a provider, since no provider of it confirms a delivery.",
    );
    said("sms until replied otherwise fail \"no\"", "as “failed”, with the reason “no”.");
    said(
        "sms if not (quota or vars.a > 1) and not read",
        "It starts only if it is not so that (the quota for SMS is used up or the message's “a” is more than 1) and nothing that was sent for this message has been confirmed as replied to by then",
    );
    said("sms retry 0 times every 1s", "it is not tried again.");
}

#[test]
fn what_providers_cannot_do_is_not_said() {
    let said = |policy: &str, catalog: &Catalog| {
        let text = explain(&machine(policy), catalog).text;
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let none = Catalog::default();
    let sms = said("sms then voice after 5m unless delivered", &none);
    assert!(
        sms.contains("once it is confirmed as delivered or replied to") && !sms.contains(", read"),
        "{sms}"
    );
    assert!(said("push until read", &none).contains("It is reached once it is confirmed as read."));
    assert!(said("slack", &none).contains("as “delivered” where something that was sent is replied to;"));
    let days = "no moment of the coming 8 days";
    assert!(!said("policy p { quiet 21:00 to 08:00 in UTC sms }", &none).contains(days));
    assert!(said("sms between 09:00 and 18:00 in UTC", &none).contains(days));
    let price = "A provider whose price";
    assert!(!said("policy p { limit 5 sends sms }", &none).contains(price));
    assert!(said("policy p { limit 5 sends, 1 EUR sms }", &none).contains(price));
    // How long each is waited for.
    let provider = |name: &str, horizon: &[(Channel, Span)]| CatalogProvider {
        name: name.to_owned(),
        channels: [Channel::Sms, Channel::Voice].into(),
        horizon: horizon.iter().copied().collect(),
        ..CatalogProvider::default()
    };
    let long = [(Channel::Sms, Span::from_s(72 * 3_600))];
    let of = |providers: Vec<CatalogProvider>| Catalog { providers: Some(providers), ..Catalog::default() };
    assert!(said("sms", &of(vec![provider("a", &long)])).contains("(3 days after acceptance)"));
    assert!(said("voice", &of(vec![provider("a", &long)])).contains("(1 day after acceptance)"));
    let both = said("sms then sms via b", &of(vec![provider("a", &long), provider("b", &[])]));
    let waits = "(counted from acceptance, 3 days for an SMS by a and 1 day for an SMS by b)";
    assert!(both.contains(waits), "{both}");
}

proptest! {
    #![proptest_config(config(128))]

    #[test]
    fn every_policy_is_explained_within_its_bounds(
        policy in policy(Taste { all_of: true, windows: true, replies: false, guards: true }),
    ) {
        let machine = machine(&policy);
        let explained = explain(&machine, &catalog());
        let sends: Vec<i64> =
            explained.when_silent.iter().filter(|entry| entry.what == "send").map(|entry| entry.at_ms).collect();
        prop_assert!(sends.len() <= explained.bounds.sends_max as usize, "{}", explained.text);
        let last = sends.last().copied().unwrap_or_default();
        prop_assert!(explained.bounds.duration_max_ms.is_some_and(|most| last <= most), "{}", explained.text);
        prop_assert!(explained.when_silent.iter().all(|entry| entry.at_ms <= explained.when_silent_end.at_ms));
        // Each channel stage is a step with a goal of its own.
        let goals = explained.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let goals = goals.matches("It is reached once it ").count();
        prop_assert_eq!(goals, machine.channel_stages().count(), "{}", explained.text);
        prop_assert!(explained.text.lines().all(|line| line.chars().count() <= 110), "{}", explained.text);
        prop_assert!(!explained.text.contains("  \n") && !explained.text.contains(" ."), "{}", explained.text);
    }
}
