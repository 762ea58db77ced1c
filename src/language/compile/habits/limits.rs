//! The header `limit` as people write it.

use crate::language::policy::TextRange;
use crate::language::words::{near, quoted};
use crate::model::{Channel, Currency, Money};

use super::Meant;
use super::headers::without_sign;
use super::text::Around;

/// `limit 2 sense`: a word that is near `sends` behind the number.
pub(super) fn sends(around: &Around<'_>) -> Option<Meant> {
    let (number, _) =
        around.word_from(around.at.start).filter(|(_, word)| word.bytes().all(|b| b.is_ascii_digit()))?;
    let line = around.line_end(number.end);
    let (at, word) = around.word_from(number.end).filter(|(at, _)| at.start < line)?;
    let letters = word.bytes().all(|b| b.is_ascii_alphabetic());
    let is_near =
        letters && !["sends", "send", "cent", "cents"].contains(&word) && near(word, ["sends"]).is_some();
    let message = format!("unknown word {}; did you mean `sends`?", quoted(word));
    is_near.then(|| Meant::write(at, "sends").named("bad-limit").saying(message))
}

/// `20p`, `25ct`: a number of the hundredths of a currency.
pub(super) fn hundredths(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let number = text.trim_end_matches(char::is_alphabetic);
    let currency = match text.get(number.len()..)?.to_lowercase().as_str() {
        "p" | "pence" => "GBP",
        "c" | "ct" | "cts" => "EUR",
        _ => return None,
    };
    let hundredths: u32 = number.parse().ok()?;
    let amount = format!("{}.{:02} {currency}", hundredths / 100, hundredths % 100);
    let message = format!("{} is not written as money is", quoted(text));
    Some(Meant::write(around.at.clone(), &amount).named("bad-money").saying(message))
}

/// What is no limit.
pub(super) fn limit(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let line = around.line_end(around.at.start);
    if text.starts_with("limit") {
        let (at, word) = around.word_from(around.at.start + "limit".len())?;
        // `limit EUR 0.50`
        if word.parse::<Currency>().is_ok()
            && let Some((last, amount)) = around.word_from(at.end)
            && Money::parse_amount(amount).is_ok()
        {
            let whole = at.start..last.end;
            let message = format!("{} is not written as money is", quoted(around.part(whole.clone())));
            return Some(Meant::write(whole, &format!("{amount} {word}")).named("bad-money").saying(message));
        }
        if [":", "="].contains(&word) {
            return Some(without_sign(around, "limit", at, word));
        }
        for phrase in ["at the most", "no more than", "not more than", "a maximum of", "maximum of", "max."] {
            if let Some(whole) = around.words_from(at.start, phrase) {
                let said = quoted(around.part(whole.clone()));
                let message = format!("{said} is not needed: a limit is the most that is allowed");
                return Some(Meant::leave_out(around, whole).saying(message));
            }
        }
        // `limit { sends = 4 }`
        if word == "{"
            && let Some(close) = around.closing(at.start)
        {
            let inner = around.part(at.end..close.start);
            let message = "`limit` has no braces and no settings";
            let whole = around.at.start..close.end;
            let mut numbers = inner.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
            let counts_sends = ["send", "message", "attempt"].iter().any(|word| inner.contains(word));
            return match (numbers.next(), numbers.next()) {
                (Some(count), None) if counts_sends => {
                    Some(Meant::write(whole, &format!("limit {count} sends")).saying(message))
                }
                _ => {
                    let help = "write `limit 3 sends`, `limit 0.25 EUR`, or both with a comma between";
                    Some(Meant::told(whole).saying(message).help(help))
                }
            };
        }
        if ["none", "no", "off", "unlimited", "never"].contains(&word) {
            let message = "a policy without `limit` has none";
            let whole = around.at.start..at.end;
            return Some(Meant::leave_out(around, whole).saying(message));
        }
        if let Some(meant) = limit_once(around, at.start).or_else(|| limit_joint(around, at.end)) {
            return Some(meant);
        }
        let few = ["max", "maximum", "of", "to", "at", "up"];
        if few.contains(&word) {
            let message = format!("{} is not needed: a limit is the most that is allowed", quoted(word));
            let more = around.word_from(at.end).filter(|(_, next)| ["most", "to"].contains(next));
            let whole = at.start..more.map_or(at.end, |(at, _)| at.end);
            return Some(Meant::leave_out(around, whole).saying(message));
        }
        return None;
    }
    let digits = text.split_whitespace().next()?;
    // `1EUR`
    let number = digits.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    let (amount, currency) = digits.split_at_checked(number)?;
    if currency.parse::<Currency>().is_ok() && Money::parse_amount(amount).is_ok() {
        let at = around.at.start..around.at.start + digits.len();
        let message = format!("{} is not written as money is", quoted(digits));
        let meant = format!("{amount} {currency}");
        return Some(Meant::write(at, &meant).named("bad-money").saying(message));
    }
    let behind = around.word_from(around.at.start + digits.len());
    let cents = behind
        .clone()
        .filter(|(_, word)| ["cent", "cents", "ct", "c"].contains(&word.to_lowercase().as_str()));
    if let (Some((at, word)), Ok(number)) = (cents, digits.parse::<u32>()) {
        let message = format!("`{number} {word}` is not written as money is");
        let help = format!(
            "write the amount with its currency, such as `{0}.{1:02} EUR` or `{0}.{1:02} USD`",
            number / 100,
            number % 100
        );
        let meant = Meant::told(around.at.start..at.end).named("bad-money").saying(message).help(help);
        return Some(meant.until(line));
    }
    let unit = behind.filter(|(at, word)| at.start < line && word.bytes().all(|b| b.is_ascii_alphabetic()));
    if let (Some((at, word)), true) = (unit.clone(), digits.contains('.')) {
        Money::parse_amount(digits).ok()?;
        let whole = around.at.start..at.end;
        let message = format!("{} is no currency", quoted(word));
        let help = format!("a currency is written by its three letters: `{digits} EUR`");
        let meant = Meant::told(whole).named("bad-money").saying(message).help(help);
        return Some(meant.until(line));
    }
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let rest = around.source.get(around.at.start + digits.len()..)?;
    if let Some(decimals) =
        rest.strip_prefix(',').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    {
        let length = decimals.bytes().take_while(u8::is_ascii_digit).count();
        let at = around.at.start..around.at.start + digits.len() + 1 + length;
        let meant = format!("{digits}.{}", decimals.get(..length)?);
        Money::parse_amount(&meant).ok()?;
        // `0,20 €`
        let sign = around.word_from(at.end).filter(|(next, _)| next.start < line);
        if let Some((last, currency)) = sign.and_then(|(at, sign)| Some((at, currency_of(sign)?))) {
            let whole = at.start..last.end;
            let message = format!("{} is not written as money is", quoted(around.part(whole.clone())));
            return Some(
                Meant::write(whole, &format!("{meant} {currency}")).named("bad-money").saying(message),
            );
        }
        let message = format!("{} is not written as amounts are", quoted(around.part(at.clone())));
        return Some(Meant::write(at, &meant).named("bad-money").saying(message));
    }
    // `limit 3 sms then email`: that channel is the first stage.
    let is_stage =
        |at: &TextRange| around.word_from(at.end).is_none_or(|(_, next)| ["then", "}"].contains(&next));
    let unit = unit.filter(|(at, word)| word.parse::<Channel>().is_err() || !is_stage(at));
    let end = unit.map_or(around.at.start + digits.len(), |(at, _)| at.end);
    let whole = around.at.start..end;
    Some(Meant::write(whole, &format!("{digits} sends")))
}

/// `limit 2 sends; 1 EUR`, `limit 3 sends 0.50 EUR`: its parts with another sign between them, or with none.
pub(super) fn limit_parts(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (before, _) = around.before().filter(|(_, word)| ["send", "sends"].contains(word))?;
    let (next, word) = around.next_on_line()?;
    let is_amount = |text: &str| Money::parse_amount(text).is_ok();
    let (joint, whole, message) = if is_amount(text) && word.parse::<Currency>().is_ok() {
        let whole = around.at.start..next.end;
        let message = format!("there is no `,` before {}", quoted(around.part(whole.clone())));
        (before.end..before.end, whole, message)
    } else if is_amount(word) {
        let message = format!("the parts of `limit` are joined by `,`, not by {}", quoted(text));
        (before.end..around.at.end, around.at.clone(), message)
    } else {
        return None;
    };
    // The currency was taken for a stage, so what begins the next line follows from it too.
    Some(Meant::write(joint, ",").about(whole).named("bad-limit").saying(message))
}

/// `limit 2 sends and 0.15 EUR`: what joins the parts, looked for from a place on.
fn limit_joint(around: &Around<'_>, from: usize) -> Option<Meant> {
    let line = around.line_end(from);
    let (last, unit) = around.word_from(from).filter(|(at, _)| at.start < line)?;
    let (at, said) = around.word_from(last.end).filter(|(at, _)| at.start < line)?;
    let (_, next) = around.word_from(at.end).filter(|(at, _)| at.start < line)?;
    let is_unit = ["send", "sends"].contains(&unit) || unit.parse::<Currency>().is_ok();
    let joins = ["and", "or", "plus", "und", "y", "et", "&", "+", "/", ";", "|"].contains(&said);
    let fits = is_unit && joins && next.starts_with(|c: char| c.is_ascii_digit());
    let message = format!("the parts of `limit` are joined by `,`, not by {}", quoted(said));
    fits.then(|| Meant::write(last.end..at.end, ",").about(at).saying(message))
}

/// The currency of a sign or an everyday word.
fn currency_of(sign: &str) -> Option<&'static str> {
    match sign.to_lowercase().as_str() {
        "€" | "euro" | "euros" => Some("EUR"),
        "$" | "dollar" | "dollars" => Some("USD"),
        "£" => Some("GBP"),
        _ => None,
    }
}

/// `limit only once`, `limit twice`.
fn limit_once(around: &Around<'_>, from: usize) -> Option<Meant> {
    let (mut at, mut word) = around.word_from(from)?;
    while ["only", "just", "to", "max", "exactly"].contains(&word) {
        (at, word) = around.word_from(at.end)?;
    }
    let number = match word {
        "once" => "1",
        "twice" => "2",
        "thrice" => "3",
        _ => super::values::number(word)?,
    };
    let sends =
        around.word_from(at.end).filter(|(_, word)| ["send", "sends", "time", "times"].contains(word));
    let whole = from..sends.map_or(at.end, |(at, _)| at.end);
    let message = format!("{} is not how a limit is written", quoted(around.part(whole.clone())));
    Some(Meant::write(whole, &format!("{number} sends")).saying(message))
}
