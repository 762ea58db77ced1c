//! Words that are not there, or not where they stand.

use super::fault;

fault! {
    /// A stage begins with a word that is no channel, and neither `wait`, `use`, `any of` nor `all of`.
    ///
    /// The channels are `sms`, `whatsapp`, `email`, `push`, `voice`, `slack`, `telegram` and `webhook`,
    /// in small letters. Everyday words like `text`, `mail` or `phone` are not; the finding says which
    /// channel is meant by them.
    UnknownChannel, "unknown-channel";
    true => "watsapp then sms",
    true => "text then phone after 5m",
    true => "sms if contact has mail",
    false => "whatsapp then sms",
    false => "sms if contact has email",
}

fault! {
    /// Behind a stage stands a word that is neither `then` nor a modifier.
    ///
    /// Behind a channel may stand `after`, `if`, `unless`, `until`, `via`, `retry`, `repeat`,
    /// `between`, `valid` and `on doubt`, each once, and then `then` or the end.
    UnknownWord, "unknown-word";
    true => "sms afer 30s",
    true => "sms than email",
    false => "sms after 30s",
}

fault! {
    /// A word before the strategy is no header.
    ///
    /// The headers are `category`, `expires`, `quiet`, `limit` and `vars`.
    UnknownHeader, "unknown-header";
    true => "policy p { expire after 2h sms }",
    false => "policy p { expires after 2h sms }",
}

fault! {
    /// `until` is followed by something that nobody confirms.
    ///
    /// The goals are `accepted`, `delivered`, `read` and `replied`.
    UnknownGoal, "unknown-goal";
    true => "whatsapp until seen",
    true => "sms until",
    false => "whatsapp until read",
}

fault! {
    /// Behind `on` stands what is no day.
    ///
    /// Days are `mon`, `tue`, `wed`, `thu`, `fri`, `sat` and `sun`, joined by commas, or `weekdays` and
    /// `weekends`.
    UnknownDay, "unknown-day";
    true => "sms between 09:00 and 18:00 on monday in UTC",
    true => "sms between 09:00 and 18:00 on mon and fri in UTC",
    false => "sms between 09:00 and 18:00 on mon, fri in UTC",
}

fault! {
    /// A zone has a name that nobody knows.
    ///
    /// Zones have IANA names: `Europe/Berlin`, `America/New_York`, `UTC`. `contact.timezone` is the
    /// zone of the person, and `contact.timezone else Europe/Berlin` says what holds where none is
    /// known.
    UnknownZone, "unknown-zone";
    true => "sms between 09:00 and 18:00 in Berlin",
    true => "sms between 09:00 and 18:00 in CEST",
    false => "sms between 09:00 and 18:00 in Europe/Berlin",
}

fault! {
    /// `use` names a policy that is not there.
    ///
    /// A policy can be used that stands in the same text, in the same folder, or was published before.
    UnknownPolicy, "unknown-policy";
    true => "use pag",
    false => "policy a { use b } policy b { sms }",
}

fault! {
    /// A condition names a var that the header `vars` does not declare.
    ///
    /// Declare it, or mend the name. Without the header every name is taken, and a wrong one is found
    /// by nobody.
    UnknownVar, "unknown-var";
    true => "policy p { vars { amount: number } sms if vars.amont > 5 }",
    false => "policy p { vars { amount: number } sms if vars.amount > 5 }",
}

fault! {
    /// A condition names a field of the contact that is nearly one of those that every contact has.
    ///
    /// Every contact has `contact.name`, `contact.locale`, `contact.timezone` and `contact.country`;
    /// other names are attributes that you give to your contacts.
    UnknownContactField, "unknown-contact-field";
    true => "sms if contact.contry is \"AT\"",
    false => "sms if contact.country is \"AT\"",
    false => "sms if contact.plan is \"gold\"",
}

fault! {
    /// A condition has a word that no condition has.
    ///
    /// Words that stand alone are `quota`, `quiet`, `opted_out`, `tripped`, `read`, `replied` and
    /// `delivered`. What a message brings is `vars.NAME`, what is known of the person `contact.NAME`.
    UnknownCondition, "unknown-condition";
    true => "sms unless quotaa",
    true => "sms if amount > 5",
    false => "sms unless quota",
    false => "sms if vars.amount > 5",
}

fault! {
    /// A comparison has a word without quotes that is no name.
    ///
    /// Texts stand in double quotes: `contact.plan is "gold"`.
    UnknownName, "unknown-name";
    true => "sms if contact.plan is gold",
    false => "sms if contact.plan is \"gold\"",
}

fault! {
    /// `priority` is compared with what is no priority.
    ///
    /// Priorities are `low`, `normal`, `high` and `urgent`, in this order.
    UnknownPriority, "unknown-priority";
    true => "sms if priority is hgih",
    false => "sms if priority is high",
}

fault! {
    /// A var is declared with a type that does not exist.
    ///
    /// The types are `string`, `number`, `boolean`, `duration`, `time` and `list`.
    UnknownType, "unknown-type";
    true => "policy p { vars { n: integre } sms }",
    false => "policy p { vars { n: number } sms }",
}
