//! `starts_in`: the channels of the first stage.

use crate::lint::house::look::Side;
use crate::lint::house::{Broken, Demand, Demanded, Given, Kind, Look};
use crate::model::Channel;

use super::{CHANNELS, channels, words};

pub(super) const KIND: Kind = Kind {
    name: "starts_in",
    takes: CHANNELS,
    means: "The first stage is one of these channels, also where a guard that chooses by what a message or a person is leaves it out. In a group one member is enough.",
    example: "[sms, voice]",
    read,
};

#[derive(Debug, Clone)]
struct StartsIn(Vec<Channel>);

fn read(given: &Given) -> Demanded {
    Ok(Box::new(StartsIn(channels(given)?)))
}

impl Demand for StartsIn {
    fn check(&self, look: &Look<'_>) -> Option<Broken> {
        let beyond = look.side_beyond(Side::First, &self.0);
        let first = beyond.first()?;
        let is = match self.0.contains(&first.channel) {
            true => "may send nothing".to_owned(),
            false => {
                let channels: Vec<Channel> = beyond.iter().map(|sends| sends.channel).collect();
                format!("can begin with {}", words(&channels, "or"))
            }
        };
        Some(Broken::new(first.at.clone(), is))
    }

    fn says(&self) -> String {
        format!("must begin with {}", words(&self.0, "or"))
    }

    fn again(&self) -> Box<dyn Demand> {
        Box::new(self.clone())
    }
}
