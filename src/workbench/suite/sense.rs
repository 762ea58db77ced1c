//! What of a test file makes no sense for its policy.

use crate::language::facts_text::{FactValue, GivenFacts};
use crate::language::policy::ValueType;
use crate::language::words::{listed, near, quoted};
use crate::language::yaml::{Place, Step};
use crate::machine::Machine;
use crate::machine::catalog::Catalog;
use crate::model::{Span, TimeOfDay};

use super::read::{Reader, told};
use super::{EventPattern, Expected, Fault, Suite};

/// Looks at what only makes sense for a policy: scripts for nobody, or that confirm what cannot be
/// confirmed; vars that are not declared.
#[must_use]
pub fn check(suite: &Suite, machine: &Machine, catalog: &Catalog) -> Vec<Fault> {
    let mut reader = Reader { text: &suite.text, faults: Vec::new() };
    for (number, case) in suite.cases.iter().enumerate() {
        let path = |more: &[&str]| -> Vec<Step> {
            let more = more.iter().map(|name| Step::from(*name));
            [Step::from("cases"), Step::from(number)].into_iter().chain(more).collect()
        };
        for (key, _) in case.scripts.iter().filter(|(key, _)| catalog.confirmations(machine, key).is_none()) {
            let mut known: Vec<String> = providers(machine, catalog);
            known.extend(machine.channel_stages().map(|(_, stage)| stage.channel.word().to_owned()));
            known.sort();
            known.dedup();
            let told = match near(key, known.iter().map(String::as_str)) {
                Some(meant) => format!("; did you mean `{meant}`?"),
                None if known.len() <= 5 => {
                    format!("; it has {}", listed(known.iter().map(String::as_str), "and"))
                }
                None => "; leave its script out".to_owned(),
            };
            let message =
                format!("{} is no channel and no provider of `{}`{told}", quoted(key), machine.name());
            reader.wrong(&path(&["script", key]), true, message);
        }
        for (key, fault) in case.scripts.check(|key| catalog.confirmations(machine, key)) {
            reader.wrong(&path(&["script", &key]), false, told(&fault));
        }
        for (expected, at) in case.expect.iter().flatten() {
            let (Expected::Event { event, .. } | Expected::Never(event)) = expected else { continue };
            let message = unknown_provider(event, machine, catalog);
            reader.faults.extend(message.map(|message| Fault { at: *at, message }));
        }
        for (owner, name, message) in odd_facts(&case.facts, machine, catalog) {
            let flat = format!("{owner}.{name}");
            let is_flat = Place::find(&suite.text, &path(&["facts", &flat]), true).is_some();
            let at = if is_flat { path(&["facts", &flat]) } else { path(&["facts", owner, &name]) };
            reader.wrong(&at, true, message);
        }
    }
    reader.faults.sort_by_key(|fault| fault.at);
    reader.faults
}

/// Facts that are none of a policy: vars that it does not declare or declares otherwise, providers that it does not
/// call. Each with its group, its name, and what is wrong.
#[must_use]
pub fn odd_facts(
    facts: &GivenFacts,
    machine: &Machine,
    catalog: &Catalog,
) -> Vec<(&'static str, String, String)> {
    let mut odd = Vec::new();
    for (name, value) in machine
        .headers()
        .vars
        .iter()
        .flat_map(|declared| facts.vars.iter().map(move |(name, value)| (name, (value, declared))))
    {
        let (value, declared) = value;
        let message = match declared.get(name) {
            None => {
                let help = match near(name, declared.keys().map(String::as_str)) {
                    Some(meant) => format!("did you mean `vars.{meant}`?"),
                    None => format!("declare it in the policy: `vars {{ {name}: string }}`"),
                };
                format!("`{}` has no var `vars.{name}`; {help}", machine.name())
            }
            Some(declared) => match example_of(declared.kind, value) {
                Some(example) => {
                    format!(
                        "`vars.{name}` is {}; write for example `vars.{name}={example}`",
                        declared.kind.in_words()
                    )
                }
                None => continue,
            },
        };
        odd.push(("vars", name.clone(), message));
    }
    let known = providers(machine, catalog);
    for name in facts.breaker_open.iter().filter(|name| !known.contains(name)) {
        let told = match near(name, known.iter().map(String::as_str)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "leave it out".to_owned(),
        };
        let message = format!("{} is no provider of `{}`; {told}", quoted(name), machine.name());
        odd.push(("breaker", name.clone(), message));
    }
    odd
}

/// How a value of a type is written, where this is none.
fn example_of(kind: ValueType, value: &FactValue) -> Option<&'static str> {
    let (fits, example) = match kind {
        // A number may be meant as a text.
        ValueType::String => (true, "gold"),
        ValueType::Number => (matches!(value, FactValue::Number(_)), "5"),
        ValueType::Boolean => (matches!(value, FactValue::Boolean(_)), "true"),
        ValueType::Duration => {
            (matches!(value, FactValue::String(text) if text.parse::<Span>().is_ok()), "30s")
        }
        ValueType::Time => {
            (matches!(value, FactValue::String(text) if text.parse::<TimeOfDay>().is_ok()), "08:00")
        }
        // One value may be written for a list of one.
        ValueType::List => (true, "[a, b]"),
    };
    (!fits).then_some(example)
}

/// The providers of a policy's routes, each once.
fn providers(machine: &Machine, catalog: &Catalog) -> Vec<String> {
    let routes = machine.channel_stages().flat_map(|(_, stage)| catalog.route(stage.channel, &stage.route));
    let mut names: Vec<String> = routes.map(|provider| provider.name).collect();
    names.sort();
    names.dedup();
    names
}

/// What is wrong with the provider that something is said to happen by.
pub(crate) fn unknown_provider(event: &EventPattern, machine: &Machine, catalog: &Catalog) -> Option<String> {
    let name = event.provider.as_ref()?;
    let known = providers(machine, catalog);
    if known.contains(name) {
        return None;
    }
    let told = match near(name, known.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => match known.first() {
            Some(first) => format!("write for example `via {first}`"),
            None => "leave `via` out".to_owned(),
        },
    };
    Some(format!("{} is no provider of `{}`; {told}", quoted(name), machine.name()))
}
