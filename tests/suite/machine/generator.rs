//! Policies, scripts and events, made at random: every policy compiles.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use spine::machine::catalog::{Catalog, CatalogProvider};
use spine::machine::{StageId, What};
use spine::model::{Channel, Confirmation, Outcome, Span};

/// The channels that generated policies use.
const CHANNELS: [Channel; 5] =
    [Channel::Sms, Channel::Whatsapp, Channel::Email, Channel::Push, Channel::Webhook];

/// How many of the richer parts a policy may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taste {
    /// `all of`, besides `any of`.
    pub(crate) all_of: bool,
    /// `between`, `quiet` and `wait until`.
    pub(crate) windows: bool,
    /// Every goal is a reply, so that other receipts reach nothing.
    pub(crate) replies: bool,
    /// `if` and `unless`.
    pub(crate) guards: bool,
}

/// Two providers that serve every channel, the second dearer.
pub(crate) fn catalog() -> Catalog {
    let provider = |name: &str, price: &str| CatalogProvider {
        name: name.to_owned(),
        channels: CHANNELS.into(),
        prices: CHANNELS.iter().map(|channel| (*channel, price.parse().unwrap())).collect(),
        ..CatalogProvider::default()
    };
    let providers = vec![provider("a", "0.05 EUR"), provider("b", "0.07 EUR")];
    Catalog { providers: Some(providers), ..Catalog::default() }
}

fn optional(text: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    prop_oneof![3 => Just(String::new()), 1 => text].boxed()
}

fn after() -> BoxedStrategy<String> {
    optional(select(vec!["10s", "30s", "10m", "2h", "3d"]).prop_map(|span| format!(" after {span}")))
}

fn between(taste: Taste) -> BoxedStrategy<String> {
    if !taste.windows {
        return Just(String::new()).boxed();
    }
    optional(
        select(vec!["09:00 and 18:00", "20:00 and 06:00", "12:00 and 12:05 on weekdays"])
            .prop_map(|window| format!(" between {window} in UTC")),
    )
}

fn channel_stage(taste: Taste) -> BoxedStrategy<String> {
    let channels = if taste.replies { &CHANNELS[..3] } else { &CHANNELS };
    let channel = select(channels).prop_flat_map(move |channel| {
        if taste.replies {
            return Just(format!("{channel} until replied")).boxed();
        }
        let mut goals = vec![Confirmation::Accepted];
        goals.extend(channel.default_confirmations());
        optional(select(goals).prop_map(|goal| format!(" until {goal}")))
            .prop_map(move |until| format!("{channel}{until}"))
            .boxed()
    });
    let route = optional(select(vec![" via a", " via b or a", " via 30% a, 70% b"]).prop_map(str::to_owned));
    let guard = optional(
        select(vec![
            "unless quota",
            "unless delivered",
            "if sends < 2",
            "if elapsed < 1h",
            "if vars.x > 1",
            "unless contact has push",
        ])
        .prop_map(|guard| format!(" {guard}")),
    );
    let guard = if taste.guards { guard } else { Just(String::new()).boxed() };
    let retry = optional(
        select(vec!["0 times every 1s", "1 times every 20s", "3 times backoff 1s to 1h"])
            .prop_map(|retry| format!(" retry {retry}")),
    );
    let repeat = optional(
        select(vec!["1 times every 5m", "2 times every 15s"]).prop_map(|repeat| format!(" repeat {repeat}")),
    );
    let doubt = optional(select(vec![" on doubt move on", " on doubt resend"]).prop_map(str::to_owned));
    (channel, route, after(), guard, retry, repeat, doubt, between(taste))
        .prop_map(|(channel, route, after, guard, retry, repeat, doubt, between)| {
            // The route stands by its channel; the order of the others is free.
            let (name, until) =
                channel.split_once(' ').map_or((channel.as_str(), ""), |(name, rest)| (name, rest));
            format!("{name}{route} {until}{retry}{guard}{after}{repeat}{between}{doubt}")
        })
        .boxed()
}

fn strategy(taste: Taste, depth: u32) -> BoxedStrategy<String> {
    let wait = if taste.windows {
        select(vec!["wait 1m", "wait 2h", "wait until 09:00 in UTC"]).boxed()
    } else {
        select(vec!["wait 1m", "wait 2h"]).boxed()
    };
    let stage = if depth == 0 {
        prop_oneof![6 => channel_stage(taste), 1 => wait.prop_map(str::to_owned)].boxed()
    } else {
        let kinds = if taste.all_of { vec!["any of", "all of"] } else { vec!["any of"] };
        let members = prop::collection::vec(strategy(taste, depth - 1), 1..=3);
        let guard = optional(select(vec![" unless delivered", " if sends < 3"]).prop_map(str::to_owned));
        let guard = if taste.guards { guard } else { Just(String::new()).boxed() };
        let group = (select(kinds), members, after(), guard, between(taste)).prop_map(
            |(kind, members, after, guard, between)| {
                format!("{kind} ({}){after}{guard}{between}", members.join(", "))
            },
        );
        prop_oneof![5 => channel_stage(taste), 1 => wait.prop_map(str::to_owned), 2 => group].boxed()
    };
    prop::collection::vec(stage, 1..=3).prop_map(|stages| stages.join(" then ")).boxed()
}

/// A policy's text.
pub(crate) fn policy(taste: Taste) -> BoxedStrategy<String> {
    let expires = optional(select(vec!["expires after 25m\n", "expires after 3d\n"]).prop_map(str::to_owned));
    let limit =
        optional(select(vec!["limit 2 sends\n", "limit 5 sends, 0.15 EUR\n"]).prop_map(str::to_owned));
    let quiet = if taste.windows {
        optional(Just("quiet 12:10 to 13:00 in UTC\n".to_owned()))
    } else {
        Just(String::new()).boxed()
    };
    let otherwise = optional(Just(" otherwise fail \"why\"".to_owned()));
    (expires, limit, quiet, strategy(taste, 2), otherwise)
        .prop_map(|(expires, limit, quiet, strategy, otherwise)| {
            format!("policy test {{ {expires}{limit}{quiet}vars {{ x: number optional }}\n{strategy}{otherwise} }}")
        })
        .boxed()
}

/// A script's text for the two providers: answers that take no time, nobody rate limited, receipts
/// within the horizon.
pub(crate) fn script() -> BoxedStrategy<String> {
    let answer = prop_oneof![
        4 => (select(vec!["accepted", "in doubt"]), receipt())
            .prop_map(|(answer, receipt)| format!("{answer}{receipt}")),
        3 => select(vec!["transient", "transient x2", "recipient fault", "content fault", "account fault"])
            .prop_map(str::to_owned),
    ];
    let one = prop::collection::vec(answer, 1..5).prop_map(|answers| answers.join(" then "));
    (one.clone(), one).prop_map(|(a, b)| format!("a: {a}; b: {b}")).boxed()
}

fn receipt() -> BoxedStrategy<String> {
    let delay = select(vec!["0s", "1s", "29s", "5m", "11m", "1d"]);
    optional(
        (select(vec!["failed", "delivered"]), delay)
            .prop_map(|(what, delay)| format!(", {what} after {delay}")),
    )
}

/// Facts' text.
pub(crate) fn facts() -> BoxedStrategy<String> {
    let all = vec![
        "contact.has.sms=false",
        "contact.has.push=false",
        "quota.sms=used",
        "quota.email=used",
        "opted_out.whatsapp=true",
        "breaker.a=open",
        "vars.x=5",
    ];
    prop_oneof![2 => Just(String::new()), 1 => subsequence(all, 0..4).prop_map(|facts| facts.join(", "))]
        .boxed()
}

/// An event, most of them about nothing that exists.
pub(crate) fn event() -> BoxedStrategy<What> {
    let attempt = 0..9_u32;
    let level = select(Confirmation::ALL.to_vec());
    let outcome = select(Outcome::ALL.to_vec());
    let pause = prop::option::of((0..8_000_000_i64).prop_map(Span::from_ms));
    let channel = prop::option::weighted(0.8, select(CHANNELS.to_vec()));
    prop_oneof![
        1 => Just(What::Accepted),
        8 => Just(What::Due),
        8 => (attempt.clone(), outcome.clone(), pause)
            .prop_map(|(attempt, outcome, retry_after)| What::Answered { attempt, outcome, retry_after }),
        3 => (attempt.clone(), level.clone()).prop_map(|(attempt, level)| What::Confirmed { attempt, level }),
        2 => (attempt, prop::option::of(outcome))
            .prop_map(|(attempt, fault)| What::FailedLater { attempt, fault }),
        1 => (0..9_u16).prop_map(|stage| What::Ready { stage: StageId(stage) }),
        1 => (level, channel).prop_map(|(level, channel)| What::ConfirmedByCaller { level, channel }),
    ]
    .boxed()
}

/// Times between events, in milliseconds; some go back.
pub(crate) fn pause_ms() -> BoxedStrategy<i64> {
    prop_oneof![4 => Just(0), 4 => 0..2_000_000_i64, 1 => 0..200_000_000_i64, 1 => -5_000_000..0_i64].boxed()
}

/// How often each attempt was confirmed or failed, for tests of order.
pub(crate) type Receipts = Vec<(u32, Option<Confirmation>)>;

/// Receipts for the attempts from 1, each as often as it likes.
pub(crate) fn receipts(attempts: u32) -> BoxedStrategy<Receipts> {
    let level = prop::option::of(select(vec![Confirmation::Delivered, Confirmation::Read]));
    prop::collection::vec((1..=attempts.max(1), level), 1..5).boxed()
}
