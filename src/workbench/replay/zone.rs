//! The person's time zone, which is on no record: what windows were found to open tells of it.

use crate::machine::Machine;
use crate::machine::catalog::SimulatedWorld;
use crate::machine::facts::Facts;
use crate::machine::known::{FactsAt, Known};
use crate::model::ContactField;

use super::record::World;

/// Zones that are tried: those in which most people live, then the rest of the clock.
const ZONES: [&str; 40] = [
    "Europe/Berlin",
    "Europe/London",
    "Europe/Athens",
    "Europe/Moscow",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
    "UTC",
    "Asia/Tehran",
    "Asia/Kathmandu",
    "Australia/Adelaide",
    "America/St_Johns",
    "Etc/GMT+12",
    "Etc/GMT+11",
    "Etc/GMT+10",
    "Etc/GMT+9",
    "Etc/GMT+8",
    "Etc/GMT+7",
    "Etc/GMT+6",
    "Etc/GMT+5",
    "Etc/GMT+4",
    "Etc/GMT+3",
    "Etc/GMT+2",
    "Etc/GMT+1",
    "Etc/GMT-1",
    "Etc/GMT-2",
    "Etc/GMT-3",
    "Etc/GMT-4",
    "Etc/GMT-5",
    "Etc/GMT-6",
    "Etc/GMT-7",
    "Etc/GMT-10",
    "Etc/GMT-12",
    "Etc/GMT-13",
];

/// What the record says of the person's zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// There was none.
    Missing,
    /// One, or none, in which windows opened as they did; `None`: as where the person has none.
    Fits(Option<String>),
    /// Nothing.
    Nothing,
}

/// Looks for the zone in which a message's own version finds its windows as it did.
pub(super) fn find(record: &World, own: &Machine, known: &Known) -> Found {
    let openings = || record.openings.iter().map(|(.., opening)| opening);
    let waits = || record.wait_ends.iter().map(|(.., opening)| opening);
    if openings().chain(waits()).any(|opening| opening.zone_missing) {
        return Found::Missing;
    }
    if openings().chain(waits()).next().is_none() && record.quiet.is_empty() {
        return Found::Nothing;
    }
    let zones = std::iter::once(None).chain(ZONES.into_iter().map(Some));
    for zone in zones {
        let mut known = known.clone();
        if let Some(zone) = zone {
            known.person.fields.insert(ContactField::Timezone, zone.to_owned());
        }
        if fits(record, own, &known) {
            return Found::Fits(zone.map(str::to_owned));
        }
    }
    Found::Nothing
}

fn fits(record: &World, own: &Machine, known: &Known) -> bool {
    let world = SimulatedWorld::default();
    let facts = |at| FactsAt { machine: own, at, known, world: &world };
    let opened = record.openings.iter().all(|(stage, heeded, at, opening)| {
        let found = facts(*at).opening(*stage, *heeded);
        (found.at, found.quiet) == (opening.at, opening.quiet)
    });
    opened
        && record.wait_ends.iter().all(|(stage, at, opening)| facts(*at).wait_end(*stage).at == opening.at)
        && record.quiet.iter().all(|(at, quiet)| facts(*at).quiet() == *quiet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::{NoLibrary, compile as read};
    use crate::machine::known::Person;
    use crate::machine::{StageId, compile};
    use crate::model::{Instant, Priority};

    fn known(zone: Option<&str>) -> Known {
        let mut person = Person::default();
        person.fields.extend(zone.map(|zone| (ContactField::Timezone, zone.to_owned())));
        let category = "transactional".to_owned();
        let (vars, zone) = (Default::default(), "UTC".to_owned());
        Known { vars, person, priority: Priority::Normal, category, zone }
    }

    /// What is found of a person in a zone, whose message is due at these times.
    fn found(policy: &str, zone: Option<&str>, times: &[&str]) -> Found {
        let compiled = read(policy, None, &NoLibrary);
        let own = compile(&compiled.policies[0]);
        let (known_then, world) = (known(zone), SimulatedWorld::default());
        let mut record = World::default();
        for at in times {
            let at: Instant = at.parse().unwrap();
            let facts = FactsAt { machine: &own, at, known: &known_then, world: &world };
            record.openings.push((StageId(0), true, at, facts.opening(StageId(0), true)));
        }
        find(&record, &own, &known(None))
    }

    #[test]
    fn the_zone_is_one_in_which_windows_opened_as_they_did() {
        let quiet = "policy p {\n quiet 21:00 to 08:00 in contact.timezone else UTC\n sms }";
        let night = ["2026-01-05T14:00:00Z"];
        assert_eq!(found(quiet, Some("Asia/Tokyo"), &night), Found::Fits(Some("Asia/Tokyo".to_owned())));
        assert_eq!(found(quiet, Some("Asia/Seoul"), &night), Found::Fits(Some("Asia/Tokyo".to_owned())));
        // At noon most people may be told something.
        assert_eq!(found(quiet, Some("Europe/Berlin"), &["2026-01-05T12:00:00Z"]), Found::Fits(None));
        assert_eq!(found(quiet, None, &night), Found::Fits(None));
        assert_eq!(found(quiet, None, &[]), Found::Nothing);
        let bare = "policy p {\n quiet 21:00 to 08:00 in contact.timezone\n sms }";
        assert_eq!(found(bare, None, &night), Found::Missing);
    }
}
