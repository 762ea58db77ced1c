//! `duration_max`: when the last send starts at the latest.

use crate::lint::house::{Broken, Demand, Demanded, Given, Kind, Look};
use crate::machine::Was;
use crate::machine::explore::Seen;
use crate::model::Span;

pub(super) const KIND: Kind = Kind {
    name: "duration_max",
    takes: "a duration, such as `15m`",
    means: "The last send starts no later after the request, whatever happens: the latest start that the policy's bounds allow.",
    example: "15m",
    read,
};

#[derive(Debug, Clone)]
struct DurationMax(Span);

fn read(given: &Given) -> Demanded {
    match given {
        Given::Text(text) => text.parse().map(|most| Box::new(DurationMax(most)) as _).map_err(|_| None),
        _ => Err(None),
    }
}

impl Demand for DurationMax {
    fn check(&self, look: &Look<'_>) -> Option<Broken> {
        let is = match look.bounds().duration_max_ms {
            Some(latest) if latest <= self.0.ms() => return None,
            Some(latest) => format!("can start one after `{}`", Span::from_ms(latest)),
            None => "nothing bounds when it starts one".to_owned(),
        };
        let most = self.0;
        let is_late = |seen: &Seen<'_>| {
            seen.after > most && seen.transitions.iter().any(|transition| transition.event == Was::Called)
        };
        Some(
            Broken::new(look.name(), is)
                .advised(format!("write `expires after {most}` into the policy, or shorter times"))
                .shown(look.run_where(&is_late)),
        )
    }

    fn says(&self) -> String {
        format!("must start its last send within `{}`", self.0)
    }

    fn again(&self) -> Box<dyn Demand> {
        Box::new(self.clone())
    }
}
