//! `expires_max`: how long a message lives at most.

use crate::lint::house::{Broken, Demand, Demanded, Given, Kind, Look};
use crate::model::Span;

pub(super) const KIND: Kind = Kind {
    name: "expires_max",
    takes: "a duration, such as `24h`",
    means: "`expires after` is there, and is no longer than this.",
    example: "24h",
    read,
};

#[derive(Debug, Clone)]
struct ExpiresMax(Span);

fn read(given: &Given) -> Demanded {
    match given {
        Given::Text(text) => text.parse().map(|most| Box::new(ExpiresMax(most)) as _).map_err(|_| None),
        _ => Err(None),
    }
}

impl Demand for ExpiresMax {
    fn check(&self, look: &Look<'_>) -> Option<Broken> {
        let is = match look.policy.headers.expires {
            Some(expires) if expires <= self.0 => return None,
            Some(expires) => format!("expires after `{expires}`"),
            None => "never expires".to_owned(),
        };
        Some(Broken::new(look.name(), is).advised(format!("write `expires after {}`", self.0)))
    }

    fn says(&self) -> String {
        format!("must expire within `{}`", self.0)
    }

    fn again(&self) -> Box<dyn Demand> {
        Box::new(self.clone())
    }
}
