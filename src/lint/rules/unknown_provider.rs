use crate::language::policy::Route;
use crate::language::words::{listed, near};
use crate::lint::Context;
use crate::lint::analysis::word_in;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// `via` names a provider that the catalog or the scope does not have, or that does not serve
    /// the channel.
    ///
    /// The policy compiles, since a provider may be added later. Until then the name is passed
    /// over, and a stage none of whose providers exists fails with `no_provider`.
    ///
    /// Write the name of a provider of the catalog, or add the provider. Nothing is said where no
    /// catalog is given.
    UnknownProvider, "unknown-provider", Warning, check;
    for &["twilio", "vonage"]; true => "sms via twillio or vonage",
    for &["twilio"]; true => "email via twilio",
    for &["twilio", "vonage"]; false => "sms via twilio or vonage",
    false => "sms via anything",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let Some(providers) = context.known.providers() else { return };
    for place in context.analysis.places() {
        let Some(stage) = place.channel() else { continue };
        let names: Vec<&String> = match &stage.route {
            Route::Default => Vec::new(),
            Route::Failover(names) => names.iter().collect(),
            Route::Weighted(shares) => shares.iter().map(|(_, name)| name).collect(),
        };
        for name in names {
            let known = providers.iter().find(|p| p.name == *name);
            let serves = known.is_some_and(|p| p.channels.iter().any(|(c, _)| *c == stage.channel));
            if serves {
                continue;
            }
            let serving: Vec<&str> = providers
                .iter()
                .filter(|p| p.channels.iter().any(|(c, _)| *c == stage.channel))
                .map(|p| p.name.as_str())
                .collect();
            let meant = near(name, serving.iter().copied()).filter(|_| known.is_none());
            let message = match (known, meant) {
                (Some(_), _) => format!("provider `{name}` does not serve `{}`", stage.channel),
                (None, Some(meant)) => format!("unknown provider `{name}`; did you mean `{meant}`?"),
                (None, None) => format!("unknown provider `{name}`"),
            };
            let help = match (meant, serving.is_empty()) {
                (Some(meant), _) => format!("write `{meant}`"),
                (None, true) => format!("no provider serves `{}` yet; add one", stage.channel),
                (None, false) => {
                    let (many, are) = if serving.len() > 1 { ("s", "are") } else { ("", "is") };
                    format!("the provider{many} for `{}` {are} {}", stage.channel, listed(serving, "and"))
                }
            };
            let at = if place.used { place.at.clone() } else { word_in(context.source, &place.at, name) };
            let finding = Finding::new(at.clone(), message, help);
            // In a policy that is used it is mended where that was written.
            found(match meant.filter(|_| !place.used) {
                Some(meant) => finding.fixed(at, meant),
                None => finding,
            });
        }
    }
}
