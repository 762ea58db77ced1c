//! What a word means, and what the stage at a place does and when.

use std::ops::Range;

use gen_lsp_types::{Contents, Hover, MarkupContent, MarkupKind};

use super::reading::{Mark, Role};
use super::stages::{self, Compiled, Placed};
use super::world::{Document, World};
use super::{navigate, reference};
use crate::language::policy::VarDeclaration;
use crate::language::with_comment_above;
use crate::machine::catalog::Catalog;
use crate::machine::{Bounds, StageId, Start, bounds};
use crate::model::{Channel, Span};
use crate::workbench::explain;

/// What is told of a place.
pub(super) fn at(world: &World<'_>, document: &Document, byte: usize) -> Option<Hover> {
    let mark = document.reading.mark_at(byte)?;
    let text = document.text.slice(&mark.at);
    let parts: Vec<String> = [stage(world, document, mark), word(world, document, mark, text)]
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    if parts.is_empty() {
        return None;
    }
    let value = parts.join("\n\n---\n\n");
    let contents = Contents::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value });
    Some(Hover { contents, range: Some(world.range(document, &shown(document, mark))) })
}

/// Two words that mean something together are marked together.
fn shown(document: &Document, mark: &Mark) -> Range<usize> {
    let stage = document.outline().stage_at(mark.at.start);
    let group = stage.filter(|stage| stage.word.start <= mark.at.start && mark.at.end <= stage.word.end);
    group.map_or(mark.at.clone(), |stage| stage.word.clone())
}

fn word(world: &World<'_>, document: &Document, mark: &Mark, text: &str) -> Option<String> {
    match mark.role {
        Role::Channel => Some(reference::channel(text.parse::<Channel>().ok()?)),
        Role::Policy | Role::PolicyUse => policy(world, document, text),
        Role::Var | Role::VarUse => Some(var(world, document, mark, text)),
        Role::Provider => Some(provider(&world.settings(document).catalog, text)),
        Role::Contact if reference::of_role(text, Role::Contact).is_none() => {
            Some(format!("`contact.{text}`\n\nAn attribute of the contact, as the caller has set it."))
        }
        Role::Zone if text == "contact.timezone" => Some(explained("timezone", Role::Contact)),
        Role::Zone => Some(format!("`{text}`\n\nThe zone whose clock counts.")),
        Role::Keyword => {
            // `on` and `doubt` mean something together, and so do the two words of `move on`.
            let behind = document.text.source().get(mark.at.end..).unwrap_or_default();
            let doubt = text == "on" && behind.trim_start().starts_with("doubt") || text == "doubt";
            Some(explained(if doubt { "on doubt" } else { text }, Role::Keyword))
        }
        role => Some(explained(text, role)),
    }
}

fn explained(text: &str, role: Role) -> String {
    reference::of_role(text, role)
        .map_or_else(String::new, |word| format!("`{}`\n\n{}", word.form, word.meaning))
}

// ------------------------------------------------------------------------------------- names

fn policy(world: &World<'_>, document: &Document, reference: &str) -> Option<String> {
    let name = reference.split('@').next().unwrap_or(reference);
    let Some((home, node)) = world.policy(document, name) else {
        return Some(format!("No policy `{name}` is known here."));
    };
    let mut out = format!("policy `{name}`");
    if let Some(comment) = comment_above(home, &node.at) {
        out.push_str(&format!("\n\n{comment}"));
    }
    let compiled = stages::compiled(world, home);
    let machine = compiled.iter().find(|compiled| compiled.machine.name() == name);
    if let Some(compiled) = machine {
        let catalog = &world.settings(home).catalog;
        out.push_str(&format!("\n\n{}", told_bounds(&bounds(&compiled.machine, catalog))));
    } else {
        out.push_str("\n\nIt has faults; when it sends what can be said once they are mended.");
    }
    if home.uri != document.uri
        && let Some(file) = home.path.as_deref().and_then(|path| path.file_name())
    {
        out.push_str(&format!("\n\nIn `{}`.", file.to_string_lossy()));
    }
    Some(out)
}

/// The comment right above a policy, without its signs.
fn comment_above(document: &Document, at: &Range<usize>) -> Option<String> {
    let with = with_comment_above(document.text.source(), at);
    let above = document.text.slice(&(with.start..at.start));
    let lines: Vec<&str> = above.lines().map(|line| line.trim().trim_start_matches('#').trim()).collect();
    Some(lines.join("\n").trim_end().to_owned()).filter(|text| !text.trim().is_empty())
}

fn told_bounds(bounds: &Bounds) -> String {
    let sends = match bounds.sends_max {
        1 => "At most 1 send".to_owned(),
        n => format!("At most {n} sends"),
    };
    let latest = match bounds.duration_max_ms {
        Some(ms) => format!(", the last one starting {} after acceptance at the latest", Span::from_ms(ms)),
        None => ", at no bounded time".to_owned(),
    };
    let cost = bounds.cost_max.map_or_else(String::new, |cost| format!(", for at most {cost}"));
    format!("{sends}{latest}{cost}.")
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn var(world: &World<'_>, document: &Document, mark: &Mark, name: &str) -> String {
    let mut out = format!("`vars.{name}`");
    for (home, at) in navigate::definitions(world, document, mark.at.start).into_iter().take(1) {
        let declared =
            home.outline().policies.iter().flat_map(|policy| &policy.vars).find(|var| var.name == at);
        if let Some(declared) = declared {
            out = format!("`{}`", home.text.slice(&declared.at));
        }
    }
    if !out.contains(':') {
        let inferred = stages::compiled(world, document).into_iter().find_map(|compiled| {
            compiled.policy().and_then(|policy| policy.headers.vars.as_ref()?.get(name).copied())
        });
        if let Some(VarDeclaration { kind, optional }) = inferred {
            let optional = if optional { " optional" } else { "" };
            out = format!("`{name}: {}{optional}`", format!("{kind:?}").to_lowercase());
        }
    }
    format!(
        "{out}\n\nWhat a message brings along under this name. A comparison with a name that is missing is false."
    )
}

fn provider(catalog: &Catalog, name: &str) -> String {
    let Some(providers) = &catalog.providers else {
        return format!("provider `{name}`\n\nNo catalog says anything of it.");
    };
    let Some(known) = providers.iter().find(|provider| provider.name == name) else {
        return format!("provider `{name}`\n\nThe catalog does not have it.");
    };
    let channel = |channel: &Channel| {
        let price = known.prices.get(channel).map_or_else(String::new, |price| format!(", {price} a send"));
        let confirms: Vec<&str> = known.confirmations(*channel).iter().map(|c| c.word()).collect();
        let confirms = match confirms.as_slice() {
            [] => "confirms nothing".to_owned(),
            some => format!("confirms {}", some.join(", ")),
        };
        format!("- `{channel}`: {confirms}{price}")
    };
    let lines: Vec<String> = known.channels.iter().map(channel).collect();
    format!("provider `{name}`\n\n{}", lines.join("\n"))
}

// ------------------------------------------------------------------------------------ stages

fn stage(world: &World<'_>, document: &Document, mark: &Mark) -> Option<String> {
    let node = document.outline().stage_at(mark.at.start)?;
    let about_start = matches!(document.text.slice(&mark.at), "after" | "then");
    let on_word = node.word.start <= mark.at.start && mark.at.end <= node.word.end;
    if !on_word && !about_start && mark.role != Role::Duration {
        return None;
    }
    let catalog = &world.settings(document).catalog;
    let compiled = stages::compiled(world, document);
    for policy in &compiled {
        let starts = policy.starts(catalog);
        for placed in policy.stages() {
            if placed.at == node.at {
                let start = starts.get(usize::from(placed.id.0))?;
                return Some(told_stage(document, policy, catalog, &placed, start));
            }
        }
    }
    None
}

fn told_stage(
    document: &Document,
    policy: &Compiled,
    catalog: &Catalog,
    placed: &Placed<'_>,
    start: &Start,
) -> String {
    let steps = explain::steps(&policy.machine, catalog);
    let step = steps.into_iter().find(|step| step.id == placed.id);
    let (number, says) = step.map(|step| (step.number, step.says)).unwrap_or_default();
    let (title, says) = says.split_first().map_or(("", &[][..]), |(title, says)| (title.as_str(), says));
    let title = title.trim_end_matches('.');
    let mut lines = vec![format!("**Step {number} of `{}`: {}**\n", policy.machine.name(), lower(title))];
    let quiet = policy.machine.headers().quiet.is_some() && policy.machine.number(placed.id).is_some();
    let quiet = quiet.then(|| "It is held during the quiet hours.".to_owned());
    lines.extend(says.iter().chain(&quiet).map(|says| format!("- {says}")));
    let when = when(document, policy, start);
    if !when.is_empty() {
        lines.push(format!("\nBy the clocks, it {}.", when.join("; it ")));
    }
    lines.push(format!("\nThe whole policy: {}", lower(&told_bounds(&bounds(&policy.machine, catalog)))));
    lines.join("\n")
}

/// When a stage starts, in a line or two.
pub(super) fn when(document: &Document, policy: &Compiled, start: &Start) -> Vec<String> {
    let at = |span: Span| match (start.wait, span.ms()) {
        (None, 0) => "at once".to_owned(),
        (None, _) => format!("{span} after acceptance"),
        (Some(wait), 0) => format!("when {} is over", waits(document, policy, wait)),
        (Some(wait), _) => format!("{span} after {} is over", waits(document, policy, wait)),
    };
    let mut lines = match (start.silent, start.behind) {
        (Some(span), _) if span == start.earliest => vec![format!("starts {}", at(span))],
        (Some(span), _) => vec![
            format!("starts {}, if nothing is heard of what was sent before", at(span)),
            format!("starts sooner, at the earliest {}, where that fails", at(start.earliest)),
        ],
        (None, Some((id, span))) => {
            let placed = policy.stages().into_iter().find(|placed| placed.id == id);
            let node = placed.and_then(|placed| document.outline().stage_at(placed.at.start));
            let behind = node.map_or_else(
                || "a stage before it".to_owned(),
                |node| format!("`{}`", document.text.slice(&node.word)),
            );
            vec![match (start.wait, span.ms()) {
                (None, 0) => format!("starts only when {behind} fails or is skipped"),
                (None, _) => {
                    format!("starts {span} after {behind} has failed or was skipped, and not without that")
                }
                (Some(_), _) => {
                    format!("starts {}, and only where {behind} has failed or was skipped", at(span))
                }
            }]
        }
        (None, None) => Vec::new(),
    };
    match start.latest {
        Some(latest) if start.wait.is_some() || start.silent != Some(latest) => {
            lines.push(format!("starts {latest} after acceptance at the latest"));
        }
        _ => {}
    }
    lines
}

/// A `wait until` as it stands in the text.
fn waits(document: &Document, policy: &Compiled, id: StageId) -> String {
    let placed = policy.stages().into_iter().find(|placed| placed.id == id);
    placed.map_or_else(
        // It stands in a policy that is used.
        || "the wait before it".to_owned(),
        |placed| {
            let words: Vec<&str> = document.text.slice(&placed.at).split_whitespace().collect();
            format!("`{}`", words.join(" "))
        },
    )
}
