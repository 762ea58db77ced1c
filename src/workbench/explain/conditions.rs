//! Conditions in English.

use crate::language::condition::{Comparison, Expr, Literal, Op, Operand, Word};
use crate::model::{Channel, Confirmation};

use super::words::{an, duration, levels, listed};

/// What a condition is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    /// The stage's channel.
    pub(super) channel: Option<Channel>,
    /// What the providers of the policy can confirm.
    pub(super) can: &'a [Confirmation],
}

/// What must hold, behind `if`.
pub(super) fn said(expr: &Expr, about: About<'_>) -> String {
    match expr {
        Expr::And(parts) => joined(parts, "and", about),
        Expr::Or(parts) => joined(parts, "or", about),
        Expr::Not(part) => match &**part {
            Expr::Word(word) => of_word(*word, about, true),
            Expr::HasAddress(on) => format!("the person has no address for {}", an(*on)),
            Expr::Not(part) => said(part, about),
            part => format!("it is not so that {}", inner(part, about)),
        },
        Expr::Word(word) => of_word(*word, about, false),
        Expr::HasAddress(on) => format!("the person has an address for {}", an(*on)),
        Expr::Compare(comparison) => compared(comparison),
    }
}

fn joined(parts: &[Expr], word: &str, about: About<'_>) -> String {
    let parts: Vec<String> = parts.iter().map(|part| inner(part, about)).collect();
    parts.join(&format!(" {word} "))
}

/// A part of a longer condition: what is joined itself stands in brackets.
fn inner(part: &Expr, about: About<'_>) -> String {
    match part {
        Expr::And(_) | Expr::Or(_) => format!("({})", said(part, about)),
        part => said(part, about),
    }
}

fn of_word(word: Word, about: About<'_>, negated: bool) -> String {
    let not = if negated { " not" } else { "" };
    let messages = about.channel.map_or("messages on its channel", |channel| match channel {
        Channel::Sms => "SMS",
        Channel::Whatsapp => "WhatsApp messages",
        Channel::Email => "e-mails",
        Channel::Push => "push notifications",
        Channel::Voice => "voice calls",
        Channel::Slack => "Slack messages",
        Channel::Telegram => "Telegram messages",
        Channel::Webhook => "webhook calls",
    });
    match word {
        Word::Quota => format!("the quota for {messages} is{not} used up"),
        Word::Quiet => format!("the time is{not} within the quiet hours"),
        Word::OptedOut => format!("the person has{not} opted out of {messages}"),
        Word::Tripped if negated => "not every provider of the step is out of service".to_owned(),
        Word::Tripped => "every provider of the step is out of service".to_owned(),
        Word::Confirmed(level) => {
            let what = levels(level, about.can);
            let any = if negated {
                "nothing that was sent for this message"
            } else {
                "something that was sent for this message"
            };
            format!("{any} has been confirmed as {what} by then")
        }
    }
}

fn compared(comparison: &Comparison) -> String {
    let Comparison { left, op, right, .. } = comparison;
    let right_text = operand(right);
    let op = match op {
        Op::Is => "is",
        Op::IsNot => "is there and is not",
        Op::Less => "is less than",
        Op::AtMost => "is at most",
        Op::More => "is more than",
        Op::AtLeast => "is at least",
        Op::In => "is one of",
        Op::Has => "contains",
    };
    format!("{} {op} {right_text}", operand(left))
}

fn operand(operand: &Operand) -> String {
    match operand {
        Operand::Var(name) => format!("the message's “{name}”"),
        Operand::Contact(field) => format!("the contact's {}", field.word().replace('_', " ")),
        Operand::Attribute(name) => format!("the contact's “{name}”"),
        Operand::Priority => "the message's priority".to_owned(),
        Operand::Category => "the message's category".to_owned(),
        Operand::Elapsed => "the time since the message started".to_owned(),
        Operand::Sends => "the number of sends so far".to_owned(),
        Operand::Cost => "the cost of the sends so far".to_owned(),
        Operand::Literal(value) => literal(value),
    }
}

fn literal(value: &Literal) -> String {
    match value {
        Literal::String(text) => format!("“{text}”"),
        Literal::Number(number) => format!("{number}"),
        Literal::Boolean(truth) => format!("{truth}"),
        Literal::Duration(span) => duration(*span),
        Literal::Time(time) => format!("{time}"),
        Literal::Money(micros) => {
            let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
            let kept = text.trim_end_matches('0').len().max(text.len() - 4);
            format!("{} in the account's currency", text.get(..kept).unwrap_or(&text))
        }
        Literal::Priority(priority) => format!("“{priority}”"),
        Literal::List(values) => listed(&values.iter().map(literal).collect::<Vec<_>>(), "or"),
    }
}
