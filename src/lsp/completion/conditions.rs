//! The offers inside conditions: words, names, how they are compared and with what.

use gen_lsp_types::CompletionItemKind;

use super::Context;
use super::items::{Offer, amounts, categories, keyword, names_used, offer, with, word};
use crate::language::policy::ValueType;
use crate::lsp::reading::{For, Takes};
use crate::lsp::reference::Place;
use crate::lsp::stages;
use crate::model::{Channel, ContactField, Priority};

pub(super) fn conditions(context: &Context<'_>, takes: Takes, negated: bool, out: &mut Vec<Offer>) {
    // `quota`, `opted_out` and `tripped` are about one channel.
    for name in crate::lsp::reading::CONDITION_WORDS {
        if takes == Takes::All || !matches!(name, "quota" | "opted_out" | "tripped") {
            out.push(word(Place::Condition, name, CompletionItemKind::Event));
        }
    }
    for (name, kind) in vars(context) {
        out.push(Offer { detail: kind, ..offer(&format!("vars.{name}"), CompletionItemKind::Variable) });
    }
    out.push(with(
        Offer { label: "contact has".to_owned(), ..keyword(Place::Condition, "contact") },
        "contact has ",
    ));
    fields(context, out);
    out.extend(
        crate::lsp::reading::CONDITION_NAMES
            .map(|name| word(Place::Condition, name, CompletionItemKind::Variable)),
    );
    if !negated {
        out.push(with(keyword(Place::Condition, "not"), "not "));
    }
}

fn fields(context: &Context<'_>, out: &mut Vec<Offer>) {
    for field in ContactField::WORDS {
        let known = word(Place::Field, field, CompletionItemKind::Field);
        out.push(Offer { label: format!("contact.{field}"), ..known });
    }
    for attribute in names_used(context, crate::lsp::reading::Role::Contact) {
        let detail = "an attribute that this workspace uses".to_owned();
        out.push(Offer { detail, ..offer(&format!("contact.{attribute}"), CompletionItemKind::Field) });
    }
}

/// The vars that the policy at the place may name, with what was written of their types.
fn vars(context: &Context<'_>) -> Vec<(String, String)> {
    let document = context.document;
    let Some(policy) = document.outline().policy_at(context.byte) else { return Vec::new() };
    let mut found: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, kind: &str| {
        if !name.is_empty() && !found.iter().any(|(known, _)| known == name) {
            found.push((name.to_owned(), kind.to_owned()));
        }
    };
    let mut open = vec![(document, policy, 0)];
    while let Some((home, policy, depth)) = open.pop() {
        for var in &policy.vars {
            let kind = home.text.slice(&var.at).split_once(':').map_or("", |(_, kind)| kind.trim());
            add(home.text.slice(&var.name), kind);
        }
        for at in policy.uses.iter().filter(|_| depth < 4) {
            let name = home.text.slice(at).split('@').next().unwrap_or_default();
            open.extend(context.world.policy(home, name).map(|(home, policy)| (home, policy, depth + 1)));
        }
    }
    // Where nothing is declared, what is used elsewhere in the policy.
    for at in policy.var_uses.iter().filter(|at| !(at.start <= context.byte && context.byte <= at.end)) {
        add(document.text.slice(at), "");
    }
    found
}

/// What type a name has, where that is known.
fn type_of(context: &Context<'_>, left: &str) -> Option<ValueType> {
    if let Some(name) = left.strip_prefix("vars.") {
        let declared = vars(context).into_iter().find(|(known, _)| known == name).map(|(_, kind)| kind);
        let first = declared.as_deref().unwrap_or_default().split_whitespace().next().unwrap_or_default();
        let by_word = match first {
            "string" => Some(ValueType::String),
            "number" => Some(ValueType::Number),
            "boolean" => Some(ValueType::Boolean),
            "duration" => Some(ValueType::Duration),
            "time" => Some(ValueType::Time),
            "list" => Some(ValueType::List),
            _ => None,
        };
        let inferred = || {
            stages::compiled(context.world, context.document)
                .iter()
                .find_map(|compiled| compiled.policy()?.headers.vars.as_ref()?.get(name).map(|var| var.kind))
        };
        return by_word.or_else(inferred);
    }
    match left {
        "elapsed" => Some(ValueType::Duration),
        "sends" => Some(ValueType::Number),
        "category" => Some(ValueType::String),
        _ if left.strip_prefix("contact.").is_some_and(|field| field.parse::<ContactField>().is_ok()) => {
            Some(ValueType::String)
        }
        _ => None,
    }
}

/// Whether a name is no condition before it is compared.
pub(super) fn is_compared(context: &Context<'_>, left: &str) -> bool {
    crate::lsp::reading::CONDITION_NAMES.contains(&left)
        || left == "contact"
        || type_of(context, left).is_some_and(|kind| kind != ValueType::Boolean)
}

pub(super) fn comparators(context: &Context<'_>, left: &str, out: &mut Vec<Offer>) {
    if crate::lsp::reading::CONDITION_WORDS.contains(&left) || matches!(left, "" | "true" | "false") {
        return;
    }
    if left == "contact" {
        return out.push(with(keyword(Place::Condition, "has"), "has "));
    }
    let kind = type_of(context, left);
    let ordered = matches!(kind, None | Some(ValueType::Number | ValueType::Duration | ValueType::Time));
    out.push(with(keyword(Place::Condition, "is"), "is "));
    out.push(with(Offer { label: "is not".to_owned(), ..keyword(Place::Condition, "is") }, "is not "));
    if ordered {
        out.extend(
            ["<", "<=", ">", ">="]
                .map(|op| with(word(Place::Condition, op, CompletionItemKind::Operator), &format!("{op} "))),
        );
    }
    if kind == Some(ValueType::List)
        || kind.is_none() && (left.starts_with("vars.") || left.starts_with("contact."))
    {
        out.push(with(keyword(Place::Condition, "has"), "has "));
    }
    if kind != Some(ValueType::List) {
        out.push(with(keyword(Place::Condition, "in"), "in [$1]"));
    }
}

pub(super) fn values(context: &Context<'_>, left: &str, op: &str, out: &mut Vec<Offer>) {
    if left == "contact" {
        return out.extend(
            Channel::ALL.iter().map(|channel| offer(channel.word(), CompletionItemKind::EnumMember)),
        );
    }
    if op == "is" {
        out.push(with(keyword(Place::Condition, "not"), "not "));
    }
    if matches!(op, "in" | "not in") && context.typed.is_empty() && !opened_list(context) {
        return out.push(with(offer("[", CompletionItemKind::Operator), "[$1]"));
    }
    match left {
        "priority" => {
            return out.extend(
                Priority::WORDS.iter().map(|p| word(Place::Priority, p, CompletionItemKind::EnumMember)),
            );
        }
        "category" => return categories(context, out),
        "cost" => return out.push(offer("0.25", CompletionItemKind::Value)),
        _ => {}
    }
    match type_of(context, left) {
        Some(ValueType::Boolean) => {
            out.extend(
                ["true", "false"].map(|value| word(Place::Condition, value, CompletionItemKind::Value)),
            );
        }
        Some(ValueType::Duration) => amounts(context, For::After, out),
        Some(ValueType::Time) => {
            out.extend(["08:00", "18:00"].map(|time| offer(time, CompletionItemKind::Value)));
        }
        Some(ValueType::Number) => {}
        Some(ValueType::String | ValueType::List) => {
            out.push(with(offer("\"…\"", CompletionItemKind::Value), "\"$1\""));
        }
        None => {
            out.push(with(offer("\"…\"", CompletionItemKind::Value), "\"$1\""));
            out.extend(
                ["true", "false"].map(|value| word(Place::Condition, value, CompletionItemKind::Value)),
            );
        }
    }
}

/// Whether the place is behind a `[`.
fn opened_list(context: &Context<'_>) -> bool {
    let source = context.document.text.source();
    let before = source.get(..context.byte - context.typed.len()).unwrap_or_default().trim_end();
    before.ends_with(['[', ','])
}
