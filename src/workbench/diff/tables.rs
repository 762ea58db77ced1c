//! What differs and no run shows: what is told to callers, in the audit and to providers.

use std::collections::BTreeMap;

use crate::language::policy::{Route, ValueType, VarDeclaration};
use crate::machine::Machine;
use crate::machine::catalog::Catalog;
use crate::model::{Money, Span};

use super::Change;
use super::level::Level;

pub(super) fn changes(old: &Machine, new: &Machine, catalog: &Catalog) -> Vec<Change> {
    let mut out = Vec::new();
    if old.name() != new.name() {
        let what = format!("it is called `{}` instead of `{}`", new.name(), old.name());
        out.push(Change::told(Level::Wording, what));
    }
    category(old, new, &mut out);
    if let (Some(from), Some(to)) = (old.otherwise(), new.otherwise())
        && from != to
    {
        let what = format!("a message that fails says \"{to}\" instead of \"{from}\"");
        out.push(Change::told(Level::Wording, what));
    }
    if old.decides_as(new) {
        for (from, to) in old.guard_texts().zip(new.guard_texts()).filter(|(from, to)| from != to) {
            let what = format!("a guard reads `{to}` in the audit instead of `{from}`, and decides the same");
            out.push(Change::told(Level::Wording, what));
        }
    }
    vars(old, new, &mut out);
    stages(old, new, &mut out);
    limit(old, new, catalog, &mut out);
    out
}

fn category(old: &Machine, new: &Machine, out: &mut Vec<Change>) {
    let (from, to) = (&old.headers().category, &new.headers().category);
    if from != to {
        let word = |category: &Option<String>| {
            category.as_ref().map_or("that of the template".to_owned(), |category| format!("`{category}`"))
        };
        let what = format!("the category is {} instead of {}", word(to), word(from));
        out.push(Change::told(Level::Wording, what));
    }
}

fn vars(old: &Machine, new: &Machine, out: &mut Vec<Change>) {
    let none = Default::default();
    let (from, to) =
        (old.headers().vars.as_ref().unwrap_or(&none), new.headers().vars.as_ref().unwrap_or(&none));
    for (name, declared) in to {
        let VarDeclaration { kind, optional } = *declared;
        let what = match from.get(name) {
            None if optional => continue,
            None => format!("callers have to give `vars.{name}`, a {}", typed(kind)),
            Some(was) if was.kind != kind => {
                format!("`vars.{name}` has to be a {} instead of a {}", typed(kind), typed(was.kind))
            }
            Some(was) if was.optional && !optional => format!("callers have to give `vars.{name}`"),
            Some(_) => continue,
        };
        out.push(Change::told(Level::Wording, what));
    }
    let is_asked =
        |vars: &BTreeMap<String, VarDeclaration>, name: &str| vars.get(name).is_some_and(|var| !var.optional);
    for name in from.keys().filter(|name| is_asked(from, name) && !is_asked(to, name)) {
        let what = format!("callers do not have to give `vars.{name}` any more");
        out.push(Change::told(Level::Wording, what));
    }
}

fn typed(kind: ValueType) -> &'static str {
    match kind {
        ValueType::String => "string",
        ValueType::Number => "number",
        ValueType::Boolean => "boolean",
        ValueType::Duration => "duration",
        ValueType::Time => "time",
        ValueType::List => "list",
    }
}

/// Of stages that stand at the same place and send on the same channel: what providers are told, and
/// shares, of which a simulated run takes the largest.
fn stages(old: &Machine, new: &Machine, out: &mut Vec<Change>) {
    let both = old.channel_stages().zip(new.channel_stages());
    for ((_, from), (_, to)) in both.filter(|((_, from), (_, to))| from.channel == to.channel) {
        let channel = to.channel;
        if from.valid != to.valid {
            let word =
                |valid: Option<Span>| valid.map_or("never".to_owned(), |valid| format!("after {valid}"));
            let what = format!(
                "providers are told to give up on `{channel}` {} instead of {}",
                word(to.valid),
                word(from.valid)
            );
            out.push(Change::told(Level::Timing, what));
        }
        if let (Route::Weighted(a), Route::Weighted(b)) = (&from.route, &to.route)
            && a != b
        {
            let what = format!("`{channel}` is shared as {} instead of {}", shares(b), shares(a));
            out.push(Change::told(Level::Routing, what));
        }
    }
}

fn shares(shares: &[(u8, String)]) -> String {
    let each: Vec<String> = shares.iter().map(|(share, name)| format!("{share}% {name}")).collect();
    format!("`{}`", each.join(", "))
}

/// A limit of money that no price says anything about.
fn limit(old: &Machine, new: &Machine, catalog: &Catalog, out: &mut Vec<Change>) {
    let (from, to) = (old.headers().limit_cost, new.headers().limit_cost);
    if from == to || catalog.currency().is_some() {
        return;
    }
    let word = |limit: Option<Money>| limit.map_or("none".to_owned(), |limit| limit.to_string());
    let raised = match (from, to) {
        (Some(from), Some(to)) => to.micros > from.micros,
        (_, to) => to.is_none(),
    };
    let level = if raised { Level::MoreSends } else { Level::Routing };
    let what = format!(
        "the limit of cost is {} instead of {}; whom that touches cannot be said without prices: give `--catalog`",
        word(to),
        word(from)
    );
    out.push(Change::told(level, what));
}
