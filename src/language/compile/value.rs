//! Durations, times of day, days, windows, counts, money and texts.

use crate::model::{Currency, Days, Money, Span, TimeOfDay, Window, Zone};

use super::super::words::{listed, near, quoted};
use super::super::{limits, policy::TextRange};
use super::{Edit, Faults, Node, Rule};

/// What the parts of a modifier or header are called in messages about them.
#[derive(Clone, Copy)]
pub(super) struct What(pub(super) &'static str, pub(super) &'static str);

impl Faults<'_> {
    /// A duration that must be there. `what` names the word before it and an example of the whole.
    pub(super) fn duration(
        &mut self,
        owner: &Node<'_>,
        amount: Option<Node<'_>>,
        what: What,
    ) -> Option<Span> {
        let Some(amount) = amount else {
            let at = self.range(owner);
            self.tell("missing-duration", at, format!("the duration after `{}` is missing", what.0), what.1);
            return None;
        };
        let at = self.range(&amount);
        let atom = amount.child(Rule::atom)?;
        let (text, unit) = (atom.text(), amount.child(Rule::unit));
        if let Some(unit) = unit {
            let joined = format!("{text}{}", short_unit(self.text(&self.range(&unit))));
            if joined.parse::<Span>().is_ok() {
                let message = format!("{} is not written as durations are", self.quoted(&amount));
                self.tell_replace("bad-duration", at, message, &joined);
                return None;
            }
        }
        self.span_of(text, at)
    }

    /// A duration that must be longer than nothing.
    pub(super) fn lasting(&mut self, owner: &Node<'_>, amount: Option<Node<'_>>, what: What) -> Option<Span> {
        let at = amount.as_ref().map(|a| self.range(a));
        let span = self.duration(owner, amount, what)?;
        if span == Span::ZERO {
            let message = format!("a duration of nothing makes no sense after `{}`", what.0);
            self.tell("zero-duration", at.unwrap_or_else(|| self.range(owner)), message, what.1);
            return None;
        }
        Some(span)
    }

    pub(super) fn span_of(&mut self, text: &str, at: TextRange) -> Option<Span> {
        match text.parse::<Span>() {
            Ok(span) => Some(span),
            Err(crate::model::SpanError::Unit { unit, .. }) => {
                let mended = text.replacen(&unit, short_unit(&unit), 1);
                let message = format!("{} in {} is not a unit of time", quoted(&unit), quoted(text));
                if mended != text && mended.parse::<Span>().is_ok() {
                    self.tell_replace("bad-duration", at, message, &mended);
                } else {
                    self.tell("bad-duration", at, message, beside_unit(text, &unit));
                }
                None
            }
            Err(crate::model::SpanError::Long(_)) => {
                let message = format!("{} is too long", quoted(text));
                self.tell("duration-too-long", at, message, format!("write at most `{}`", Span::MAX));
                None
            }
            Err(crate::model::SpanError::Order(_)) => {
                let message = format!("the units in {} are not in their order", quoted(text));
                self.tell(
                    "bad-duration",
                    at,
                    message,
                    "write them from large to small, each once, as in `1d2h30m`",
                );
                None
            }
            Err(crate::model::SpanError::Shape(_)) => {
                let number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
                let help = if number {
                    let ms = if text.len() > 2 { format!("`{}ms`, ", clip(text)) } else { String::new() };
                    format!(
                        "say the unit: {ms}`{text}s`, `{text}m`, `{text}h` or `{text}d`",
                        text = clip(text)
                    )
                } else {
                    "write for example `30s`, `5m`, `1h30m` or `2d`".to_owned()
                };
                self.tell("bad-duration", at, format!("{} is not a duration", quoted(text)), help);
                None
            }
        }
    }

    pub(super) fn time_of(&mut self, text: &str, at: TextRange) -> Option<TimeOfDay> {
        let time = text.parse().ok();
        if time.is_none() {
            let message = format!("{} is not a time of day", quoted(text));
            let hour = text.split_once(':').and_then(|(hour, minutes)| {
                minutes.parse::<u8>().ok().filter(|minutes| *minutes > 59)?;
                format!("{hour}:00").parse::<TimeOfDay>().ok()
            });
            let help = match hour {
                Some(hour) => format!("an hour has the minutes `00` to `59`: write for example `{hour}`"),
                None => "write hours and minutes, `00:00` to `23:59`".to_owned(),
            };
            self.tell("bad-time", at, message, help);
        }
        time
    }

    fn clock(&mut self, node: &Node<'_>) -> Option<TimeOfDay> {
        let at = self.range(node);
        self.time_of(self.text(&at), at)
    }

    /// The `FROM to TO [on days] in ZONE` of `quiet`, with `and` for `to` in `between`.
    pub(super) fn window(&mut self, owner: &Node<'_>, word: &str, joined_by: &str) -> Option<Window> {
        let node = owner.child(Rule::window)?;
        let example = format!("write for example `{word} 21:00 {joined_by} 08:00 in Europe/Berlin`");
        let (mut times, mut joined) = (Vec::new(), None);
        for part in node.children() {
            match part.rule() {
                Rule::clock_time => times.push(part),
                Rule::to_word => joined = Some(part),
                _ => {}
            }
        }
        let before = self.count();
        let parsed: Vec<Option<TimeOfDay>> = times.iter().map(|t| self.clock(t)).collect();
        let (days, zone) = self.days_and_zone(&node, word, &example);
        let at = self.range(if times.is_empty() { owner } else { &node });
        // Told beside a fault of the zone or the days: the two have nothing to do with each other.
        if let [Some(from), Some(to)] = parsed[..]
            && from == to
        {
            let message = format!("the window of `{word}` ends when it begins, at `{from}`");
            self.tell("empty-window", at.clone(), message, "the second time must differ from the first");
        }
        if self.count() > before {
            return None;
        }
        let [Some(from), Some(to)] = parsed[..] else {
            self.tell("missing-time", at, format!("`{word}` takes two times of day"), example);
            return None;
        };
        match joined {
            Some(part) if self.text(&self.range(&part)) == joined_by => {}
            Some(part) => {
                let message = format!("the times of `{word}` are joined by `{joined_by}`");
                self.tell_replace("bad-window", self.range(&part), message, joined_by);
                return None;
            }
            None => {
                let message = format!("there is no `{joined_by}` between the times");
                let second = times.get(1).map_or(at.end, |time| self.range(time).start);
                let fix = replace(second..second, &format!("{joined_by} "));
                let both = times.first().zip(times.get(1));
                let at = both.map_or(at, |(from, to)| self.range(from).start..self.range(to).end);
                self.tell_fix("bad-window", at, message, format!("write `{from} {joined_by} {to}`"), fix);
                return None;
            }
        }
        Some(Window { from, to, days, zone: zone? })
    }

    /// `[on days] in ZONE`; the zone must be there.
    pub(super) fn days_and_zone(
        &mut self,
        node: &Node<'_>,
        word: &str,
        example: &str,
    ) -> (Days, Option<Zone>) {
        let (mut days, mut zone) = (None, None);
        for part in node.children() {
            match part.rule() {
                Rule::on_days if days.is_none() => days = Some(self.days(&part)),
                Rule::in_zone if zone.is_none() => zone = Some(self.zone(&part, example)),
                Rule::on_days | Rule::in_zone => {
                    let message = format!("{} stands after one of its kind", self.quoted(&part));
                    self.tell("repeated-part", self.range(&part), message, "leave one of them out");
                }
                _ => {}
            }
        }
        if zone.is_none() {
            let message = format!("`{word}` does not say in which zone its times are meant");
            let at = self.range(node);
            let help = "add `in` and a zone: `in contact.timezone`, `in Europe/Berlin` or `in UTC`";
            let owner_is_empty = at.is_empty();
            if owner_is_empty {
                // Nothing at all stands behind the word: the caller tells that the times are missing.
                return (days.unwrap_or(Days::ALL), None);
            }
            self.tell("missing-zone", at, message, help);
        }
        (days.unwrap_or(Days::ALL), zone.flatten())
    }

    fn days(&mut self, node: &Node<'_>) -> Days {
        let (mut days, mut any) = (Days::none(), false);
        let shape = "write `weekdays`, `weekends`, or days as in `mon, wed, fri`";
        for day in node.children() {
            any = true;
            let at = self.range(&day);
            let word = self.text(&at);
            match word {
                "weekdays" => days = union(days, Days::WEEKDAYS),
                "weekends" => days = union(days, Days::WEEKENDS),
                _ => match Days::WORDS.iter().position(|w| *w == word) {
                    Some(index) => days = days.with(index),
                    None => {
                        let meant = day_meant(word);
                        let message = format!("unknown day {}{}", quoted(word), did_you_mean(meant));
                        match meant {
                            Some(meant) => self.tell_replace("unknown-day", at, message, meant),
                            None => self.tell("unknown-day", at, message, shape),
                        }
                    }
                },
            }
        }
        if !any {
            self.tell("unknown-day", self.range(node), "the days after `on` are missing".to_owned(), shape);
        }
        // `mon and fri` reads well, but days are joined by commas.
        let text = self.scan.folded(self.source, &self.range(node));
        if let Some(word) = [" and ", " or "].into_iter().find(|w| text.contains(w)) {
            let message = format!("days are joined by commas, not by `{}`", word.trim());
            let mended = text.replace(" and ", ", ").replace(" or ", ", ");
            self.tell_replace("unknown-day", self.range(node), message, &mended);
        }
        days
    }

    /// The N of `retry`, `repeat` and `limit`.
    pub(super) fn count_of(&mut self, node: &Node<'_>, word: &str, range: (u32, u32)) -> Option<u32> {
        let atom = node.child(Rule::atom)?;
        let (text, at) = (atom.text(), self.range(&atom));
        let number = text.parse::<u32>().ok().filter(|n| (range.0..=range.1).contains(n));
        if number.is_some() {
            return number;
        }
        let digits = text.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit());
        let help = format!("write a whole number from {} to {}", range.0, range.1);
        let message = match (digits, number_word(text)) {
            (true, _) => format!("{} is out of the range of `{word}`", quoted(text)),
            (_, Some(n)) => {
                self.tell_replace("bad-number", at, format!("{} is not written in digits", quoted(text)), n);
                return None;
            }
            _ => format!("{} is not a whole number", quoted(text)),
        };
        self.tell("bad-number", at, message, help);
        None
    }

    /// `0.25 EUR`.
    pub(super) fn money(&mut self, node: &Node<'_>) -> Option<Money> {
        let at = self.range(node);
        let (mut number, mut currency) = (None, None);
        for part in node.children() {
            match part.rule() {
                Rule::number => number = Some(part.text().to_owned()),
                _ => currency = Some(part.text().to_owned()),
            }
        }
        let (number, currency) = (number?, currency?);
        let meant = match currency.as_str() {
            "€" => "EUR".to_owned(),
            "$" => "USD".to_owned(),
            "£" => "GBP".to_owned(),
            word if word.to_lowercase().starts_with("eur") => "EUR".to_owned(),
            word => word.to_uppercase(),
        };
        if meant != currency {
            let message = format!("{} is not written as money is", self.quoted(node));
            self.tell_replace("bad-money", at, message, &format!("{number} {meant}"));
            return None;
        }
        let micros = match Money::parse_amount(&number) {
            Ok(micros) => micros,
            Err(error) => {
                self.tell("bad-money", at, error.to_string(), "write for example `0.25 EUR`");
                return None;
            }
        };
        meant.parse::<Currency>().ok().map(|currency| Money { micros, currency })
    }

    /// What stands between double quotes, `\"` and `\\` read as `"` and `\`.
    pub(super) fn string(&mut self, node: &Node<'_>) -> Option<String> {
        let at = self.range(node);
        let parts: Vec<_> = node.children().collect();
        if let Some(odd) = parts.iter().find(|p| p.rule() == Rule::odd_string) {
            let inner: String = odd.text().chars().skip(1).collect();
            let bare = inner.strip_suffix(['\'', '”', '“', '»', '`']).unwrap_or(&inner);
            // The blanks within « and » are those of the signs.
            let bare = if odd.text().starts_with('«') { bare.trim() } else { bare };
            let inner = bare.replace('"', "\\\"");
            let message = format!("{} does not stand in straight double quotes", self.quoted(node));
            self.tell_replace("bad-text", at, message, &format!("\"{inner}\""));
            return None;
        }
        let text = parts.iter().find(|p| p.rule() == Rule::text)?.text();
        if parts.iter().any(|p| p.rule() == Rule::unclosed) {
            let message = format!("the text {} has no closing quote on its line", self.quoted(node));
            self.tell("unclosed-text", at, message, "end it with `\"`");
            return None;
        }
        if text.len() > limits::STRING_BYTES_MAX {
            let message = format!("a text of {} bytes is too long", text.len());
            self.tell(
                "text-too-long",
                at,
                message,
                format!("write at most {} bytes", limits::STRING_BYTES_MAX),
            );
            return None;
        }
        Some(unescaped(text))
    }
}

fn unescaped(text: &str) -> String {
    let (mut out, mut escape) = (String::with_capacity(text.len()), false);
    for c in text.chars() {
        if c == '\\' && !escape {
            escape = true;
            continue;
        }
        escape = false;
        out.push(c);
    }
    out
}

/// `; did you mean …?`, or nothing.
pub(super) fn did_you_mean(word: Option<&str>) -> String {
    word.map(|w| format!("; did you mean {}?", quoted(w))).unwrap_or_default()
}

pub(super) fn replace(at: TextRange, text: &str) -> Vec<Edit> {
    vec![Edit { at, text: text.to_owned() }]
}

fn clip(text: &str) -> &str {
    text.get(..12).unwrap_or(text)
}

fn union(a: Days, b: Days) -> Days {
    (0..7).filter(|i| b.has(*i)).fold(a, Days::with)
}

fn short_unit(word: &str) -> &str {
    match word.to_lowercase().as_str() {
        "milliseconds" | "millisecond" | "millis" | "msec" => "ms",
        "seconds" | "second" | "secs" | "sec" => "s",
        "minutes" | "minute" | "mins" | "min" => "m",
        "hours" | "hour" | "hrs" | "hr" | "u" | "uur" | "uren" | "std" => "h",
        "days" | "day" => "d",
        _ => word,
    }
}

fn number_word(word: &str) -> Option<&'static str> {
    Some(match word {
        "once" | "one" => "1",
        "twice" | "two" => "2",
        "thrice" | "three" => "3",
        "four" => "4",
        "five" => "5",
        "ten" => "10",
        _ => return None,
    })
}

fn day_meant(word: &str) -> Option<&'static str> {
    let lower = word.to_lowercase();
    match lower.as_str() {
        "weekday" | "workdays" | "mon-fri" => return Some("weekdays"),
        "weekend" | "sat-sun" => return Some("weekends"),
        _ => {}
    }
    // `lun` is a Monday elsewhere, and no slip of `sun`.
    if let Some(day) = super::habits::days::named(word) {
        return Days::WORDS.get(day).copied();
    }
    let long = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    if let Some(meant) = near(&lower, long).and_then(|l| long.iter().position(|w| *w == l)) {
        return Days::WORDS.get(meant).copied();
    }
    near(&lower, Days::WORDS.into_iter().chain(["weekdays", "weekends"]))
}

/// The words of a closed list, for a help.
pub(super) fn one_of(words: &[&str]) -> String {
    format!("write {}", listed(words.iter().copied(), "or"))
}

/// What helps where a unit is none: those whose keys are beside what was pressed.
fn beside_unit(text: &str, unit: &str) -> String {
    const BESIDE: [(&str, &str, &str); 4] = [
        ("s", "seconds", "awzxedq"),
        ("m", "minutes", "njk"),
        ("h", "hours", "bgyujn"),
        // Days are `jours` and `Tage` too.
        ("d", "days", "sefrcxjt"),
    ];
    let is_one = unit.chars().count() == 1;
    // `25mm`: a key that was held too long.
    let mut letters = unit.chars();
    if let (Some(one), Some(other), None) = (letters.next(), letters.next(), letters.next())
        && one == other
        && BESIDE.iter().any(|(short, ..)| short.starts_with(one))
    {
        return format!("write `{}{one}`", text.trim_end_matches(one));
    }
    let meant: Vec<String> = BESIDE
        .iter()
        .filter(|(.., keys)| is_one && keys.contains(&unit.to_ascii_lowercase()))
        .map(|(short, long, _)| (text.replacen(unit, short, 1), long))
        .filter(|(meant, _)| meant.parse::<Span>().is_ok())
        .map(|(meant, long)| format!("`{meant}` ({long})"))
        .collect();
    match meant.is_empty() {
        true => "the units are `ms`, `s`, `m`, `h` and `d`".to_owned(),
        false => format!("write {}", meant.join(" or ")),
    }
}
