//! The shape of a policy: stages, joints, brackets, headers.

use super::fault;

fault! {
    /// Two stages stand side by side without `then`.
    ///
    /// `sms email` says nothing of when the e-mail comes. `sms then email` sends it where the sms
    /// fails, `sms then email after 5m` on silence too, and `any of (sms, email)` both at once.
    MissingThen, "missing-then";
    true => "sms email",
    false => "sms then email",
    false => "any of (sms, email)",
}

fault! {
    /// Stages are joined by something other than `then`.
    ///
    /// `,` stands between the members of a group, `or` between the providers of `via`. One stage
    /// follows another by `then`.
    WrongJoiner, "wrong-joiner";
    true => "sms, email",
    true => "sms or email",
    true => "sms -> email",
    false => "sms then email",
}

fault! {
    /// There is no stage before or behind a `then`, or before a modifier.
    ///
    /// Write the stage, or leave the word out.
    MissingStage, "missing-stage";
    true => "sms then",
    true => "then sms",
    true => "after 5m",
    false => "sms then email after 5m",
}

fault! {
    /// A policy, or a member of a group, does nothing.
    ///
    /// Write one stage at least.
    NoStage, "no-stage";
    true => "policy p { }",
    true => "any of (sms, )",
    false => "policy p { sms }",
}

fault! {
    /// The text holds no policy.
    ///
    /// Write a strategy, `sms then email after 30s`, or policies with names: `policy NAME { … }`.
    NoPolicy, "no-policy";
    true => "",
    true => "# nothing yet",
    false => "sms",
}

fault! {
    /// Something stands outside of the policies of a text.
    ///
    /// A text holds one strategy without a name, or policies with names, not both. Put it into one of
    /// them.
    OutsidePolicy, "outside-policy";
    true => "policy p { sms } email",
    false => "policy p { sms then email }",
}

fault! {
    /// `policy` begins no policy.
    ///
    /// Write `policy NAME { … }`.
    BadPolicy, "bad-policy";
    true => "policy reminder sms",
    false => "policy reminder { sms }",
}

fault! {
    /// Two policies of a text, or of the files of one folder, have one name: a `use`, a test and a command that name it
    /// would mean one of them alone.
    ///
    /// Give one of them another.
    PolicyTwice, "policy-twice";
    true => "policy a { sms } policy a { email }",
    false => "policy a { sms } policy b { email }",
}

fault! {
    /// A policy, a var or a provider has a name that cannot be one.
    ///
    /// Names begin with a small letter and go on with small letters, digits and `_`, 64 characters at
    /// most; those of providers may have `-`.
    BadName, "bad-name";
    true => "policy My-Policy { sms }",
    true => "policy { sms }",
    false => "policy my_policy { sms }",
}

fault! {
    /// A bracket is never closed.
    ///
    /// Brackets come in pairs: `( … )` around members and conditions, `{ … }` around a policy and its
    /// vars, `[ … ]` around a list.
    UnclosedBracket, "unclosed-bracket";
    true => "any of (sms, email",
    true => "policy p { sms",
    true => "sms if (quota",
    false => "any of (sms, email)",
}

fault! {
    /// A text in quotes has no closing quote on its line.
    ///
    /// End it with `"`. A text does not go over several lines.
    UnclosedText, "unclosed-text";
    true => "sms otherwise fail \"no answer",
    false => "sms otherwise fail \"no answer\"",
}

fault! {
    /// A text stands in quotes other than `"`.
    ///
    /// Word processors turn straight quotes into curly ones; write `"text"`.
    BadText, "bad-text";
    true => "sms otherwise fail 'no answer'",
    true => "sms otherwise fail “no answer”",
    false => "sms otherwise fail \"no answer\"",
}

fault! {
    /// Something stands where nothing belongs.
    ///
    /// Leave it out, or put a text in quotes where one is asked for: behind `otherwise fail` and in
    /// comparisons.
    StrayText, "stray-text";
    true => "sms then email )",
    true => "sms )",
    false => "sms then email",
}

fault! {
    /// A group is not written as groups are.
    ///
    /// Write `any of (sms, email)` or `all of (sms, email)`.
    BadGroup, "bad-group";
    true => "any (sms, email)",
    true => "any of sms",
    false => "any of (sms, email)",
}

fault! {
    /// Something stands behind `otherwise fail`, which is the last of a policy.
    ///
    /// Put it before.
    AfterOtherwise, "after-otherwise";
    true => "sms otherwise fail \"no\" then email",
    false => "sms then email otherwise fail \"no\"",
}

fault! {
    /// `otherwise` is not followed by `fail` and a text in quotes.
    ///
    /// Write `otherwise fail "nobody answered"`. The text is what the message's status then says.
    BadOtherwise, "bad-otherwise";
    true => "sms otherwise fail",
    false => "sms otherwise fail \"nobody answered\"",
}

fault! {
    /// `otherwise` stands inside a group.
    ///
    /// `otherwise fail` is about the whole policy and stands at its end.
    MisplacedOtherwise, "misplaced-otherwise";
    true => "any of (sms otherwise fail \"no\", email)",
    false => "any of (sms, email) otherwise fail \"no\"",
}

fault! {
    /// A header stands behind a stage or in a group.
    ///
    /// Headers stand before the first stage.
    MisplacedHeader, "misplaced-header";
    true => "policy p { sms expires after 2h }",
    false => "policy p { expires after 2h sms }",
}

fault! {
    /// A strategy without a name has headers.
    ///
    /// Headers go with a policy that has a name: `policy NAME { expires after 2h sms }`.
    HeaderWithoutPolicy, "header-without-policy";
    true => "expires after 2h sms",
    false => "policy p { expires after 2h sms }",
}

fault! {
    /// A header stands twice.
    ///
    /// Leave one of them out.
    RepeatedHeader, "repeated-header";
    true => "policy p { expires after 2h expires after 3h sms }",
    false => "policy p { expires after 2h sms }",
}

fault! {
    /// A modifier stands twice on one stage.
    ///
    /// Conditions are joined inside one: `unless quota or opted_out`. Of others leave one out.
    RepeatedModifier, "repeated-modifier";
    true => "sms unless quota unless opted_out",
    false => "sms unless quota or opted_out",
}

fault! {
    /// The days or the zone of a window stand twice.
    ///
    /// Leave one of them out.
    RepeatedPart, "repeated-part";
    true => "sms between 08:00 and 20:00 in UTC in UTC",
    false => "sms between 08:00 and 20:00 in UTC",
}

fault! {
    /// A modifier stands on what cannot take it.
    ///
    /// `via`, `until`, `retry`, `repeat`, `valid` and `on doubt` go with a channel; put them on the
    /// channels inside a group or a used policy. A `wait` takes no modifier at all.
    MisplacedModifier, "misplaced-modifier";
    true => "any of (sms, email) until read",
    true => "wait 5m unless quota then sms",
    false => "any of (sms, email until read)",
}

fault! {
    /// A policy uses itself, straight or by way of others.
    ///
    /// Take one `use` of the way out.
    RecursiveUse, "recursive-use";
    true => "policy a { use b } policy b { use a }",
    false => "policy a { use b } policy b { sms }",
}

fault! {
    /// A used policy has faults of its own.
    ///
    /// Check that policy, and mend it first.
    FaultyUse, "faulty-use";
    false => "policy a { use b } policy b { sms }",
}

fault! {
    /// Two policies declare a var of one name with different types, and one uses the other.
    ///
    /// Give it one type in both.
    VarsDiffer, "vars-differ";
    true => "policy a { vars { n: number } use b } policy b { vars { n: string } sms if vars.n is \"x\" }",
    false => "policy a { vars { n: number } use b } policy b { vars { n: number } sms if vars.n > 1 }",
}
