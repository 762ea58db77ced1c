//! `uses`: channels that must be there.

use crate::lint::house::{Broken, Demand, Demanded, Given, Kind, Look};
use crate::model::Channel;

use super::{CHANNELS, channels, words};

pub(super) const KIND: Kind = Kind {
    name: "uses",
    takes: CHANNELS,
    means: "Each of these channels is used somewhere, by a `use` or by the policy itself.",
    example: "[sms]",
    read,
};

#[derive(Debug, Clone)]
struct Uses(Vec<Channel>);

fn read(given: &Given) -> Demanded {
    Ok(Box::new(Uses(channels(given)?)))
}

impl Demand for Uses {
    fn check(&self, look: &Look<'_>) -> Option<Broken> {
        let used: Vec<Channel> = look.sends().iter().map(|(sends, _)| sends.channel).collect();
        let missing: Vec<Channel> =
            self.0.iter().filter(|channel| !used.contains(channel)).copied().collect();
        (!missing.is_empty())
            .then(|| Broken::new(look.name(), format!("does not use {}", words(&missing, "or"))))
    }

    fn says(&self) -> String {
        format!("must use {}", words(&self.0, "and"))
    }

    fn again(&self) -> Box<dyn Demand> {
        Box::new(self.clone())
    }
}
