//! Policies and what is in them, as a tree and by name.

use std::ops::Range;

use gen_lsp_types::{
    BaseSymbolInformation, DocumentSymbol, SymbolKind, WorkspaceSymbol, WorkspaceSymbolLocation,
};

use super::navigate::head;
use super::reading::{Action, PolicyNode, StageNode};
use super::world::{Document, World};

/// Symbols of a workspace that are told at once.
const FOUND_MAX: usize = 500;

pub(super) fn of_document(world: &World<'_>, document: &Document) -> Vec<DocumentSymbol> {
    document.outline().policies.iter().map(|policy| of_policy(world, document, policy)).collect()
}

fn symbol(
    world: &World<'_>,
    document: &Document,
    (name, detail, kind): (String, String, SymbolKind),
    (at, shown): (&Range<usize>, &Range<usize>),
    children: Vec<DocumentSymbol>,
) -> DocumentSymbol {
    // The protocol wants names that say something, and the shown part inside of the whole.
    let shown = shown.start.clamp(at.start, at.end)..shown.end.clamp(at.start, at.end);
    let name = if name.trim().is_empty() { "…".to_owned() } else { name };
    let detail = Some(detail).filter(|detail| !detail.is_empty());
    let children = Some(children).filter(|children| !children.is_empty());
    let (at, shown) = (world.range(document, at), world.range(document, &shown));
    DocumentSymbol::new(name, detail, kind, None, None, at, shown, children)
}

fn of_policy(world: &World<'_>, document: &Document, policy: &PolicyNode) -> DocumentSymbol {
    let name = document.name_of(policy).unwrap_or_else(|| crate::language::BARE_NAME.to_owned());
    let mut children = Vec::new();
    for (header, at) in &policy.headers {
        let vars = policy.vars.iter().filter(|var| at.start <= var.at.start && var.at.end <= at.end);
        let vars = vars.map(|var| {
            let text = document.text.slice(&var.name).to_owned();
            let kind = document.text.slice(&var.at).split_once(':').map_or("", |(_, kind)| kind.trim());
            symbol(
                world,
                document,
                (text, kind.to_owned(), SymbolKind::Variable),
                (&var.at, &var.name),
                Vec::new(),
            )
        });
        let vars: Vec<DocumentSymbol> = vars.collect();
        let detail = if vars.is_empty() { rest(document, at, header.word().len()) } else { String::new() };
        children.push(symbol(
            world,
            document,
            (header.word().to_owned(), detail, SymbolKind::Property),
            (at, at),
            vars,
        ));
    }
    children.extend(policy.stages.iter().map(|stage| of_stage(world, document, stage)));
    if let Some(at) = &policy.otherwise {
        let name = "otherwise".to_owned();
        let detail = rest(document, at, name.len());
        children.push(symbol(world, document, (name, detail, SymbolKind::Event), (at, at), Vec::new()));
    }
    symbol(
        world,
        document,
        (name, String::new(), SymbolKind::Function),
        (&policy.at, &head(policy)),
        children,
    )
}

fn of_stage(world: &World<'_>, document: &Document, stage: &StageNode) -> DocumentSymbol {
    let kind = match stage.action {
        Action::Channel => SymbolKind::Event,
        Action::AnyOf | Action::AllOf => SymbolKind::Array,
        Action::Use => SymbolKind::Interface,
        Action::Wait => SymbolKind::Constant,
        Action::Missing => SymbolKind::Null,
    };
    let children = stage.members.iter().flatten().map(|stage| of_stage(world, document, stage)).collect();
    let detail =
        stage.modifiers.iter().map(|(_, at)| folded(document.text.slice(at))).collect::<Vec<_>>().join(" ");
    let name = folded(document.text.slice(&stage.word));
    symbol(world, document, (name, detail, kind), (&stage.at, &stage.word), children)
}

fn rest(document: &Document, at: &Range<usize>, behind: usize) -> String {
    folded(document.text.slice(&(at.start + behind..at.end.max(at.start + behind))))
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The policies of the workspace whose names have the letters of a query in its order.
pub(super) fn of_workspace(world: &World<'_>, query: &str) -> Vec<WorkspaceSymbol> {
    let wanted = query.to_lowercase();
    let mut out = Vec::new();
    for document in world.documents() {
        for policy in &document.outline().policies {
            let Some(name) = document.name_of(policy).filter(|name| has_letters(name, &wanted)) else {
                continue;
            };
            if out.len() == FOUND_MAX {
                return out;
            }
            let file = document.path.as_deref().and_then(|path| path.file_name());
            out.push(WorkspaceSymbol {
                location: WorkspaceSymbolLocation::Location(world.location(document, &head(policy))),
                data: None,
                base_symbol_information: BaseSymbolInformation {
                    name,
                    kind: SymbolKind::Function,
                    tags: None,
                    container_name: file.map(|file| file.to_string_lossy().into_owned()),
                },
            });
        }
    }
    out
}

fn has_letters(name: &str, wanted: &str) -> bool {
    let name = name.to_lowercase();
    let mut letters = name.chars();
    wanted.chars().filter(|c| !c.is_whitespace()).all(|c| letters.any(|letter| letter == c))
}
