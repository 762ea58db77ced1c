//! The kinds of requirements. A kind is a file here and one line in [`KINDS`].

mod cost_max;
mod duration_max;
mod ends_in;
mod expires_max;
mod has;
mod never_uses;
mod providers;
mod sends_max;
mod starts_in;
mod uses;
mod uses_only;

use std::str::FromStr;

use crate::language::words::{listed, near, quoted};
use crate::model::Channel;

use super::{Given, Kind};

/// All kinds, in the order of their names.
pub const KINDS: &[Kind] = &[
    cost_max::KIND,
    duration_max::KIND,
    ends_in::KIND,
    expires_max::KIND,
    has::KIND,
    never_uses::KIND,
    providers::KIND,
    sends_max::KIND,
    starts_in::KIND,
    uses::KIND,
    uses_only::KIND,
];

/// What a list of channels may be.
const CHANNELS: &str = "a list of channels, such as `[sms, voice]`";

/// Reads channels.
fn channels(given: &Given) -> Result<Vec<Channel>, Option<String>> {
    let words = given.words().ok_or(None)?;
    words.into_iter().map(|word| Channel::from_str(word).map_err(|_| Some(unknown(word)))).collect()
}

fn unknown(word: &str) -> String {
    match near(word, Channel::WORDS.iter().copied()) {
        Some(meant) => format!("unknown channel {}; did you mean `{meant}`?", quoted(word)),
        None => format!("unknown channel {}; write one such as `sms`, `email` or `push`", quoted(word)),
    }
}

/// `` `sms` or `voice` ``.
fn words(channels: &[Channel], last: &str) -> String {
    listed(channels.iter().map(|channel| channel.word()), last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::{NoLibrary, Severity, compile};
    use crate::lint::house::{HouseRule, Look};
    use crate::machine::catalog::{Catalog, CatalogProvider};
    use crate::model::Money;

    fn catalog() -> Catalog {
        let provider = |channel: Channel, price: &str| CatalogProvider {
            name: channel.word().to_owned(),
            channels: [channel].into(),
            prices: [(channel, price.parse::<Money>().unwrap())].into(),
            ..CatalogProvider::default()
        };
        let providers =
            [(Channel::Sms, "0.07 EUR"), (Channel::Voice, "0.12 EUR"), (Channel::Whatsapp, "0.05 EUR")];
        Catalog {
            providers: Some(providers.into_iter().map(|(channel, price)| provider(channel, price)).collect()),
            ..Catalog::default()
        }
    }

    fn told(kind: &str, given: Given, policy: &str) -> String {
        let kind = KINDS.iter().find(|k| k.name == kind).unwrap();
        let demand = (kind.read)(&given).unwrap_or_else(|error| panic!("{given:?}: {error:?}"));
        let rule = HouseRule {
            name: "rule",
            message: None,
            severity: Severity::Error,
            categories: Vec::new(),
            paths: Vec::new(),
            demands: vec![demand],
        };
        let compiled = compile(policy, Some("p"), &NoLibrary);
        assert!(compiled.is_clean(), "{policy}: {:?}", compiled.diagnostics);
        let (catalog, mut out) = (catalog(), Vec::new());
        let policy_of = compiled.policies.last().unwrap();
        rule.check(&Look::new(policy_of, policy, &catalog), "p", &mut out);
        let line = |found: &crate::language::Diagnostic| {
            format!("{} @ {}", found.message, &policy[found.at.clone()])
        };
        out.iter().map(line).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn names_are_in_order_and_examples_are_read() {
        assert!(KINDS.is_sorted_by_key(|kind| kind.name));
        for kind in KINDS {
            assert!(!kind.takes.is_empty() && !kind.means.is_empty() && !kind.example.is_empty());
            assert!((kind.read)(&Given::Other).is_err(), "{}", kind.name);
            assert!((kind.read)(&Given::Text("nonsense!".into())).is_err() || kind.name == "providers");
        }
    }

    #[test]
    fn the_documentation_names_each() {
        let page = include_str!("../../../../docs/linting.md");
        for kind in KINDS {
            assert!(page.contains(&format!("`{}: ", kind.name)), "{}", kind.name);
        }
    }

    #[test]
    fn each_kind_finds_what_is_beyond_it_and_nothing_else() {
        let text = |text: &str| Given::Text(text.to_owned());
        let list = |words: &[&str]| Given::List(words.iter().map(|w| (*w).to_owned()).collect());
        let phones = || list(&["sms", "voice"]);
        for (kind, given, policy, expected) in [
            ("cost_max", text("0.12 EUR"), "whatsapp then sms", ""),
            (
                "cost_max",
                text("0.11 EUR"),
                "policy x { whatsapp\n then sms }",
                "`x` must cost `0.11 EUR` at most, and can cost `0.12 EUR` @ x",
            ),
            ("cost_max", text("0.11 EUR"), "policy x { limit 2 sends, 0.10 EUR whatsapp then sms }", ""),
            ("sends_max", Given::Number(2), "whatsapp then sms", ""),
            (
                "sends_max",
                Given::Number(1),
                "whatsapp then sms",
                "`p` must send 1 time at most, and can send 2 times @ whatsapp then sms",
            ),
            ("duration_max", text("10m3s"), "sms retry 1 times every 1s then voice after 10m", ""),
            (
                "duration_max",
                text("9m"),
                "policy x { expires after 1h sms then voice after 10m }",
                "`x` must start its last send within `9m`, and can start one after `10m3s` @ x",
            ),
            ("ends_in", phones(), "whatsapp then sms unless quota", ""),
            ("ends_in", phones(), "whatsapp then any of (email, sms)", ""),
            ("ends_in", phones(), "whatsapp then sms then wait 10m", ""),
            ("ends_in", phones(), "sms then voice if priority is urgent", ""),
            (
                "ends_in",
                phones(),
                "sms then email after 1m",
                "`p` must end in `sms` or `voice`, and can end in `email` @ email after 1m",
            ),
            (
                "ends_in",
                phones(),
                "email then voice if priority is urgent",
                "`p` must end in `sms` or `voice`, and can end in `email` @ email",
            ),
            (
                "ends_in",
                phones(),
                "policy a { sms then push } policy b { whatsapp then use a }",
                "`b` must end in `sms` or `voice`, and can end in `push` @ use a",
            ),
            (
                "ends_in",
                phones(),
                "voice if priority is urgent",
                "`p` must end in `sms` or `voice`, and may send nothing @ voice if priority is urgent",
            ),
            // What stands elsewhere is told of at its `use`, also where it stands in a group there.
            (
                "ends_in",
                phones(),
                "policy a { any of (push, email) } policy b { whatsapp then use a }",
                "`b` must end in `sms` or `voice`, and can end in `push` or `email` @ use a",
            ),
            // One of the two is always there.
            (
                "ends_in",
                phones(),
                "whatsapp then sms if priority is urgent then voice unless priority is urgent",
                "",
            ),
            (
                "ends_in",
                phones(),
                "whatsapp then sms if priority is urgent then voice if priority is low",
                "`p` must end in `sms` or `voice`, and can end in `whatsapp` @ whatsapp",
            ),
            // What is asked at two times may be answered in two ways.
            (
                "ends_in",
                phones(),
                "whatsapp then sms if elapsed >= 1h then voice after 2h if elapsed < 1h",
                "`p` must end in `sms` or `voice`, and can end in `whatsapp` @ whatsapp",
            ),
            (
                "ends_in",
                phones(),
                "push then any of (sms if priority is urgent, voice unless priority is urgent, email)",
                "",
            ),
            (
                "ends_in",
                phones(),
                "push then any of (sms if priority is urgent, voice if priority is low, email)",
                "`p` must end in `sms` or `voice`, and can end in `email` @ email",
            ),
            (
                "ends_in",
                phones(),
                "policy a { sms if priority is urgent } policy b { voice then push unless priority is urgent then use a }",
                "`b` must end in `sms` or `voice`, and can end in `push` @ push unless priority is urgent",
            ),
            ("starts_in", list(&["push"]), "push if contact has push then sms", ""),
            (
                "starts_in",
                list(&["push"]),
                "push if vars.x is \"a\" then sms",
                "`p` must begin with `push`, and can begin with `sms` @ sms",
            ),
            ("expires_max", text("1h"), "policy x { expires after 1h sms }", ""),
            ("expires_max", text("1h"), "sms", "`p` must expire within `1h`, and never expires @ sms"),
            (
                "expires_max",
                text("1h"),
                "policy x { expires after 2h sms }",
                "`x` must expire within `1h`, and expires after `2h` @ x",
            ),
            (
                "has",
                list(&["quiet", "expires", "otherwise"]),
                "policy x { expires after 1h sms }",
                "`x` must have `quiet`, `expires` and `otherwise`, and has no `quiet` and no `otherwise` @ x",
            ),
            ("has", text("limit"), "policy x { limit 2 sends sms }", ""),
            (
                "never_uses",
                text("voice"),
                "any of (sms, voice)",
                "`p` must never use `voice`, and uses `voice` @ voice",
            ),
            (
                "uses",
                list(&["sms", "email"]),
                "sms",
                "`p` must use `sms` and `email`, and does not use `email` @ sms",
            ),
            ("uses", list(&["sms", "email"]), "email then sms", ""),
            (
                "uses_only",
                phones(),
                "push then sms",
                "`p` must use `sms` or `voice` only, and uses `push` @ push",
            ),
            ("providers", list(&["a"]), "sms via a", ""),
            (
                "providers",
                list(&["a"]),
                "sms via a or b",
                "`p` must name no provider but `a`, and names `b` @ sms via a or b",
            ),
        ] {
            assert_eq!(told(kind, given, policy), expected, "{kind}: {policy}");
        }
    }
}
