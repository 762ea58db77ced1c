use crate::language::Library;
use crate::language::policy::{Action, ChannelStage, Route};
use crate::lint::Context;
use crate::model::{Channel, Confirmation};

use super::walk::stages;
use super::{Found, declare_rule};

declare_rule! {
    /// A stage without `until` is reached as soon as it is accepted, because nobody can confirm its
    /// delivery, and a stage stands after it.
    ///
    /// The goal of a stage is `delivered` where a provider of its route can confirm that, and
    /// otherwise `accepted`. Behind `slack then sms after 30s` the sms therefore goes out only
    /// where slack refuses the message: once accepted, the stage is reached and nothing follows.
    ///
    /// Say what you mean: `until replied` where the next stage shall follow silence, `until
    /// accepted` where acceptance is enough.
    LoweredGoal, "lowered-goal", Warning, check;
    true => "slack then sms after 30s",
    true => "policy a { slack } policy b { use a then sms }",
    true => "any of (telegram, email) then voice after 10m",
    false => "slack until replied then sms after 30s",
    false => "slack until accepted then sms after 30s",
    false => "sms then slack after 30s",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    stages(context.policy, &mut |place| {
        let Action::Channel(stage) = &place.stage.action else { return };
        // What another policy says by itself is told where that policy is checked.
        if place.used && place.followed_where_written {
            return;
        }
        if stage.until.is_some() || !place.followed || can_deliver(stage, context.known) {
            return;
        }
        let channel = stage.channel;
        let message = format!(
            "nobody confirms the delivery by `{channel}`, so it counts as reached once it is accepted"
        );
        let help = format!(
            "the stages after it start only where it fails; write `{channel} until accepted` if that is meant, or another goal"
        );
        found(place.at.clone(), message, help);
    });
}

/// Whether a provider of the stage's route can confirm delivery.
fn can_deliver(stage: &ChannelStage, library: &dyn Library) -> bool {
    let usual = stage.channel.default_confirmations().contains(&Confirmation::Delivered);
    let Some(providers) = library.providers() else { return usual };
    let on_route = |name: &str| match &stage.route {
        Route::Default => true,
        Route::Failover(names) => names.iter().any(|n| n == name),
        Route::Weighted(shares) => shares.iter().any(|(_, n)| n == name),
    };
    let serving: Vec<&Vec<Confirmation>> = providers
        .iter()
        .filter(|p| on_route(&p.name))
        .filter_map(|p| p.channels.iter().find(|(c, _): &&(Channel, _)| *c == stage.channel))
        .map(|(_, confirms)| confirms)
        .collect();
    // A route without a provider fails at once: that is another rule's.
    serving.is_empty() || serving.iter().any(|confirms| confirms.contains(&Confirmation::Delivered))
}
