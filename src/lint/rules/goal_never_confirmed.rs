use crate::language::words::listed;
use crate::lint::Context;
use crate::lint::analysis::{all_below, leading_to, modifier_of};
use crate::machine::Was;
use crate::model::{Channel, Confirmation};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// `until` asks for what nobody confirms on this channel.
    ///
    /// An sms is never reported as read, a slack message never as delivered. The stage then stays
    /// unreached, however well the message arrived: every stage with `after` behind it is sent too.
    ///
    /// Ask for what the channel can confirm. A catalog says what your providers report, where that is not
    /// what is usual.
    GoalNeverConfirmed, "goal-never-confirmed", Warning, check;
    true => "sms until read",
    true => "voice until read then sms after 5m",
    true => "webhook until delivered",
    true => "slack until delivered",
    true => "push until replied",
    for &["twilio: sms nothing"]; true => "sms until delivered",
    false => "sms until delivered",
    false => "whatsapp until read",
    false => "webhook until accepted",
    for &["twilio: sms delivered read"]; false => "sms until read",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    for place in context.analysis.places() {
        let Some(channel) = place.channel() else { continue };
        let Some(goal) = channel.until.filter(|goal| *goal > Confirmation::Accepted) else { continue };
        // What another policy says is told where that policy is checked.
        if place.used || place.route.is_empty() || place.confirms().any(|level| level == goal) {
            continue;
        }
        let word = channel.channel;
        let mut levels: Vec<Confirmation> = place.confirms().collect();
        levels.sort_unstable();
        levels.dedup();
        let message = match levels.iter().any(|level| *level > goal) {
            true => format!("nobody confirms `{goal}` for `{word}`: only an answer would count"),
            false => format!("nobody confirms `{goal}` for `{word}`, so it is never reached"),
        };
        let help = match levels.as_slice() {
            [] => format!("for `{word}` nothing is confirmed beyond acceptance; write `until accepted`"),
            levels => {
                let words: Vec<String> = levels.iter().map(|level| format!("`until {level}`")).collect();
                format!("write {}", words.join(" or "))
            }
        };
        let others: Vec<&str> = Channel::ALL
            .iter()
            .filter(|other| **other != word && other.default_confirmations().contains(&goal))
            .take(3)
            .map(|other| other.word())
            .collect();
        let help = match others.is_empty() {
            true => help,
            false => {
                let others = listed(others, "or");
                format!(
                    "{help}; where `{goal}` is what counts, take a channel that confirms it, such as {others}"
                )
            }
        };
        let at = modifier_of(context.source, place, "until");
        let said = all_below(place, goal);
        let run = leading_to(context, place.id, &|trial| trial.says(word, said.clone()), &|run| {
            run.has(place.id, Was::AttemptAccepted) && !run.has(place.id, Was::Reached)
        });
        found(Finding::new(at, message, help).shown(run));
    }
}
