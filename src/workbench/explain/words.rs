//! Words for channels, times and windows.

use crate::model::{Channel, Confirmation, Days, Span, Window, Zone};

/// What a message on a channel is called.
pub(super) const fn message(channel: Channel) -> &'static str {
    match channel {
        Channel::Sms => "SMS",
        Channel::Whatsapp => "WhatsApp message",
        Channel::Email => "e-mail",
        Channel::Push => "push notification",
        Channel::Voice => "voice call",
        Channel::Slack => "Slack message",
        Channel::Telegram => "Telegram message",
        Channel::Webhook => "webhook call",
    }
}

/// `an SMS`.
pub(super) fn an(channel: Channel) -> String {
    let article = if matches!(channel, Channel::Sms | Channel::Email) { "an" } else { "a" };
    format!("{article} {}", message(channel))
}

/// `1 hour and 30 minutes`.
pub(super) fn duration(span: Span) -> String {
    const UNITS: [(i64, &str); 5] =
        [(86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"), (1_000, "second"), (1, "millisecond")];
    let (mut rest, mut parts) = (span.ms(), Vec::new());
    for (ms, unit) in UNITS {
        let count = rest / ms;
        rest %= ms;
        if count > 0 {
            parts.push(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }));
        }
    }
    if parts.is_empty() { "no time".to_owned() } else { listed(&parts, "and") }
}

/// `a, b and c`.
pub(super) fn listed(parts: &[String], last: &str) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., end] => format!("{} {last} {end}", rest.join(", ")),
    }
}

/// `once`, `twice`, `3 times`.
pub(super) fn times(n: u32) -> String {
    match n {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        n => format!("{n} times"),
    }
}

/// What must be confirmed, or implies it, of what can be.
pub(super) fn confirmed(goal: Confirmation, can: &[Confirmation]) -> String {
    match (goal, levels(goal, can).as_str()) {
        (Confirmation::Accepted, _) => "is accepted by a provider".to_owned(),
        (_, "replied to") => "is replied to".to_owned(),
        (_, levels) => format!("is confirmed as {levels}"),
    }
}

/// `delivered, read or replied to`: a level, and those that imply it, of those that can be confirmed; the
/// level itself where none can.
pub(super) fn levels(goal: Confirmation, can: &[Confirmation]) -> String {
    let word = |level: &Confirmation| match level {
        Confirmation::Replied => "replied to".to_owned(),
        level => level.word().to_owned(),
    };
    let implied = Confirmation::ALL.iter().filter(|level| **level >= goal && can.contains(level));
    let words: Vec<String> = implied.map(word).collect();
    if words.is_empty() { word(&goal) } else { listed(&words, "or") }
}

/// Whose clock: `by the clock of Europe/Berlin`.
pub(super) fn clock(zone: &Zone) -> String {
    match zone {
        Zone::Named(name) => format!("by the clock of {name}"),
        Zone::Contact { otherwise: None } => {
            "by the clock of the contact's time zone (the account's default zone where the contact has none that is known)"
                .to_owned()
        }
        Zone::Contact { otherwise: Some(name) } => {
            format!("by the clock of the contact's time zone ({name} where the contact has none that is known)")
        }
    }
}

/// ` on weekdays`; nothing where every day is meant.
pub(super) fn days(days: Days) -> String {
    const NAMES: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    match days {
        Days::ALL => String::new(),
        Days::WEEKDAYS => " on weekdays (Monday to Friday)".to_owned(),
        Days::WEEKENDS => " on weekends (Saturday and Sunday)".to_owned(),
        days => {
            let names = NAMES.iter().enumerate().filter(|(place, _)| days.has(*place));
            let names: Vec<String> = names.map(|(_, name)| format!("{name}s")).collect();
            format!(" on {}", listed(&names, "and"))
        }
    }
}

/// `from 21:00 until just before 08:00 on weekdays, by the clock of …`.
pub(super) fn window(window: &Window) -> String {
    let over_midnight = window.from > window.to;
    let belongs = match (over_midnight, window.days == Days::ALL) {
        (true, true) => " of the next day".to_owned(),
        (true, false) => " of the day after".to_owned(),
        (false, _) => String::new(),
    };
    let days = days(window.days);
    let begins = if over_midnight && !days.is_empty() { format!(", beginning{days}") } else { days };
    format!("from {} until just before {}{belongs}{begins}, {}", window.from, window.to, clock(&window.zone))
}
