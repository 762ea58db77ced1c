//! What is found about the comments themselves, each with its page. They stand in the list of rules
//! as others do; what they find comes of the whole source, once everything else has been found.

use crate::language::{Diagnostic, Severity};
use crate::lint::{Context, Example, Rule};

/// Whether a rule is about the comments themselves, which no comment allows.
#[must_use]
pub fn is_about_comments(rule: &str) -> bool {
    [AllowWithoutReason::NAME, MalformedAllow::NAME, UnknownAllow::NAME, UnusedAllow::NAME].contains(&rule)
}

macro_rules! about_comments {
    ($($(#[doc = $line:literal])+ $type:ident, $name:literal; $($fires:literal => $source:literal,)+)+) => {$(
        $(#[doc = $line])+
        #[derive(Debug, Clone, Copy)]
        pub struct $type;

        impl $type {
            /// The rule's name.
            pub const NAME: &'static str = $name;
        }

        impl Rule for $type {
            fn name(&self) -> &'static str { $name }
            fn severity(&self) -> Severity { Severity::Warning }
            fn page(&self) -> &'static str { concat!($($line, "\n"),+) }
            fn examples(&self) -> &'static [Example] {
                &[$(Example { source: $source, fires: $fires, providers: &[] },)+]
            }
            fn check(&self, _: &Context<'_>, _: &mut Vec<Diagnostic>) {}
        }
    )+};
}

about_comments! {
    /// A comment allows something and does not say why.
    ///
    /// It holds all the same. But who reads the policy next year sees that a finding was set aside,
    /// and not whether that reason still stands.
    ///
    /// Write the reason behind two dashes: `# spine: allow lowered-goal -- slack is for the record only`.
    AllowWithoutReason, "allow-without-reason";
    true => "# spine: allow lowered-goal\nslack then sms after 30s",
    true => "# spine: allow lowered-goal --\nslack then sms after 30s",
    false => "# spine: allow lowered-goal -- slack is for the record only\nslack then sms after 30s",

    /// A comment begins with `# spine:` and cannot be followed.
    ///
    /// What it was meant to allow is told as if it were not there.
    ///
    /// Write `# spine: allow RULE -- REASON`, on the line before what is found or at the end of its
    /// line. Several rules are separated by commas. What keeps a policy from compiling cannot be
    /// allowed.
    MalformedAllow, "malformed-allow";
    true => "# spine: alow lowered-goal -- for the record\nslack then sms after 30s",
    true => "# spine: allow lowered-goal for the record\nslack then sms after 30s",
    true => "# spine: allow\nsms",
    false => "# spine is what sends this\nsms",

    /// A comment allows a rule that does not exist.
    ///
    /// Most often its name is written otherwise, and what it was meant to allow is told all the same.
    ///
    /// `spine policy rule` lists all names.
    UnknownAllow, "unknown-allow";
    true => "# spine: allow lowerd-goal -- for the record\nslack then sms after 30s",
    false => "# spine: allow lowered-goal -- for the record\nslack then sms after 30s",
    false => "# spine: allow routing -- voice comes first since May\nsms",

    /// A comment allows what is not there.
    ///
    /// The finding has gone, or stands on another line. Left in place, the comment would set aside a
    /// new finding that nobody has looked at.
    ///
    /// Remove the comment, or put it on the line before the finding or at the end of its line.
    UnusedAllow, "unused-allow";
    true => "# spine: allow lowered-goal -- for the record\nsms then slack after 30s",
    true => "# spine: allow lowered-goal, unsure-zone -- for the record\nslack then sms after 30s",
    true => "slack then sms after 30s\n# spine: allow lowered-goal -- for the record",
    false => "slack then sms after 30s # spine: allow lowered-goal -- for the record",
    false => "# spine: allow lowered-goal -- for the record\npolicy a {\n  slack\n    then sms after 30s\n}",
}
