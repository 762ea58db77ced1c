use crate::language::KnownTemplate;
use crate::lint::Context;
use crate::model::Channel;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// No template has a body for the channel of a stage.
    ///
    /// A policy names no template: a message does, and a template may name the policy that it is sent by. A stage
    /// for whose channel the template has no body fails with `no_template`. Looked at are the templates of the
    /// catalog whose `policy` this one is, each by itself; where there are none, all templates together.
    /// Nothing is said where the catalog does not tell for which channels a template is written.
    ///
    /// Write a body for the channel, or leave the stage out.
    MissingTemplate, "missing-template", Warning, check;
    for &["template code: sms voice"]; true => "sms then email after 5m",
    for &["template code: sms policy p", "template news: email"]; true => "policy p { sms then email after 5m }",
    for &["template code: sms", "template news: email"]; false => "sms then email after 5m",
    for &["template code: sms policy p", "template news: voice"]; false => "policy p { sms }",
    for &["template code"]; false => "sms then email after 5m",
    false => "sms then email after 5m",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let Some(templates) = context.known.templates() else { return };
    let own: Vec<&KnownTemplate> =
        templates.iter().filter(|template| template.policy.as_ref() == Some(&context.policy.name)).collect();
    let lacks = |template: &KnownTemplate, channel: Channel| {
        template.channels.as_ref().is_some_and(|channels| !channels.contains(&channel))
    };
    let mut told: Vec<Channel> = Vec::new();
    for place in context.analysis.places() {
        let Some(channel) = place.channel_word().filter(|channel| !told.contains(channel)) else { continue };
        let help = format!("write a body for `{channel}`, or leave the stage out");
        let message = match own.iter().find(|template| lacks(template, channel)) {
            Some(template) => format!(
                "the template `{}` has no body for `{channel}`, so this stage fails for its messages",
                template.name
            ),
            None if own.is_empty()
                && !templates.is_empty()
                && templates.iter().all(|t| lacks(t, channel)) =>
            {
                format!("no template has a body for `{channel}`, so this stage always fails")
            }
            None => continue,
        };
        told.push(channel);
        found(Finding::new(place.at.clone(), message, help));
    }
}
