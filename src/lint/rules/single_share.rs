use crate::language::policy::Route;
use crate::lint::Context;
use crate::lint::analysis::modifier_of;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A route gives its only provider a share of 100 %.
    ///
    /// `via 100% a` shares nothing. Write `via a`, or the provider that the rest was meant for.
    SingleShare, "single-share", Note, check;
    true => "sms via 100% a",
    false => "sms via a",
    false => "sms via 70% a, 30% b",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        let Some(Route::Weighted(shares)) = place.channel().map(|channel| &channel.route) else { continue };
        if let [(_, name)] = shares.as_slice() {
            let at = modifier_of(context.source, place, "via");
            let finding = Finding::new(
                at.clone(),
                format!("`{name}` has all of it, so there is nothing to share"),
                format!("write `via {name}`"),
            );
            let plain = context.source.get(at.clone()).is_some_and(|text| !text.contains('#'));
            found(if plain { finding.fixed(at, format!("via {name}")) } else { finding });
        }
    }
}
