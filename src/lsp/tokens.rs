//! Colours: what each word is, in the numbers of the protocol.

use std::collections::BTreeMap;
use std::ops::Range as Bytes;

use gen_lsp_types::{
    Range, SemanticToken, SemanticTokens, SemanticTokensDelta, SemanticTokensDeltaResponse,
    SemanticTokensEdit, Uri,
};

use super::reading::Role;
use super::world::{Document, World};

/// Kinds of words, all of them standard ones, so that every theme has colours for them.
pub(super) const TYPES: [&str; 14] = [
    "keyword",
    "operator",
    "class",
    "namespace",
    "function",
    "variable",
    "property",
    "enumMember",
    "number",
    "string",
    "type",
    "comment",
    "macro",
    "parameter",
];
/// What can be said of them besides.
pub(super) const MODIFIERS: [&str; 2] = ["declaration", "defaultLibrary"];

const DECLARATION: u32 = 1;
const OF_LANGUAGE: u32 = 2;

/// The kind and what is said besides; `None` of what has no colour.
fn kind(role: Role) -> Option<(&'static str, u32)> {
    Some(match role {
        Role::Keyword => ("keyword", 0),
        Role::WordOperator => ("keyword", 0),
        Role::Operator => ("operator", 0),
        Role::Channel => ("class", OF_LANGUAGE),
        Role::Provider => ("namespace", 0),
        Role::Policy => ("function", DECLARATION),
        Role::PolicyUse => ("function", 0),
        Role::Var => ("parameter", DECLARATION),
        Role::VarUse => ("parameter", 0),
        Role::Contact => ("property", 0),
        Role::Owner => ("variable", OF_LANGUAGE),
        Role::Word => ("macro", OF_LANGUAGE),
        Role::Name => ("variable", OF_LANGUAGE),
        Role::Priority | Role::Goal | Role::Boolean | Role::Day => ("enumMember", OF_LANGUAGE),
        Role::Number | Role::Duration | Role::Time | Role::Money => ("number", 0),
        Role::Zone => ("namespace", OF_LANGUAGE),
        Role::Category => ("enumMember", 0),
        Role::Type => ("type", OF_LANGUAGE),
        Role::Text => ("string", 0),
        Role::Sign | Role::Unknown => return None,
    })
}

/// The colours of a document, or of the part that touches some bytes.
pub(super) fn of_document(
    world: &World<'_>,
    document: &Document,
    part: Option<Bytes<usize>>,
) -> Vec<SemanticToken> {
    let marks = document.reading.marks.iter().filter_map(|mark| Some((&mark.at, kind(mark.role)?)));
    let comments = document.reading.comments.iter().map(|at| (at, ("comment", 0)));
    let mut all: Vec<_> = marks.chain(comments).collect();
    all.sort_by_key(|(at, _)| at.start);
    let mut before = (0, 0);
    let mut out = Vec::with_capacity(all.len());
    for (at, (name, besides)) in all {
        if part.as_ref().is_some_and(|part| at.end < part.start || part.end < at.start) {
            continue;
        }
        let text = document.text.slice(at).trim_end_matches(['\r', '\n']);
        // Of a comment that runs over a lone `\r`, which ends a line for editors, the first line.
        let text = text.split('\r').next().unwrap_or_default();
        let place = document.text.position(at.start, world.encoding);
        let delta_line = place.line.saturating_sub(before.0);
        let delta_start =
            if delta_line == 0 { place.character.saturating_sub(before.1) } else { place.character };
        let number = TYPES.iter().position(|known| *known == name).and_then(|n| u32::try_from(n).ok());
        let (Some(token_type), false) = (number, text.is_empty()) else { continue };
        out.push(SemanticToken {
            delta_line,
            delta_start,
            length: world.encoding.length(text),
            token_type,
            token_modifiers_bitset: besides,
        });
        before = (place.line, place.character);
    }
    out
}

pub(super) fn range(world: &World<'_>, document: &Document, range: Range) -> SemanticTokens {
    let part = document.text.bytes(range, world.encoding);
    SemanticTokens { result_id: None, data: of_document(world, document, Some(part)) }
}

/// What was answered last for each document, so that the next answer can be what differs.
#[derive(Debug, Default)]
pub(super) struct Memory {
    answers: u64,
    last: BTreeMap<String, (String, Vec<SemanticToken>)>,
}

impl Memory {
    fn keep(&mut self, uri: &Uri, tokens: Vec<SemanticToken>) -> String {
        self.answers += 1;
        let id = self.answers.to_string();
        self.last.insert(uri.as_ref().to_owned(), (id.clone(), tokens));
        id
    }

    pub(super) fn forget(&mut self, uri: &Uri) {
        self.last.remove(uri.as_ref());
    }

    pub(super) fn full(&mut self, uri: &Uri, tokens: Vec<SemanticToken>) -> SemanticTokens {
        let result_id = Some(self.keep(uri, tokens.clone()));
        SemanticTokens { result_id, data: tokens }
    }

    pub(super) fn delta(
        &mut self,
        uri: &Uri,
        previous: &str,
        tokens: Vec<SemanticToken>,
    ) -> SemanticTokensDeltaResponse {
        let known =
            self.last.get(uri.as_ref()).filter(|(id, _)| id == previous).map(|(_, tokens)| tokens.clone());
        let Some(before) = known else {
            return SemanticTokensDeltaResponse::SemanticTokens(self.full(uri, tokens));
        };
        let edits = difference(&before, &tokens);
        let result_id = Some(self.keep(uri, tokens));
        SemanticTokensDeltaResponse::SemanticTokensDelta(SemanticTokensDelta { result_id, edits })
    }
}

/// The one stretch in which two lists differ, in numbers of the protocol: five for each word.
fn difference(before: &[SemanticToken], after: &[SemanticToken]) -> Vec<SemanticTokensEdit> {
    let start = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let (old, new) = (before.get(start..).unwrap_or_default(), after.get(start..).unwrap_or_default());
    let end = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, new) = (old.len() - end, new.get(..new.len() - end).unwrap_or_default());
    if old == 0 && new.is_empty() {
        return Vec::new();
    }
    let number = |n: usize| u32::try_from(n * 5).unwrap_or(u32::MAX);
    let data = new
        .iter()
        .flat_map(|t| [t.delta_line, t.delta_start, t.length, t.token_type, t.token_modifiers_bitset]);
    vec![SemanticTokensEdit { start: number(start), delete_count: number(old), data: Some(data.collect()) }]
}
