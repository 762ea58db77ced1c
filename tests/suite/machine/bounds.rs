//! Bounds against what can happen: never too low, and met by some script where they claim to be.

use spine::language::facts_text::GivenFacts;
use spine::language::script::Scripts;
use spine::machine::catalog::{Catalog, CatalogProvider};
use spine::machine::{Bounds, Machine, Scenario, all_endings, bounds, simulate};
use spine::model::Channel;

use super::driver::noon;
use crate::meaning::machine;

/// What each provider may answer: all that changes what a stage sends, or whether the next one starts.
const ANSWERS: [&str; 5] = [
    "accepted",
    "accepted, failed after 1s",
    "in doubt, failed after 1s",
    "transient x1 then accepted",
    "recipient fault",
];

/// One provider a channel, called like it, of a price of its own.
fn catalog() -> Catalog {
    let provider = |(place, channel): (usize, &Channel)| CatalogProvider {
        name: channel.word().to_owned(),
        channels: [*channel].into(),
        prices: [(*channel, format!("0.0{} EUR", place + 1).parse().unwrap())].into(),
        ..CatalogProvider::default()
    };
    let providers = Channel::ALL.iter().enumerate().map(provider).collect();
    Catalog { providers: Some(providers), ..Catalog::default() }
}

/// Every way of giving each of these channels one of the answers.
fn scripts(channels: &[Channel]) -> Vec<String> {
    channels.iter().fold(vec![String::new()], |before, channel| {
        let each = |text: &String| ANSWERS.map(|answer| format!("{text}{channel}: {answer}; "));
        before.iter().flat_map(each).collect()
    })
}

/// The most sends and the highest cost that some script meets.
fn met(machine: &Machine) -> (u32, i64) {
    let mut channels: Vec<Channel> = machine.channel_stages().map(|(_, stage)| stage.channel).collect();
    channels.dedup();
    // Everybody has every address, or one of them is missing.
    let missing = channels.iter().map(|channel| format!("contact.has.{channel}=false"));
    let facts: Vec<String> = std::iter::once(String::new()).chain(missing).collect();
    let scripts = scripts(&channels);
    let runs = facts.iter().flat_map(|facts| scripts.iter().map(move |script| (facts, script)));
    let runs = runs.map(|(facts, script)| {
        let facts = GivenFacts::parse(facts).unwrap();
        let scenario = Scenario::given(machine, &facts, catalog(), noon());
        let run = simulate(&scenario, &Scripts::parse(script).unwrap());
        (run.sends, run.cost.unwrap().micros)
    });
    runs.fold((0, 0), |most, run| (most.0.max(run.0), most.1.max(run.1)))
}

fn measured(machine: &Machine) -> (Bounds, (u32, i64)) {
    let most = bounds(machine, &catalog());
    (most, (most.sends_max, most.cost_max.unwrap().micros))
}

#[test]
fn sends_and_costs_of_small_policies_are_met_by_some_script() {
    let first = [
        "sms",
        "webhook",
        "webhook retry 1 times every 30s",
        "webhook retry 1 times every 31s",
        "sms until accepted on doubt move on",
        "webhook repeat 2 times every 15s on doubt move on",
        "sms repeat 1 times every 15s",
        "sms on doubt resend",
        "webhook between 09:00 and 18:00 in UTC",
        "any of (webhook)",
        "all of (webhook, voice)",
    ];
    let then = [
        "",
        " then email",
        " then email after 30s",
        " then email after 30s then push after 10m",
        " then wait 30s then email",
        " then wait 15s then email after 15s",
        " then any of (wait 15s then email) after 15s",
    ];
    let mut wrong = Vec::new();
    for policy in first.iter().flat_map(|first| then.iter().map(move |then| format!("{first}{then}"))) {
        let machine = machine(&policy);
        let (_, most) = measured(&machine);
        let met = met(&machine);
        if most != met {
            wrong.push(format!("{policy}: measured {most:?}, met {met:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_documented_cases_are_the_ones_in_which_bounds_are_too_high() {
    for policy in [
        // The acceptance of one member ends the others, which count in full.
        "any of (webhook, sms repeat 2 times every 1m)",
        // All that follows counts where a fallback may start beside an attempt within a group.
        "any of (webhook retry 1 times every 30s) then email after 30s then push after 10m",
        // Guards are not looked into.
        "sms then email if sends > 5",
    ] {
        let machine = machine(policy);
        let (most, measured) = measured(&machine);
        let met = met(&machine);
        assert!(measured.0 > met.0 && measured.1 >= met.1, "{policy}: {most:?}, met {met:?}");
    }
}

#[test]
fn no_ending_of_a_policy_is_beyond_its_bounds() {
    for policy in [
        "sms retry 0 times every 1s then email",
        "webhook retry 1 times every 30s then sms retry 0 times every 1s after 30s",
        "any of (webhook retry 0 times every 1s, sms retry 0 times every 1s)",
        "policy test { limit 1 sends\n sms then email retry 0 times every 1s after 30s }",
    ] {
        let machine = machine(policy);
        let (most, _) = measured(&machine);
        let scenario = Scenario::given(&machine, &GivenFacts::default(), catalog(), noon());
        let all = all_endings(&scenario);
        assert!(all.complete, "{policy}");
        // Bounds do not cover providers that ask to be left alone.
        let covered = |script: &String| !script.contains("rate limited");
        for ending in all.endings.iter().filter(|ending| ending.script.values().all(covered)) {
            assert!(ending.sends <= most.sends_max, "{policy}: {most:?} {ending:?}");
            let cost = ending.cost.unwrap().micros;
            assert!(cost <= most.cost_max.unwrap().micros, "{policy}: {most:?} {ending:?}");
        }
    }
}
