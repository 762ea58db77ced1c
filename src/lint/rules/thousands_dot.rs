use crate::lint::Context;
use crate::lint::analysis::words;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A number has three digits behind its dot, as thousands are written in many countries.
    ///
    /// The dot is the decimal point: `vars.amount >= 1.000` holds from 1 on, not from a thousand.
    ///
    /// Write a thousand without a dot, `1000`, and a fraction without the nought at its end: `1.5`.
    ThousandsDot, "thousands-dot", Warning, check;
    true => "policy p { vars { amount: number } sms if vars.amount >= 1.000 }",
    true => "policy p { vars { amount: number } sms if vars.amount > 12.500 }",
    true => "policy p { limit 1.000 EUR sms }",
    false => "policy p { vars { amount: number } sms if vars.amount >= 1000 }",
    false => "policy p { vars { amount: number } sms if vars.amount >= 0.125 or vars.amount is 1.5 }",
    false => "policy p { limit 0.125 EUR sms }",
    false => "policy p { vars { code: string } sms if vars.code is \"1.000\" }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    for (at, word) in words(context.source, context.policy.at.clone()) {
        let Some((whole, parts)) = word.split_once('.') else { continue };
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_grouped = is_digits(whole) && whole.len() <= 3 && !whole.starts_with('0');
        if !is_grouped || !is_digits(parts) || parts.len() != 3 {
            continue;
        }
        let plain = format!("{word}0").trim_end_matches('0').trim_end_matches('.').to_owned();
        let message = format!("`{word}` is {plain}: the dot is the decimal point");
        let help = format!("write `{whole}{parts}` where thousands are meant, else `{plain}`");
        found(Finding::new(at, message, help));
    }
}
