//! What can be written at a place.

use gen_lsp_types::{
    CompletionItem, CompletionItemKind, CompletionItemTextEdit, Documentation, InsertTextFormat,
    MarkupContent, MarkupKind, TextEdit,
};

use super::reading::{self, Expect, is_letter, joins};
use super::world::{Document, World};
use crate::lint::allow::CHANGES;
use crate::lint::allow::rules::is_about_comments;

mod conditions;
mod items;

use items::Offer;

/// What a completion is made from.
pub(super) struct Context<'a> {
    world: &'a World<'a>,
    document: &'a Document,
    byte: usize,
    /// The part of a word that is written already.
    typed: &'a str,
}

/// What can be written at a byte.
pub(super) fn at(world: &World<'_>, document: &Document, byte: usize, snippets: bool) -> Vec<CompletionItem> {
    let source = document.text.source();
    let before = source.get(..byte).unwrap_or_default();
    if document.reading.in_comment(byte) {
        return allowed_rules(world, document, before, byte);
    }
    let mut start = word_start(before);
    let mut read = reading::read(before.get(..start).unwrap_or_default());
    // In `vars { time:str` the colon ends the name.
    if let Some(colon) = before.get(start..).and_then(|word| word.rfind(':'))
        && read.expected.contains(&Expect::VarName)
    {
        start += colon + 1;
        read = reading::read(before.get(..start).unwrap_or_default());
    }
    if read.in_text {
        return Vec::new();
    }
    let typed = before.get(start..).unwrap_or_default();
    let context = Context { world, document, byte, typed };
    let mut offers: Vec<Offer> = Vec::new();
    // Behind `if priority` nothing else goes on.
    let is_open = |expect: &&Expect| matches!(expect, Expect::Comparator { left } if conditions::is_compared(&context, left));
    let open = read.expected.iter().find(is_open);
    let expected = open.map_or(read.expected.as_slice(), std::slice::from_ref);
    for expect in expected {
        items::of(&context, expect, &mut offers);
    }
    let mut seen = std::collections::BTreeSet::new();
    // Behind `vars.` and `contact.` stand their names alone.
    let owner = ["vars.", "contact."].into_iter().find(|owner| typed.starts_with(owner)).unwrap_or_default();
    offers.retain(|offer| offer.label.starts_with(owner) && seen.insert(offer.label.clone()));
    let range = world.range(document, &(start..byte));
    offers.into_iter().enumerate().map(|(place, offer)| item(offer, place, range, snippets)).collect()
}

/// Where the word begins that ends at the end of a text.
fn word_start(before: &str) -> usize {
    let word = |c: &char| is_letter(*c) || joins(*c);
    let length: usize = before.chars().rev().take_while(word).map(char::len_utf8).sum();
    let start = before.len() - length;
    // `a ->` is no part of a word.
    let text = before.get(start..).unwrap_or_default();
    start + text.find(|c| is_letter(c) || c == '-').unwrap_or(text.len())
}

fn item(offer: Offer, place: usize, range: gen_lsp_types::Range, snippets: bool) -> CompletionItem {
    let (text, format) = match (&offer.snippet, snippets) {
        (Some(snippet), true) => (snippet.clone(), InsertTextFormat::Snippet),
        (Some(snippet), false) => (without_stops(snippet), InsertTextFormat::PlainText),
        (None, _) => (offer.label.clone(), InsertTextFormat::PlainText),
    };
    CompletionItem {
        filter_text: Some(offer.label.clone()),
        label: offer.label,
        kind: Some(offer.kind),
        detail: Some(offer.detail).filter(|detail| !detail.is_empty()),
        documentation: Some(offer.documentation)
            .filter(|text| !text.is_empty())
            .map(|value| Documentation::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value })),
        sort_text: Some(format!("{place:04}")),
        insert_text_format: Some(format),
        text_edit: Some(CompletionItemTextEdit::TextEdit(TextEdit { range, new_text: text })),
        ..CompletionItem::default()
    }
}

/// A snippet as plain text: the stops give way to what stands in them.
fn without_stops(snippet: &str) -> String {
    let mut out = String::new();
    let mut rest = snippet;
    while let Some((before, stop)) = rest.split_once('$') {
        out.push_str(before);
        rest = match stop.strip_prefix('{').and_then(|stop| stop.split_once('}')) {
            Some((stop, behind)) => {
                out.push_str(stop.split_once(':').map_or("", |(_, text)| text));
                behind
            }
            None => stop.trim_start_matches(|c: char| c.is_ascii_digit()),
        };
    }
    out.push_str(rest);
    out.trim_end().to_owned()
}

/// In `# spine: allow RULE -- why`: `allow`, then the rules that can be named, those found here first,
/// and the levels of changes.
fn allowed_rules(world: &World<'_>, document: &Document, before: &str, byte: usize) -> Vec<CompletionItem> {
    let comment = before.rsplit_once('#').map_or("", |(_, comment)| comment);
    let Some(words) = comment.trim_start().strip_prefix("spine:").map(str::trim_start) else {
        return Vec::new();
    };
    let range = |typed: &str| world.range(document, &(byte.saturating_sub(typed.len())..byte));
    let Some(typed) = words.strip_prefix("allow ").map(str::trim_start) else {
        let allow = Offer {
            documentation: "Tells the linter that something is meant, and why.".to_owned(),
            ..items::with(items::offer("allow", CompletionItemKind::Keyword), "allow ")
        };
        let offers = "allow".starts_with(words).then_some(allow);
        return offers.map(|offer| item(offer, 0, range(words), true)).into_iter().collect();
    };
    if typed.contains(|c: char| c.is_whitespace()) {
        return Vec::new();
    }
    let checked = world.checked(document);
    let found = |name: &str| checked.findings.iter().any(|finding| finding.rule == name);
    let can_be_allowed = |rule: &&&dyn crate::lint::Rule| !is_about_comments(rule.name());
    let mut rules: Vec<_> = crate::lint::rules::ALL.iter().filter(can_be_allowed).collect();
    rules.sort_by_key(|rule| !found(rule.name()));
    let rule_offer = |rule: &&&dyn crate::lint::Rule| Offer {
        label: rule.name().to_owned(),
        kind: CompletionItemKind::Reference,
        detail: if found(rule.name()) { "found in this file".to_owned() } else { String::new() },
        documentation: rule.page().to_owned(),
        snippet: Some(format!("{} -- ${{1:reason}}", rule.name())),
    };
    let levels = CHANGES.iter().map(|level| Offer {
        detail: "a change of this level, for `spine policy diff`".to_owned(),
        ..items::with(
            items::offer(level, CompletionItemKind::Reference),
            &format!("{level} -- ${{1:reason}}"),
        )
    });
    let offers = rules.iter().map(rule_offer).chain(levels).enumerate();
    offers.map(|(place, offer)| item(offer, place, range(typed), true)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snippet_without_stops_is_its_example() {
        assert_eq!(without_stops("after ${1:30s}"), "after 30s");
        assert_eq!(without_stops("any of ($1, $2)$0"), "any of (, )");
        assert_eq!(without_stops("policy ${1:name} {\n  $0\n}"), "policy name {\n  \n}");
    }

    #[test]
    fn a_word_begins_where_the_grammar_begins_it() {
        let start = |text: &str| &text[word_start(text)..].to_owned()[..] == "x.y" || text.is_empty();
        assert!(start("sms if x.y") && start("(x.y") && start("ä x.y"));
        assert_eq!(word_start("sms "), 4);
        assert_eq!(word_start("sms ->"), 6);
    }
}
