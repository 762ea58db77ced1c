//! `uses_only`: the channels that may be used.

use crate::lint::house::{Broken, Demand, Demanded, Given, Kind, Look};
use crate::model::Channel;

use super::{CHANNELS, channels, words};

pub(super) const KIND: Kind = Kind {
    name: "uses_only",
    takes: CHANNELS,
    means: "No other channel is used, also not by a `use`.",
    example: "[email, push]",
    read,
};

#[derive(Debug, Clone)]
struct UsesOnly(Vec<Channel>);

fn read(given: &Given) -> Demanded {
    Ok(Box::new(UsesOnly(channels(given)?)))
}

impl Demand for UsesOnly {
    fn check(&self, look: &Look<'_>) -> Option<Broken> {
        let (sends, _) = look.sends().into_iter().find(|(sends, _)| !self.0.contains(&sends.channel))?;
        Some(Broken::new(sends.at, format!("uses `{}`", sends.channel)))
    }

    fn says(&self) -> String {
        format!("must use {} only", words(&self.0, "or"))
    }

    fn again(&self) -> Box<dyn Demand> {
        Box::new(self.clone())
    }
}
