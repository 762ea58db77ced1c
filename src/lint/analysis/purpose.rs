//! What a policy is for, by its category, and small questions about names, hours and instants.

use crate::language::condition::{Expr, Operand};
use crate::language::policy::Quiet;
use crate::machine::DEFAULT_CATEGORY;
use crate::model::{Days, Instant, Span, TimeOfDay, Zone, ZoneTable};

use super::week::{DAY_MINUTES, Week};

/// Monday 2026-01-05, 00:00 UTC.
const MONDAY: i64 = 1_767_571_200_000;

const MARKETING: &[&str] =
    &["marketing", "promotion", "promotional", "promo", "newsletter", "advertising", "ads", "campaign"];
const CODES: &[&str] = &["authentication", "otp", "verification", "two_factor", "2fa", "mfa", "login"];

/// The categories that rules know, by what they are for.
pub(in crate::lint) const CATEGORIES: [&[&str]; 3] = [MARKETING, CODES, &[DEFAULT_CATEGORY]];

/// Whether a category is that of advertising.
pub(in crate::lint) fn is_marketing(category: Option<&str>) -> bool {
    category.is_some_and(|category| MARKETING.contains(&category))
}

/// Whether a category is that of codes that somebody waits for.
pub(in crate::lint) fn is_for_codes(category: Option<&str>) -> bool {
    category.is_some_and(|category| CODES.contains(&category))
}

/// Calls `look` with each name of a condition and what it is compared with.
pub(in crate::lint) fn names<'e>(condition: &'e Expr, look: &mut dyn FnMut(&'e Operand, &'e Operand)) {
    for leaf in condition.leaves() {
        let Expr::Compare(comparison) = leaf else { continue };
        for (side, other) in [(&comparison.left, &comparison.right), (&comparison.right, &comparison.left)] {
            if !matches!(side, Operand::Literal(_)) {
                look(side, other);
            }
        }
    }
}

/// Minutes as a duration.
pub(in crate::lint) fn lasting(minutes: usize) -> Span {
    Span::from_s(i64::try_from(minutes).unwrap_or(i64::MAX).saturating_mul(60))
}

/// The first instant, from one on, at which the clock of a zone shows a time; where nobody says another zone, UTC.
pub(in crate::lint) fn next_at(time: TimeOfDay, days: Days, zone: &Zone, from: Instant) -> Option<Instant> {
    let name = match zone {
        Zone::Named(name) | Zone::Contact { otherwise: Some(name) } => name.as_str(),
        Zone::Contact { otherwise: None } => "UTC",
    };
    time.next(from, days, &ZoneTable.get(name)?)
}

/// When hours close for the longest time: the first instant of January 2026 at which they are no longer `open`.
pub(in crate::lint) fn closing(open: &Week, zone: &Zone) -> Option<Instant> {
    open.longest_gap().map(|(start, _)| instant_of(start, zone))
}

/// When quiet hours begin that last longest.
pub(in crate::lint) fn quiet_begins(quiet: &Quiet) -> Option<Instant> {
    closing(&Week::whole().without(&Week::of(&quiet.window)), &quiet.window.zone)
}

/// The first instant of January 2026 at which the clock of a zone shows a minute of the week.
pub(in crate::lint) fn instant_of(minute: usize, zone: &Zone) -> Instant {
    let start = Instant::from_ms(MONDAY);
    let time = u16::try_from(minute % DAY_MINUTES).ok().and_then(TimeOfDay::from_minutes);
    let days = Days::none().with(minute / DAY_MINUTES);
    time.and_then(|time| next_at(time, days, zone, start)).unwrap_or(start)
}
