//! What a text may ask for at most.

use super::fault;

fault! {
    /// A text has more than 256 KiB.
    ///
    /// Split it into several files.
    SourceTooLarge, "source-too-large";
    false => "sms",
}

fault! {
    /// Brackets, groups or used policies stand too deeply one inside the other.
    ///
    /// Use fewer of them.
    NestedTooDeeply, "nested-too-deeply";
    false => "any of (sms, email)",
}

fault! {
    /// The text is no policy at all.
    ///
    /// Write for example `sms then email after 30s`.
    Unreadable, "unreadable";
    false => "sms",
}

fault! {
    /// A text holds more than 100 policies.
    ///
    /// Split it into several files.
    TooManyPolicies, "too-many-policies";
    false => "policy a { sms }",
}

fault! {
    /// A policy has more than 64 stages, those of used policies counted.
    ///
    /// Leave some out, or use less of other policies.
    TooManyStages, "too-many-stages";
    false => "sms then email",
}

fault! {
    /// The conditions of a policy have more than 1,000 parts.
    ///
    /// Make them shorter; what many stages ask can stand on a group around them.
    ConditionsTooLong, "conditions-too-long";
    false => "sms unless quota",
}

fault! {
    /// Policies use one another in a chain of more than 16.
    ///
    /// Use fewer policies in a chain.
    UseTooDeep, "use-too-deep";
    false => "policy a { use b } policy b { sms }",
}

fault! {
    /// A `via` names more than 16 providers.
    ///
    /// Leave some out.
    TooManyProviders, "too-many-providers";
    false => "sms via a or b",
}

fault! {
    /// `vars` declares more than 100 names.
    ///
    /// Leave some out.
    TooManyVars, "too-many-vars";
    false => "policy p { vars { a: string } sms }",
}

fault! {
    /// A text in quotes has more than 500 bytes.
    ///
    /// Write a shorter one.
    TextTooLong, "text-too-long";
    false => "sms otherwise fail \"no answer\"",
}

fault! {
    /// A text has more than 100 findings; the rest is not told.
    ///
    /// Mend those above and check again.
    TooManyFindings, "too-many-findings";
    false => "sms",
}
