//! The offers for each thing that a place expects.

use gen_lsp_types::CompletionItemKind;

use super::Context;
use super::conditions::{comparators, conditions, values};
use crate::lsp::reading::{Expect, For, Header, Modifier, Takes};
use crate::lsp::reference::{self, Place};
use crate::model::{Channel, Confirmation};

/// One thing that can be written.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    pub(super) label: String,
    pub(super) kind: CompletionItemKind,
    pub(super) detail: String,
    pub(super) documentation: String,
    pub(super) snippet: Option<String>,
}

/// A zone list short enough to be looked through, besides the ones that a workspace uses.
const ZONES: [&str; 14] = [
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Madrid",
    "Europe/Paris",
    "Europe/Rome",
    "Europe/Vienna",
    "Europe/Zurich",
    "America/New_York",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Australia/Sydney",
];

pub(super) fn offer(label: &str, kind: CompletionItemKind) -> Offer {
    Offer {
        label: label.to_owned(),
        kind,
        detail: String::new(),
        documentation: String::new(),
        snippet: None,
    }
}

/// A word of the language with its meaning.
pub(super) fn word(place: Place, label: &str, kind: CompletionItemKind) -> Offer {
    let known = reference::find(label, &[place]);
    Offer {
        detail: known.map_or_else(String::new, |word| word.form.to_owned()),
        documentation: known.map_or_else(String::new, |word| word.meaning.to_owned()),
        ..offer(label, kind)
    }
}

pub(super) fn keyword(place: Place, label: &str) -> Offer {
    word(place, label, CompletionItemKind::Keyword)
}

pub(super) fn with(offer: Offer, snippet: &str) -> Offer {
    Offer { snippet: Some(snippet.to_owned()), ..offer }
}

/// Adds what can be written for one thing that is expected.
pub(super) fn of(context: &Context<'_>, expect: &Expect, out: &mut Vec<Offer>) {
    match expect {
        Expect::PolicyStart => {
            out.push(with(keyword(Place::Header, "policy"), "policy ${1:name} {\n  $0\n}"));
        }
        Expect::PolicyName | Expect::VarName | Expect::Why | Expect::Comma | Expect::MemberEnd => {}
        Expect::OpenBrace => out.push(with(offer("{", CompletionItemKind::Operator), "{\n  $0\n}")),
        Expect::CloseBrace => out.push(offer("}", CompletionItemKind::Operator)),
        Expect::OpenParen => out.push(with(offer("(", CompletionItemKind::Operator), "($1, $2)")),
        Expect::CloseParen => out.push(offer(")", CompletionItemKind::Operator)),
        Expect::Colon => out.push(with(offer(":", CompletionItemKind::Operator), ": ")),
        Expect::Header { used } => headers(used, out),
        Expect::Action => actions(context, out),
        Expect::Then => {
            out.push(with(keyword(Place::Joint, "then"), "then "));
            let otherwise = keyword(Place::Joint, "then");
            out.push(with(
                Offer {
                    label: "then sms after 30s".to_owned(),
                    kind: CompletionItemKind::Snippet,
                    ..otherwise
                },
                "then ${1:sms} after ${2:30s}",
            ));
        }
        Expect::Otherwise => {
            out.push(with(keyword(Place::Joint, "otherwise"), "otherwise fail \"${1:why}\""));
        }
        Expect::Fail => out.push(with(keyword(Place::Joint, "fail"), "fail \"${1:why}\"")),
        Expect::Of => out.push(with(keyword(Place::Inside, "of"), "of ($1, $2)")),
        Expect::Modifier { takes, used } => modifiers(context, *takes, used, out),
        Expect::Amount(what) => amounts(context, *what, out),
        Expect::Count(what) => {
            let most = if *what == For::Retry { 5 } else { 3 };
            out.extend((1..=most).map(|n| offer(&n.to_string(), CompletionItemKind::Value)));
        }
        Expect::Times => out.push(with(keyword(Place::Inside, "times"), "times ")),
        Expect::Pace(what) => {
            out.push(with(keyword(Place::Inside, "every"), "every ${1:1m}"));
            if *what == For::Retry {
                out.push(with(keyword(Place::Inside, "backoff"), "backoff ${1:1s} to ${2:30s}"));
            }
        }
        Expect::BackoffTo => out.push(with(keyword(Place::Inside, "to"), "to ${1:30s}")),
        Expect::WaitUntil => {
            let until = offer("until", CompletionItemKind::Keyword);
            let detail = "wait until 09:00 in ZONE".to_owned();
            let documentation = "Holds until the clock of the zone shows this time.".to_owned();
            out.push(with(
                Offer { detail, documentation, ..until },
                "until ${1:09:00} in ${2:contact.timezone else UTC}",
            ));
        }
        Expect::Goal { channel } => goals(context, channel, out),
        Expect::Provider { channel, used } => providers(context, channel, used, out),
        Expect::ViaJoiner { shares } => {
            out.push(if *shares {
                with(offer(",", CompletionItemKind::Operator), ", ")
            } else {
                with(keyword(Place::Inside, "or"), "or ")
            });
        }
        Expect::Doubt => out.push(with(keyword(Place::Inside, "doubt"), "doubt ")),
        Expect::DoubtChoice => {
            out.extend(["wait", "move on", "resend"].map(|choice| keyword(Place::Doubt, choice)));
        }
        Expect::ClockTime => {
            out.extend(
                ["08:00", "09:00", "12:00", "18:00", "21:00"]
                    .map(|time| offer(time, CompletionItemKind::Value)),
            );
        }
        Expect::WindowJoiner(joiner) => out.push(with(keyword(Place::Inside, joiner), &format!("{joiner} "))),
        Expect::OnDays => out.push(with(keyword(Place::Inside, "on"), "on ")),
        Expect::Day => out.extend(
            reference::words(Place::Day)
                .map(|day| word(Place::Day, day.word, CompletionItemKind::EnumMember)),
        ),
        Expect::InZone => out.push(with(keyword(Place::Inside, "in"), "in ")),
        Expect::Zone { fallback } => zones(context, *fallback, out),
        Expect::ElseZone => out.push(with(keyword(Place::Inside, "else"), "else ")),
        Expect::Condition { negated, takes } => conditions(context, *takes, *negated, out),
        Expect::Comparator { left } => comparators(context, left, out),
        Expect::Value { left, op } => values(context, left, op, out),
        Expect::ConditionJoiner => {
            out.extend(
                ["and", "or"].map(|joiner| with(keyword(Place::Condition, joiner), &format!("{joiner} "))),
            );
        }
        Expect::Unless => out.push(with(keyword(Place::Modifier, "unless"), "unless ")),
        Expect::Category => categories(context, out),
        Expect::AfterWord => out.push(with(keyword(Place::Modifier, "after"), "after ${1:2h}")),
        Expect::LimitPart => {
            let detail = |detail: &str| detail.to_owned();
            out.push(with(
                Offer { detail: detail("attempts"), ..offer("3 sends", CompletionItemKind::Value) },
                "${1:3} sends",
            ));
            let currency = context.world.settings(context.document).catalog.currency();
            let currency = currency.map_or_else(|| "EUR".to_owned(), |currency| currency.as_str().to_owned());
            let label = format!("0.25 {currency}");
            out.push(with(
                Offer { detail: detail("money"), ..offer(&label, CompletionItemKind::Value) },
                &format!("${{1:0.25}} {currency}"),
            ));
        }
        Expect::LimitSends => out.push(keyword(Place::Inside, "sends")),
        Expect::VarType => out.extend(
            reference::words(Place::Type)
                .map(|kind| word(Place::Type, kind.word, CompletionItemKind::TypeParameter)),
        ),
        Expect::OptionalWord => out.push(keyword(Place::Inside, "optional")),
        Expect::PolicyReference => policies(context, out),
    }
}

fn headers(used: &[Header], out: &mut Vec<Offer>) {
    for header in Header::ALL.into_iter().filter(|header| !used.contains(header)) {
        let snippet = match header {
            Header::Category => "category ${1:transactional}",
            Header::Expires => "expires after ${1:2h}",
            Header::Quiet => "quiet ${1:21:00} to ${2:08:00} in ${3:contact.timezone else UTC}",
            Header::Limit => "limit ${1:3} sends",
            Header::Vars => "vars { ${1:name}: ${2:string} }",
        };
        out.push(with(word(Place::Header, header.word(), CompletionItemKind::Property), snippet));
    }
}

fn actions(context: &Context<'_>, out: &mut Vec<Offer>) {
    let catalog = &context.world.settings(context.document).catalog;
    for channel in Channel::ALL {
        let serving = catalog.providers.as_ref().map(|providers| {
            providers
                .iter()
                .filter(|p| p.channels.contains(channel))
                .map(|p| p.name.as_str())
                .collect::<Vec<_>>()
        });
        let detail = match serving {
            None => "send".to_owned(),
            Some(names) if names.is_empty() => "send; no provider of the catalog serves it".to_owned(),
            Some(names) => format!("send by {}", names.join(", ")),
        };
        let documentation = reference::channel(*channel);
        out.push(Offer { detail, documentation, ..offer(channel.word(), CompletionItemKind::EnumMember) });
    }
    let group = |label: &str, kind: &str| Offer {
        label: label.to_owned(),
        ..with(keyword(Place::Action, kind), &format!("{label} ($1, $2)"))
    };
    out.push(group("any of", "any"));
    out.push(group("all of", "all"));
    out.push(with(keyword(Place::Action, "wait"), "wait ${1:10m}"));
    out.push(with(keyword(Place::Action, "use"), "use "));
}

fn modifiers(context: &Context<'_>, takes: Takes, used: &[Modifier], out: &mut Vec<Offer>) {
    // What stands behind the place, in the same stage, is used too.
    let behind: Vec<Modifier> = match context.document.outline().stage_at(context.byte) {
        Some(stage) => {
            stage.modifiers.iter().filter(|(_, at)| at.start >= context.byte).map(|(m, _)| *m).collect()
        }
        None => Vec::new(),
    };
    for modifier in Modifier::ALL {
        let fits = match takes {
            Takes::All => true,
            Takes::Start => !modifier.of_channels(),
            Takes::Nothing => false,
        };
        if !fits || used.contains(&modifier) || behind.contains(&modifier) {
            continue;
        }
        let snippet = match modifier {
            Modifier::Via => "via ",
            Modifier::After => "after ${1:30s}",
            Modifier::Until => "until ",
            Modifier::If => "if ",
            Modifier::Unless => "unless ",
            Modifier::Between => "between ${1:08:00} and ${2:21:00} in ${3:contact.timezone else UTC}",
            Modifier::Retry => "retry ${1:3} times every ${2:10s}",
            Modifier::Repeat => "repeat ${1:2} times every ${2:5m}",
            Modifier::Valid => "valid ${1:10m}",
            Modifier::OnDoubt => "on doubt ",
        };
        out.push(with(keyword(Place::Modifier, modifier.word()), snippet));
    }
}

/// Durations: usual ones, or what was begun with each unit.
pub(super) fn amounts(context: &Context<'_>, what: For, out: &mut Vec<Offer>) {
    let digits: String = context.typed.chars().take_while(char::is_ascii_digit).collect();
    if !digits.is_empty() {
        for (unit, name) in
            [("s", "seconds"), ("m", "minutes"), ("h", "hours"), ("d", "days"), ("ms", "milliseconds")]
        {
            let detail = format!("{digits} {name}");
            out.push(Offer { detail, ..offer(&format!("{digits}{unit}"), CompletionItemKind::Unit) });
        }
        return;
    }
    let usual: &[&str] = match what {
        For::After => &["30s", "2m", "10m", "1h", "1d"],
        For::Expires => &["10m", "2h", "1d"],
        For::Wait => &["10m", "1h", "1d"],
        For::Every => &["10s", "1m", "5m"],
        For::Backoff => &["1s", "30s", "5m"],
        For::Valid => &["5m", "10m", "1h"],
        For::Retry | For::Repeat => &[],
    };
    out.extend(usual.iter().map(|amount| offer(amount, CompletionItemKind::Unit)));
}

fn goals(context: &Context<'_>, channel: &str, out: &mut Vec<Offer>) {
    let channel = channel.parse::<Channel>().ok();
    let catalog = &context.world.settings(context.document).catalog;
    let told = channel.and_then(|channel| {
        let providers = catalog.providers.as_ref()?.iter().filter(|p| p.channels.contains(&channel));
        let all: Vec<Confirmation> = providers.flat_map(|provider| provider.confirmations(channel)).collect();
        (!all.is_empty()).then_some(all)
    });
    let can =
        told.unwrap_or_else(|| channel.map_or(Confirmation::ALL, Channel::default_confirmations).to_vec());
    for goal in Confirmation::ALL.iter().filter(|goal| **goal == Confirmation::Accepted || can.contains(goal))
    {
        out.push(word(Place::Goal, goal.word(), CompletionItemKind::EnumMember));
    }
}

fn providers(context: &Context<'_>, channel: &str, used: &[String], out: &mut Vec<Offer>) {
    let channel = channel.parse::<Channel>().ok();
    let catalog = &context.world.settings(context.document).catalog;
    if let Some(providers) = &catalog.providers {
        let serve =
            |p: &&crate::machine::catalog::CatalogProvider| channel.is_none_or(|c| p.channels.contains(&c));
        for provider in providers.iter().filter(serve).filter(|p| !used.contains(&p.name)) {
            let price = channel.and_then(|channel| provider.prices.get(&channel));
            let detail = price.map_or_else(String::new, |price| format!("{price} a send"));
            let served: Vec<&str> = provider.channels.iter().map(|channel| channel.word()).collect();
            let documentation = format!("Serves `{}`.", served.join("`, `"));
            out.push(Offer { detail, documentation, ..offer(&provider.name, CompletionItemKind::Module) });
        }
        return;
    }
    // Without a catalog: the names that the workspace uses for this channel.
    for name in names_used(context, crate::lsp::reading::Role::Provider) {
        if !used.contains(&name) {
            out.push(Offer {
                detail: "used in this workspace".to_owned(),
                ..offer(&name, CompletionItemKind::Module)
            });
        }
    }
}

/// The words of a role in the whole workspace, but for the one that is being written, or that would
/// be read in its place.
pub(super) fn names_used(
    context: &Context<'_>,
    role: crate::lsp::reading::Role,
) -> std::collections::BTreeSet<String> {
    let mut names = std::collections::BTreeSet::new();
    for document in context.world.documents() {
        let here = document.uri == context.document.uri;
        let written = document.reading.marks.iter().find(|mark| here && context.byte <= mark.at.end);
        for mark in document.reading.marks.iter().filter(|mark| mark.role == role) {
            if written.is_none_or(|written| written.at != mark.at) {
                names.insert(document.text.slice(&mark.at).to_owned());
            }
        }
    }
    names
}

fn zones(context: &Context<'_>, fallback: bool, out: &mut Vec<Offer>) {
    if !fallback {
        let documentation =
            "The contact's zone; behind `else` the one that holds where there is none.".to_owned();
        let contact = Offer { documentation, ..offer("contact.timezone", CompletionItemKind::Field) };
        let zone =
            context.world.settings(context.document).catalog.zone.clone().unwrap_or_else(|| "UTC".to_owned());
        let label = "contact.timezone else ZONE".to_owned();
        out.push(with(Offer { label, ..contact.clone() }, &format!("contact.timezone else ${{1:{zone}}}")));
        out.push(contact);
    }
    let own = context.world.settings(context.document).catalog.zone.clone();
    let used = names_used(context, crate::lsp::reading::Role::Zone);
    let used = used.into_iter().filter(|zone| !zone.starts_with("contact."));
    for zone in own.into_iter().chain(used).chain(ZONES.map(str::to_owned)) {
        out.push(offer(&zone, CompletionItemKind::Constant));
    }
}

pub(super) fn categories(context: &Context<'_>, out: &mut Vec<Offer>) {
    let used = names_used(context, crate::lsp::reading::Role::Category);
    for category in used.into_iter().chain(["transactional", "marketing"].map(str::to_owned)) {
        out.push(offer(&category, CompletionItemKind::Value));
    }
}

fn policies(context: &Context<'_>, out: &mut Vec<Offer>) {
    let own = context.document.outline().policy_at(context.byte);
    let own = own.and_then(|policy| context.document.name_of(policy));
    for name in context.world.policy_names().filter(|name| own.as_deref() != Some(*name)) {
        let file = context
            .world
            .policy(context.document, name)
            .and_then(|(home, _)| home.path.as_deref()?.file_name());
        let detail = file.map_or_else(String::new, |file| file.to_string_lossy().into_owned());
        out.push(Offer { detail, ..offer(name, CompletionItemKind::Function) });
    }
}
