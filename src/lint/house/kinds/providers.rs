//! `providers`: the providers that may be named.

use crate::language::policy::Route;
use crate::language::words::listed;
use crate::lint::house::{Broken, Demand, Demanded, Given, Kind, Look};

pub(super) const KIND: Kind = Kind {
    name: "providers",
    takes: "a list of providers, such as `[twilio, vonage]`",
    means: "`via` names no other provider.",
    example: "[twilio, vonage]",
    read,
};

#[derive(Debug, Clone)]
struct Providers(Vec<String>);

fn read(given: &Given) -> Demanded {
    let words = given.words().ok_or(None)?;
    Ok(Box::new(Providers(words.into_iter().map(str::to_owned).collect())))
}

impl Demand for Providers {
    fn check(&self, look: &Look<'_>) -> Option<Broken> {
        look.sends().into_iter().find_map(|(sends, stage)| {
            let named: Vec<&String> = match &stage.route {
                Route::Default => Vec::new(),
                Route::Failover(names) => names.iter().collect(),
                Route::Weighted(shares) => shares.iter().map(|(_, name)| name).collect(),
            };
            let other = named.into_iter().find(|name| !self.0.contains(name))?;
            Some(Broken::new(sends.at, format!("names `{other}`")))
        })
    }

    fn says(&self) -> String {
        format!("must name no provider but {}", listed(self.0.iter().map(String::as_str), "and"))
    }

    fn again(&self) -> Box<dyn Demand> {
        Box::new(self.clone())
    }
}
