//! What stands behind `category`.

use crate::language::words::quoted;

use super::Meant;
use super::text::Around;

/// Words that stand for a category by themselves.
const CATEGORIES: [&str; 12] = [
    "transactional",
    "marketing",
    "billing",
    "service",
    "authentication",
    "incident",
    "security",
    "operations",
    "safety",
    "promotional",
    "newsletter",
    "logistics",
];

/// `transactional` alone on its line: the word before it is gone.
pub(super) fn alone(around: &Around<'_>) -> Option<Meant> {
    let start = around.line_start(around.at.start);
    let line = around.part(start..around.line_end(start));
    let text = line.split('#').next().unwrap_or(line).trim();
    let at = start + line.find(text)?;
    let is_own = at <= around.at.start && around.at.start < at + text.len();
    (CATEGORIES.contains(&text) && is_own).then_some(())?;
    let message = format!("there is no `category` before `{text}`");
    let meant = Meant::write(at..at, "category ").named("bad-category").about(at..at + text.len());
    Some(meant.saying(message).help(format!("write `category {text}`")).until(at + text.len()))
}

/// `category spring sale`: of two words the second was taken for a stage.
pub(super) fn two_words(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let second = text.to_lowercase();
    let (before, first) = around.before()?;
    around.word_before(before.start).filter(|(_, word)| *word == "category")?;
    let is_beside = before.end < around.at.start && !around.part(before.end..around.at.start).contains('\n');
    is_beside.then_some(())?;
    if first == text {
        let message = format!("{} stands twice", quoted(text));
        let meant = Meant::leave_out(around, around.at.clone()).named("bad-category");
        return Some(meant.saying(message).changing(before.end..around.at.end, ""));
    }
    if ["is", "as", "of", "to", "the"].contains(&first) {
        let message = format!("{} is not needed: a category stands behind its word", quoted(first));
        return Some(Meant::leave_out(around, before).named("bad-category").saying(message));
    }
    let whole = before.start..around.at.end;
    let message = format!("a category is one word, not {}", quoted(around.part(whole.clone())));
    let told = Meant::told(whole.clone()).named("bad-category").saying(message);
    Some(match [first, second.as_str()].map(|word| CATEGORIES.contains(&word)) {
        // Either may be left over.
        [true, true] => {
            let help = format!("write `category {second}` or `category {first}`");
            told.saying("here stand two categories").help(help)
        }
        [true, false] => told.help(format!("write `category {first}`, or `category {first}_{second}`")),
        [false, _] => {
            let both = format!("{first}_{second}");
            told.changing(whole, &both).help(format!("write `{both}`"))
        }
    })
}
