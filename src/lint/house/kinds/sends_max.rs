//! `sends_max`: how often one message is sent at most.

use crate::lint::house::{Broken, Demand, Demanded, Given, Kind, Look};

pub(super) const KIND: Kind = Kind {
    name: "sends_max",
    takes: "a whole number of at least 1",
    means: "One message is sent no more often, whatever happens: the most attempts, accepted or in doubt, that the policy's bounds allow.",
    example: "3",
    read,
};

#[derive(Debug, Clone)]
struct SendsMax(u32);

fn read(given: &Given) -> Demanded {
    match given {
        Given::Number(most) if *most > 0 => {
            u32::try_from(*most).map(|most| Box::new(SendsMax(most)) as _).map_err(|_| None)
        }
        _ => Err(None),
    }
}

impl Demand for SendsMax {
    fn check(&self, look: &Look<'_>) -> Option<Broken> {
        let sends = look.bounds().sends_max;
        let most = self.0;
        (sends > most).then(|| {
            Broken::new(look.name(), format!("can send {}", times(sends)))
                .advised(format!(
                    "write `limit {most} sends` into the policy, or leave stages or repetitions out"
                ))
                .shown(look.run_where(&|seen| seen.instance.sends() > most))
        })
    }

    fn says(&self) -> String {
        format!("must send {} at most", times(self.0))
    }

    fn again(&self) -> Box<dyn Demand> {
        Box::new(self.clone())
    }
}

fn times(n: u32) -> String {
    format!("{n} {}", if n == 1 { "time" } else { "times" })
}
