//! `ends_in`: the channels of the last stage.

use crate::lint::house::look::Side;
use crate::lint::house::{Broken, Demand, Demanded, Given, Kind, Look};
use crate::model::Channel;

use super::{CHANNELS, channels, words};

pub(super) const KIND: Kind = Kind {
    name: "ends_in",
    takes: CHANNELS,
    means: "The last stage, with which it ends where nothing before was reached, is one of these channels, also where a guard that chooses by what a message or a person is leaves out stages before the end. In a group one member is enough.",
    example: "[sms, voice]",
    read,
};

#[derive(Debug, Clone)]
struct EndsIn(Vec<Channel>);

fn read(given: &Given) -> Demanded {
    Ok(Box::new(EndsIn(channels(given)?)))
}

impl Demand for EndsIn {
    fn check(&self, look: &Look<'_>) -> Option<Broken> {
        let beyond = look.side_beyond(Side::Last, &self.0);
        let first = beyond.first()?;
        let is = match self.0.contains(&first.channel) {
            true => "may send nothing".to_owned(),
            false => {
                let channels: Vec<Channel> = beyond.iter().map(|sends| sends.channel).collect();
                format!("can end in {}", words(&channels, "or"))
            }
        };
        let advice = match self.0.first() {
            Some(channel) => format!("end in {}, such as `then {channel} after 10m`", words(&self.0, "or")),
            None => "mend the policy".to_owned(),
        };
        Some(Broken::new(first.at.clone(), is).advised(advice))
    }

    fn says(&self) -> String {
        format!("must end in {}", words(&self.0, "or"))
    }

    fn again(&self) -> Box<dyn Demand> {
        Box::new(self.clone())
    }
}
