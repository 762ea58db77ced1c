use crate::lint::Context;
use crate::lint::analysis::{CATEGORIES, header_of, word_in};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A category is nearly one of those that are treated differently.
    ///
    /// Any word can be a category, so `category marketting` is taken as it stands. But what holds for `marketing`
    /// then does not hold for it: nobody looks whether `opted_out` and quiet hours are kept.
    ///
    /// Write the usual word, or allow this rule where the other word is meant.
    NearCategory, "near-category", Warning, check;
    true => "policy p { category marketting sms unless opted_out }",
    true => "policy p { category transacional sms }",
    true => "policy p { category authentification expires after 5m sms }",
    false => "policy p { category transactional sms }",
    false => "policy p { category billing sms }",
    false => "policy p { category alarm sms }",
    false => "policy p { category notification sms }",
}

/// Letters that may be wrong: `notification` is three from `verification`, and means something else.
const SLIPS_MAX: usize = 2;

fn check(context: &Context<'_>, found: Found<'_>) {
    let Some(category) = context.policy.headers.category.as_deref() else { return };
    let known = || CATEGORIES.into_iter().flatten();
    // Of short words too many others are near.
    if category.len() < 5 || known().any(|word| *word == category) {
        return;
    }
    let slips = |word: &&str| strsim::osa_distance(category, word);
    let Some(meant) = known().min_by_key(|word| slips(word)).filter(|word| slips(word) <= SLIPS_MAX) else {
        return;
    };
    let at = word_in(context.source, &header_of(context, "category"), category);
    let message = format!("the category `{category}` is nearly `{meant}`, and is not treated as that");
    found(Finding::new(at, message, format!("write `category {meant}`")));
}
