use crate::lint::Context;
use crate::lint::analysis::{header_of, is_for_codes};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A policy for one-time codes does not expire.
    ///
    /// A code that arrives after its time is worse than none: the person types it in and is refused. Without
    /// `expires` the fallbacks go on as long as they are written, and an outage sends codes of an hour ago.
    ///
    /// Write the time for which the code can be used: `expires after 5m`.
    CodeWithoutExpiry, "code-without-expiry", Note, check;
    true => "policy p { category otp sms then voice after 30s }",
    true => "policy p { category authentication sms }",
    false => "policy p { category otp expires after 5m sms then voice after 30s }",
    false => "policy p { category transactional sms }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let headers = &context.policy.headers;
    if headers.expires.is_none() && is_for_codes(headers.category.as_deref()) {
        let message = "a policy for codes does not say when they expire";
        let help = "write the time for which a code can be used: `expires after 5m`";
        found(Finding::new(header_of(context, "category"), message, help));
    }
}
