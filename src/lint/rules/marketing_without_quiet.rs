use crate::lint::Context;
use crate::lint::analysis::{Place, header_of, instant_of, is_marketing, leading_to};
use crate::model::{Channel, Zone};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A marketing policy has no quiet hours.
    ///
    /// Advertising that rings at three in the morning is what people complain of first, and in many countries it is
    /// forbidden.
    ///
    /// Declare the hours: `quiet 20:00 to 09:00 in contact.timezone else Europe/Berlin`, or give every stage a
    /// window with `between`. E-mail alone wakes nobody and is left in peace.
    MarketingWithoutQuiet, "marketing-without-quiet", Warning, check;
    true => "policy p { category marketing sms unless opted_out }",
    true => "policy p { category marketing any of (push, email) unless delivered then email after 1d }",
    false => "policy p { category marketing quiet 20:00 to 09:00 in UTC sms unless opted_out }",
    false => "policy p { category marketing email unless opted_out }",
    false => "policy p { category marketing sms between 10:00 and 18:00 in UTC unless opted_out }",
    false => "policy p { category transactional sms }",
}

/// Three in the morning of a Monday, and what still is night from then on.
const THREE: usize = 180;
const HOUR: i64 = 3_600_000;

fn check(context: &Context<'_>, found: Found<'_>) {
    let headers = &context.policy.headers;
    if !is_marketing(headers.category.as_deref()) || headers.quiet.is_some() {
        return;
    }
    let analysis = context.analysis;
    let rings = |place: &&Place<'_>| {
        let loud = matches!(
            place.channel_word(),
            Some(Channel::Sms | Channel::Whatsapp | Channel::Push | Channel::Voice | Channel::Telegram)
        );
        loud && !analysis.around(place.id).any(|place| place.stage.between.is_some())
    };
    if let Some(place) = analysis.places().iter().find(rings) {
        let name = place.name();
        let message = format!("`{name}` may ring at any hour, and the policy is `marketing`");
        let help = "declare quiet hours: `quiet 20:00 to 09:00 in contact.timezone else Europe/Berlin`";
        let at_night = instant_of(THREE, &Zone::Named("UTC".to_owned()));
        let run = leading_to(context, place.id, &|trial| trial.accepted_at(at_night), &|run| {
            run.sent(place.id).is_some_and(|sent| sent <= HOUR)
        });
        found(Finding::new(header_of(context, "category"), message, help).shown(run));
    }
}
