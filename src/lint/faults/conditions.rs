//! Conditions and comparisons.

use super::fault;

fault! {
    /// A condition, or a part of one, is missing.
    ///
    /// Write for example `unless quota` or `if vars.amount > 100`.
    MissingCondition, "missing-condition";
    true => "sms unless",
    true => "sms unless quota or",
    true => "sms if ()",
    false => "sms unless quota or opted_out",
}

fault! {
    /// Conditions are joined by signs of programming languages, or by nothing.
    ///
    /// Write `and`, `or` and `not`.
    BadCondition, "bad-condition";
    true => "sms unless quota || opted_out",
    true => "sms if !quota",
    false => "sms unless quota or opted_out",
    false => "sms if not quota",
}

fault! {
    /// A comparison is not written as comparisons are.
    ///
    /// `is`, `is not`, `<`, `<=`, `>`, `>=`, `in [ … ]` and `has` stand between two sides.
    BadComparison, "bad-comparison";
    true => "sms if vars.amount = 5",
    true => "sms if 1 < vars.x < 5",
    true => "sms if priority",
    false => "sms if vars.amount is 5",
    false => "sms if vars.x > 1 and vars.x < 5",
}

fault! {
    /// There is nothing behind a comparison.
    ///
    /// Write the value to compare with.
    MissingValue, "missing-value";
    true => "sms if vars.amount >",
    false => "sms if vars.amount > 5",
}

fault! {
    /// The two sides of a comparison are of different kinds, or the sides do not fit the comparison.
    ///
    /// A number is compared with a number, a text with a text in quotes, a duration with a duration.
    TypesDiffer, "types-differ";
    true => "sms if elapsed > 5",
    true => "sms if priority > 3",
    false => "sms if elapsed > 5m",
}

fault! {
    /// Texts, booleans and lists have no order, and are compared by `<` or `>`.
    ///
    /// Compare them by `is`, `is not` or `in`.
    NoOrder, "no-order";
    true => "sms if contact.country > \"AT\"",
    false => "sms if contact.country is \"AT\"",
}

fault! {
    /// A list is not written as lists are.
    ///
    /// Write values with commas between: `contact.country in ["AT", "DE"]`.
    BadList, "bad-list";
    true => "sms if contact.country in []",
    true => "sms if contact.country in \"AT\"",
    false => "sms if contact.country in [\"AT\", \"DE\"]",
}

fault! {
    /// `quota`, `opted_out` or `tripped` stands on what has no channel of its own.
    ///
    /// They are about the channel of a stage: put them on the channels inside a group or a used policy,
    /// and leave them out of `quiet`.
    MisplacedWord, "misplaced-word";
    true => "any of (sms, email) unless quota",
    false => "any of (sms unless quota, email)",
}
