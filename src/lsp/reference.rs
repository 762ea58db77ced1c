//! What the words of the language mean, for hovering and completing.

use super::reading::Role;
use crate::model::Channel;

/// A word of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) word: &'static str,
    /// Where it stands, so that one word can mean two things.
    pub(super) place: Place,
    /// How it is written.
    pub(super) form: &'static str,
    /// What it means.
    pub(super) meaning: &'static str,
}

/// Where a word stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Header,
    Action,
    Modifier,
    /// Inside a modifier or header.
    Inside,
    Joint,
    Goal,
    Doubt,
    Condition,
    Field,
    Priority,
    Type,
    Day,
}

/// The words of a place.
pub(super) fn words(place: Place) -> impl Iterator<Item = &'static Word> {
    WORDS.iter().filter(move |word| word.place == place)
}

/// The meaning of a word in the first of these places that has it.
pub(super) fn find(word: &str, places: &[Place]) -> Option<&'static Word> {
    places.iter().find_map(|place| WORDS.iter().find(|known| known.word == word && known.place == *place))
}

/// The meaning of a word by its role.
pub(super) fn of_role(word: &str, role: Role) -> Option<&'static Word> {
    use Place::{
        Action, Condition, Day, Doubt, Field, Goal, Header, Inside, Joint, Modifier, Priority, Type,
    };
    let places: &[Place] = match role {
        Role::Keyword => &[Joint, Modifier, Action, Header, Inside, Doubt],
        Role::WordOperator | Role::Operator => &[Condition, Inside],
        Role::Word | Role::Name | Role::Owner | Role::Boolean => &[Condition],
        Role::Contact => &[Field],
        Role::Priority => &[Priority],
        Role::Goal => &[Goal],
        Role::Type => &[Type],
        Role::Day => &[Day],
        _ => return None,
    };
    find(word, places)
}

/// What a channel does and confirms.
pub(super) fn channel(channel: Channel) -> String {
    let reaches = match channel {
        Channel::Sms => "a text message to a phone number",
        Channel::Whatsapp => "a WhatsApp message to a phone number",
        Channel::Email => "an e-mail",
        Channel::Push => "a push notification to a device",
        Channel::Voice => "a call to a phone number, the text read aloud",
        Channel::Slack => "a Slack message",
        Channel::Telegram => "a Telegram message",
        Channel::Webhook => "a request to a URL",
    };
    let confirms: Vec<&str> = channel.default_confirmations().iter().map(|c| c.word()).collect();
    match confirms.as_slice() {
        [] => format!("Sends {reaches}. It confirms nothing beyond acceptance."),
        some => format!("Sends {reaches}. It can confirm `{}`.", some.join("`, `")),
    }
}

const fn word(place: Place, word: &'static str, form: &'static str, meaning: &'static str) -> Word {
    Word { word, place, form, meaning }
}

/// All of them, but the channels.
pub(super) const WORDS: &[Word] = &[
    word(Place::Header, "policy", "policy NAME { … }", "A policy with a name: headers, then what is done."),
    word(
        Place::Header,
        "category",
        "category transactional",
        "What the message is about, in one word: quotas, consents and reports go by it.",
    ),
    word(
        Place::Header,
        "expires",
        "expires after 2h",
        "At this time, counted from acceptance or `send_at`, nothing more starts or is retried, and the message ends.",
    ),
    word(
        Place::Header,
        "quiet",
        "quiet 21:00 to 08:00 in ZONE unless COND",
        "Quiet hours: every send that would start or be tried again inside them is held until they are over.",
    ),
    word(
        Place::Header,
        "limit",
        "limit 3 sends, 0.25 EUR",
        "The most attempts, the most money, or both. A stage for which none is left fails.",
    ),
    word(
        Place::Header,
        "vars",
        "vars { time: string, amount: number optional }",
        "What a message brings along, with its types. A condition names it `vars.time`.",
    ),
    word(
        Place::Action,
        "any",
        "any of (push, whatsapp)",
        "Starts all members together; reached when one is, failed when all have failed.",
    ),
    word(
        Place::Action,
        "all",
        "all of (email, sms)",
        "Starts all members together; reached when all are, failed when one has failed and the rest are at their end.",
    ),
    word(
        Place::Action,
        "wait",
        "wait 10m, wait until 09:00 in ZONE",
        "A hold that sends nothing. It begins with the stage before it, always lasts its time, and `after` behind it counts from its end.",
    ),
    word(
        Place::Action,
        "use",
        "use NAME",
        "The strategy of another policy, as one stage. Of its headers only `vars` come along.",
    ),
    word(
        Place::Joint,
        "then",
        "A then B",
        "B starts when A has failed, at once. With `after 30s` B starts also when A was not reached within that time of its start.",
    ),
    word(
        Place::Joint,
        "otherwise",
        "otherwise fail \"why\"",
        "Where the person was not reached, the message ends as failed, with this reason.",
    ),
    word(
        Place::Joint,
        "fail",
        "otherwise fail \"why\"",
        "Ends the message as failed, with the reason in quotes.",
    ),
    word(
        Place::Modifier,
        "via",
        "via a or b, via 70% a, 30% b",
        "The providers, in the order in which they are tried; or shares of the messages, each provider failing over to the others.",
    ),
    word(
        Place::Modifier,
        "after",
        "after 30s",
        "The stage starts when the one before has failed, or when that was not reached within this time of its start. It never delays a start after a failure.",
    ),
    word(Place::Modifier, "until", "until read", "What counts as reaching the person on this stage."),
    word(
        Place::Modifier,
        "if",
        "if COND",
        "The stage is skipped where this does not hold when it would start.",
    ),
    word(
        Place::Modifier,
        "unless",
        "unless COND",
        "The stage is skipped where this holds when it would start.",
    ),
    word(
        Place::Modifier,
        "between",
        "between 08:00 and 21:00 on weekdays in ZONE",
        "The stage is held until this window is open.",
    ),
    word(
        Place::Modifier,
        "retry",
        "retry 3 times every 10s, retry 5 times backoff 1s to 30s",
        "How often the providers are tried again after failures; 2 times, backoff 1s to 30s, where nothing is said.",
    ),
    word(
        Place::Modifier,
        "repeat",
        "repeat 2 times every 5m",
        "Sent again at this pace while nobody has confirmed.",
    ),
    word(
        Place::Modifier,
        "valid",
        "valid 10m",
        "The provider is told to give up delivering after this time.",
    ),
    word(
        Place::Modifier,
        "on doubt",
        "on doubt wait",
        "What happens where nobody knows whether the provider took the message.",
    ),
    word(
        Place::Inside,
        "doubt",
        "on doubt wait",
        "What happens where nobody knows whether the provider took the message.",
    ),
    word(Place::Inside, "of", "any of (…), all of (…)", "Before the members of a group."),
    word(Place::Inside, "every", "every 10s", "The pause between two tries, always the same."),
    word(
        Place::Inside,
        "backoff",
        "backoff 1s to 30s",
        "The pause between two tries, doubling from the first value to the last.",
    ),
    word(Place::Inside, "times", "2 times", "How often."),
    word(Place::Inside, "sends", "limit 3 sends", "Attempts: each that was made and not refused."),
    word(Place::Inside, "to", "21:00 to 08:00, backoff 1s to 30s", "Up to, and not with it."),
    word(Place::Inside, "and", "between 08:00 and 21:00", "Up to, and not with it."),
    word(Place::Inside, "on", "on weekdays", "The days on which a window begins."),
    word(
        Place::Inside,
        "in",
        "in contact.timezone else Europe/Berlin",
        "The zone whose clock counts: an IANA name, or the contact's.",
    ),
    word(
        Place::Inside,
        "else",
        "contact.timezone else Europe/Berlin",
        "The zone that holds where the contact's is missing or unknown.",
    ),
    word(Place::Inside, "or", "via a or b", "The next provider, where the one before cannot."),
    word(
        Place::Inside,
        "optional",
        "amount: number optional",
        "A message may lack it; a comparison with it is then false.",
    ),
    word(Place::Goal, "accepted", "until accepted", "Reached when a provider has taken the message."),
    word(
        Place::Goal,
        "delivered",
        "until delivered",
        "Reached when the message has arrived. The goal where nothing is said, if a provider can confirm it.",
    ),
    word(Place::Goal, "read", "until read", "Reached when the person has opened the message."),
    word(Place::Goal, "replied", "until replied", "Reached when the person has answered."),
    word(
        Place::Doubt,
        "wait",
        "on doubt wait",
        "It counts as accepted, and a confirmation is waited for. This holds where nothing is said.",
    ),
    word(Place::Doubt, "move on", "on doubt move on", "The stage fails, and the next one starts."),
    word(Place::Doubt, "move", "on doubt move on", "The stage fails, and the next one starts."),
    word(
        Place::Doubt,
        "resend",
        "on doubt resend",
        "Sent again at once by the same provider, twice at most. The person may get it twice.",
    ),
    word(Place::Condition, "quota", "unless quota", "The tenant's quota of the stage's channel is used up."),
    word(Place::Condition, "quiet", "unless quiet", "It is inside the quiet hours."),
    word(Place::Condition, "opted_out", "unless opted_out", "The person does not want the stage's channel."),
    word(
        Place::Condition,
        "tripped",
        "unless tripped",
        "Every provider of the stage's route is out of order at present.",
    ),
    word(
        Place::Condition,
        "delivered",
        "unless delivered",
        "Some stage of this message has been confirmed as delivered, or more, by now.",
    ),
    word(
        Place::Condition,
        "read",
        "unless read",
        "Some stage of this message has been confirmed as read, or more, by now.",
    ),
    word(Place::Condition, "replied", "unless replied", "Somebody has answered this message by now."),
    word(
        Place::Condition,
        "priority",
        "priority >= high",
        "The message's priority: `low < normal < high < urgent`.",
    ),
    word(Place::Condition, "category", "category is marketing", "The policy's category."),
    word(
        Place::Condition,
        "elapsed",
        "elapsed < 10m",
        "The time since the message was accepted, or since its `send_at`.",
    ),
    word(Place::Condition, "sends", "sends < 3", "The attempts so far that were accepted or in doubt."),
    word(Place::Condition, "cost", "cost < 0.20 EUR", "What those attempts cost."),
    word(
        Place::Condition,
        "contact",
        "contact.country, contact has sms",
        "What is known of the person: a field, or whether there is an address for a channel.",
    ),
    word(Place::Condition, "vars", "vars.NAME", "What the message brought along."),
    word(Place::Condition, "and", "A and B", "Both hold."),
    word(Place::Condition, "or", "A or B", "One of them holds, or both."),
    word(Place::Condition, "not", "not A", "It does not hold."),
    word(Place::Condition, "is", "A is B", "They are equal."),
    word(
        Place::Condition,
        "has",
        "contact has sms, contact.tags has \"vip\"",
        "There is an address for the channel; or a list holds the value.",
    ),
    word(Place::Condition, "in", "contact.country in [\"DE\", \"AT\"]", "It is one of the list."),
    word(Place::Condition, "==", "A == B", "They are equal."),
    word(Place::Condition, "!=", "A != B", "They differ."),
    word(Place::Condition, "<", "A < B", "Less."),
    word(Place::Condition, "<=", "A <= B", "Less, or equal."),
    word(Place::Condition, ">", "A > B", "More."),
    word(Place::Condition, ">=", "A >= B", "More, or equal."),
    word(Place::Condition, "true", "vars.vip is true", "It holds."),
    word(Place::Condition, "false", "vars.vip is false", "It does not hold."),
    word(Place::Field, "external_id", "contact.external_id", "The caller's own name for the person."),
    word(Place::Field, "name", "contact.name", "The person's name."),
    word(Place::Field, "locale", "contact.locale", "The person's language, such as `de-AT`."),
    word(Place::Field, "timezone", "contact.timezone", "The zone in which the person lives, an IANA name."),
    word(Place::Field, "country", "contact.country", "The person's country, two letters such as `DE`."),
    word(Place::Priority, "low", "priority is low", "Can wait."),
    word(Place::Priority, "normal", "priority is normal", "Where nothing else is asked for."),
    word(Place::Priority, "high", "priority >= high", "Before others."),
    word(Place::Priority, "urgent", "priority is urgent", "Before all."),
    word(Place::Type, "string", "time: string", "A text."),
    word(Place::Type, "number", "amount: number", "A number, with or without decimals."),
    word(Place::Type, "boolean", "vip: boolean", "`true` or `false`."),
    word(Place::Type, "duration", "delay: duration", "A length of time, such as `30s`."),
    word(Place::Type, "time", "opens: time", "A time of day, such as `08:00`."),
    word(Place::Type, "list", "tags: list", "Several values of one type."),
    word(Place::Day, "weekdays", "on weekdays", "Monday to Friday."),
    word(Place::Day, "weekends", "on weekends", "Saturday and Sunday."),
    word(Place::Day, "mon", "on mon, wed, fri", "Monday."),
    word(Place::Day, "tue", "on tue", "Tuesday."),
    word(Place::Day, "wed", "on wed", "Wednesday."),
    word(Place::Day, "thu", "on thu", "Thursday."),
    word(Place::Day, "fri", "on fri", "Friday."),
    word(Place::Day, "sat", "on sat", "Saturday."),
    word(Place::Day, "sun", "on sun", "Sunday."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lsp::reading::{Header, Modifier};
    use crate::model::{Confirmation, ContactField, Priority};

    #[test]
    fn no_word_of_the_closed_lists_is_without_a_meaning() {
        let lists: [(Place, Vec<&str>); 5] = [
            (Place::Goal, Confirmation::WORDS.to_vec()),
            (Place::Field, ContactField::WORDS.to_vec()),
            (Place::Priority, Priority::WORDS.to_vec()),
            (Place::Header, Header::ALL.iter().map(|header| header.word()).collect()),
            (Place::Modifier, Modifier::ALL.iter().map(|modifier| modifier.word()).collect()),
        ];
        for (place, list) in lists {
            for word in list {
                assert!(find(word, &[place]).is_some(), "{word}");
            }
        }
    }

    #[test]
    fn every_example_of_a_word_holds_the_word_and_no_word_stands_twice_in_a_place() {
        for (at, known) in WORDS.iter().enumerate() {
            assert!(known.form.contains(known.word), "{known:?}");
            assert!(known.meaning.ends_with('.'), "{known:?}");
            let again = |other: &Word| other.word == known.word && other.place == known.place;
            assert!(!WORDS[at + 1..].iter().any(again), "{known:?}");
        }
    }
}
