//! `never_uses`: channels that are not used.

use crate::lint::house::{Broken, Demand, Demanded, Given, Kind, Look};
use crate::model::Channel;

use super::{CHANNELS, channels, words};

pub(super) const KIND: Kind = Kind {
    name: "never_uses",
    takes: CHANNELS,
    means: "None of these channels is used, also not by a `use`.",
    example: "[voice]",
    read,
};

#[derive(Debug, Clone)]
struct NeverUses(Vec<Channel>);

fn read(given: &Given) -> Demanded {
    Ok(Box::new(NeverUses(channels(given)?)))
}

impl Demand for NeverUses {
    fn check(&self, look: &Look<'_>) -> Option<Broken> {
        let (sends, _) = look.sends().into_iter().find(|(sends, _)| self.0.contains(&sends.channel))?;
        Some(Broken::new(sends.at, format!("uses `{}`", sends.channel)))
    }

    fn says(&self) -> String {
        format!("must never use {}", words(&self.0, "or"))
    }

    fn again(&self) -> Box<dyn Demand> {
        Box::new(self.clone())
    }
}
