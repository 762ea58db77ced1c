//! Zones, and which one was probably meant.

use crate::model::{Zone, ZoneTable};

use super::super::policy::TextRange;
use super::super::words::{near, quoted};
use super::value::did_you_mean;
use super::{Faults, Node, Rule};

impl Faults<'_> {
    /// `in ZONE`.
    pub(super) fn zone(&mut self, node: &Node<'_>, example: &str) -> Option<Zone> {
        let (mut names, mut has_else) = (Vec::new(), false);
        for part in node.children() {
            match part.rule() {
                Rule::else_word => has_else = true,
                _ => names.push(part),
            }
        }
        let Some(first) = names.first() else {
            self.tell("missing-zone", self.range(node), "the zone after `in` is missing".to_owned(), example);
            return None;
        };
        let first_at = self.range(first);
        let contact = self.text(&first_at) == "contact.timezone";
        // `contact.tz else Europe/Zurich`
        if has_else && !contact && zone_meant(self.text(&first_at)) == Some("contact.timezone") {
            self.zone_name(first_at);
            return None;
        }
        if has_else && !contact {
            let message = "`else` goes with `contact.timezone` only".to_owned();
            self.tell(
                "unknown-zone",
                self.range(node),
                message,
                "leave the `else` out, or write `in contact.timezone else …`",
            );
            return None;
        }
        if has_else && names.len() < 2 {
            let help = "write for example `contact.timezone else Europe/Berlin`";
            self.tell("missing-zone", self.range(node), "the zone after `else` is missing".to_owned(), help);
            return None;
        }
        if !contact {
            return self.zone_name(first_at).map(Zone::Named);
        }
        match names.get(1) {
            Some(other) => {
                let name = self.zone_name(self.range(other))?;
                Some(Zone::Contact { otherwise: Some(name) })
            }
            None => Some(Zone::Contact { otherwise: None }),
        }
    }

    fn zone_name(&mut self, at: TextRange) -> Option<String> {
        let name = self.text(&at);
        if ZoneTable.get(name).is_some() {
            return Some(name.to_owned());
        }
        // `UTC+2` is not UTC.
        let is_distance = name.contains(|c: char| c == '+' || c.is_ascii_digit());
        let meant = zone_meant(name).filter(|_| !is_distance);
        let message = format!("unknown zone {}{}", quoted(name), did_you_mean(meant));
        match meant {
            Some(meant) => self.tell_replace("unknown-zone", at, message, meant),
            None => {
                let help = match is_distance {
                    true => "name a place, `Europe/Berlin` for example: its clock is changed in summer",
                    false => {
                        "not every city has a zone: write the one of its country, such as `Europe/Berlin`, or `contact.timezone`"
                    }
                };
                self.tell("unknown-zone", at, message, help);
            }
        }
        None
    }
}

/// The zones that people write most; any other name of the table is taken, these are suggested.
const COMMON_ZONES: [&str; 40] = [
    "UTC",
    "Europe/Berlin",
    "Europe/Vienna",
    "Europe/Zurich",
    "Europe/London",
    "Europe/Paris",
    "Europe/Madrid",
    "Europe/Rome",
    "Europe/Amsterdam",
    "Europe/Brussels",
    "Europe/Lisbon",
    "Europe/Dublin",
    "Europe/Prague",
    "Europe/Warsaw",
    "Europe/Stockholm",
    "Europe/Oslo",
    "Europe/Copenhagen",
    "Europe/Helsinki",
    "Europe/Athens",
    "Europe/Istanbul",
    "Europe/Kyiv",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Toronto",
    "America/Sao_Paulo",
    "America/Mexico_City",
    "America/Bogota",
    "Asia/Kolkata",
    "Asia/Dubai",
    "Asia/Tokyo",
    "Asia/Shanghai",
    "Asia/Singapore",
    "Asia/Hong_Kong",
    "Asia/Seoul",
    "Asia/Jakarta",
    "Australia/Sydney",
    "Africa/Cairo",
    "Africa/Johannesburg",
];

fn zone_meant(name: &str) -> Option<&'static str> {
    // `UK/London`: the city tells it, whatever region stands before it.
    let said = name.rsplit('/').next().unwrap_or(name);
    let city = |zone: &&&str| zone.rsplit('/').next().is_some_and(|c| c.eq_ignore_ascii_case(said));
    match name.to_lowercase().as_str() {
        "contact" | "timezone" | "contact.zone" | "contact.time_zone" | "contact.tz" => {
            Some("contact.timezone")
        }
        "gmt" | "z" => Some("UTC"),
        _ => COMMON_ZONES.iter().find(city).copied().or_else(|| of_country(name)).or_else(|| {
            near(name, COMMON_ZONES.into_iter().chain(["contact.timezone"]))
                .filter(|zone| is_slip(name, zone))
        }),
    }
}

/// Countries and cities without a zone of their own name, and short names of clocks that no table of zones has,
/// by the zone whose clock is theirs.
const ELSEWHERE: [(&str, &[&str]); 22] = [
    (
        "Europe/Berlin",
        &[
            "cest",
            "mez",
            "mesz",
            "deutschland",
            "germany",
            "münchen",
            "munich",
            "hamburg",
            "frankfurt",
            "köln",
            "koeln",
            "cologne",
            "stuttgart",
            "düsseldorf",
            "duesseldorf",
            "leipzig",
            "bonn",
            "bremen",
            "dresden",
            "hannover",
            "nuremberg",
            "nürnberg",
        ],
    ),
    ("Europe/Vienna", &["wien", "österreich", "austria", "graz", "linz", "salzburg", "innsbruck"]),
    (
        "Europe/Zurich",
        &["zürich", "schweiz", "switzerland", "bern", "basel", "geneva", "genf", "genève", "lausanne"],
    ),
    ("Europe/Madrid", &["spain", "españa", "barcelona", "valencia", "sevilla", "seville"]),
    ("Europe/Paris", &["france", "lyon", "marseille", "toulouse", "nice", "lille"]),
    (
        "Europe/Rome",
        &[
            "italy", "italia", "rom", "roma", "mailand", "milan", "milano", "naples", "napoli", "turin",
            "torino",
        ],
    ),
    (
        "Europe/London",
        &[
            "bst",
            "uk",
            "england",
            "londres",
            "londra",
            "manchester",
            "liverpool",
            "birmingham",
            "edinburgh",
            "glasgow",
        ],
    ),
    ("Europe/Dublin", &["ireland", "éire", "eire", "cork", "galway", "limerick", "waterford"]),
    ("Europe/Amsterdam", &["netherlands", "rotterdam", "utrecht", "eindhoven"]),
    ("Europe/Brussels", &["belgium", "brüssel", "bruxelles", "brussel", "antwerp"]),
    ("Europe/Lisbon", &["portugal", "lisboa", "lissabon", "porto"]),
    ("Europe/Prague", &["praha", "prag", "brno"]),
    (
        "America/New_York",
        &[
            "edt",
            "et",
            "eastern",
            "us/east",
            "boston",
            "miami",
            "atlanta",
            "philadelphia",
            "washington",
            "florida",
        ],
    ),
    ("America/Chicago", &["cdt", "ct", "central", "houston", "dallas", "texas", "illinois", "minneapolis"]),
    ("America/Denver", &["mdt", "mt", "mountain", "colorado", "utah"]),
    ("America/Phoenix", &["arizona", "phoenix"]),
    ("America/Los_Angeles", &["pst", "pdt", "pt", "pacific", "california", "seattle", "san_francisco"]),
    ("America/Anchorage", &["alaska"]),
    ("Pacific/Honolulu", &["hawaii"]),
    ("Australia/Sydney", &["aest", "aedt"]),
    ("Asia/Tokyo", &["jst"]),
    ("Europe/Warsaw", &["poland", "polen", "polska", "warszawa", "warschau", "krakow"]),
];

/// `Europe/Munich`: the zone of a place that has none of its own name.
fn of_country(name: &str) -> Option<&'static str> {
    let (_, place) = name.rsplit_once('/').unwrap_or(("", name));
    let place = place.to_lowercase();
    ELSEWHERE.iter().find(|(_, places)| places.contains(&place.as_str())).map(|(zone, _)| *zone)
}

/// Whether a name is a zone's with a slip: `Europe/Munich` is no slip of Zurich, for its city is another.
fn is_slip(name: &str, zone: &str) -> bool {
    let city = |name: &str| name.rsplit('/').next().unwrap_or_default().to_lowercase();
    let (said, meant) = (city(name), city(zone));
    let slips = strsim::osa_distance(&said, &meant);
    let letters = said.chars().count().max(meant.chars().count());
    // `Europe.Berlin`
    let joined = name.replace(['.', '_', ' ', '-', '\\'], "/").to_lowercase() == zone.to_lowercase();
    joined || slips <= 1 || slips <= letters / 3 && said.chars().next() == meant.chars().next()
}
