use crate::lint::Context;
use crate::lint::analysis::words;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A currency has the form of a code, and is none of ISO 4217.
    ///
    /// `limit 0.25 ERU` is taken as it stands. Prices of providers are in another currency then, so the limit bounds
    /// nothing.
    ///
    /// Write the code of the currency in which the providers' prices are.
    UnknownCurrency, "unknown-currency", Warning, check;
    true => "policy p { limit 0.25 ERU sms }",
    true => "sms then email if cost < 0.10 UDS",
    false => "policy p { limit 0.25 EUR sms }",
    false => "policy p { limit 30 JPY sms }",
    false => "policy p { vars { plan: string } sms if vars.plan is \"5 ERU\" }",
}

/// The codes of ISO 4217 for money that is paid with.
const CODES: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN \
    BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ \
    GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD \
    LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR \
    PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY \
    TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

/// Codes that are tried first for one that nobody knows.
const USUAL: [&str; 4] = ["EUR", "USD", "GBP", "CHF"];

fn check(context: &Context<'_>, found: Found<'_>) {
    let mut is_behind_number = false;
    for (at, word) in words(context.source, context.policy.at.clone()) {
        let is_code = word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_uppercase());
        if is_behind_number && is_code && !CODES.split(' ').any(|code| code == word) {
            let near = |code: &&str| strsim::osa_distance(word, code) == 1;
            let meant = USUAL.into_iter().find(near);
            let message = format!("there is no currency `{word}`");
            let help = match meant {
                Some(meant) => format!("write `{meant}`"),
                None => "write its code of three letters, such as `EUR`".to_owned(),
            };
            found(Finding::new(at, message, help));
        }
        is_behind_number = word.starts_with(|first: char| first.is_ascii_digit());
    }
}
