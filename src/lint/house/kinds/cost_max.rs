//! `cost_max`: what one message costs at most.

use crate::lint::house::{Broken, Demand, Demanded, Given, Kind, Look};
use crate::machine::catalog::Catalog;
use crate::model::Money;

pub(super) const KIND: Kind = Kind {
    name: "cost_max",
    takes: "an amount, such as `0.30 EUR`",
    means: "One message costs no more, whatever happens: the highest cost that the policy's bounds allow, by the prices of the catalog.",
    example: "0.30 EUR",
    read,
};

#[derive(Debug, Clone)]
struct CostMax(Money);

fn read(given: &Given) -> Demanded {
    match given {
        Given::Text(text) => text.parse().map(|most| Box::new(CostMax(most)) as _).map_err(|_| None),
        _ => Err(None),
    }
}

impl Demand for CostMax {
    fn check(&self, look: &Look<'_>) -> Option<Broken> {
        let cost = look.bounds().cost_max.filter(|cost| cost.micros > self.0.micros)?;
        let most = self.0.micros;
        Some(
            Broken::new(look.name(), format!("can cost `{cost}`"))
                .advised(format!(
                    "write `limit {}` into the policy, or leave stages or repetitions out",
                    self.0
                ))
                .shown(look.run_where(&|seen| seen.instance.cost_micros() > most)),
        )
    }

    fn says(&self) -> String {
        format!("must cost `{}` at most", self.0)
    }

    fn lacks(&self, catalog: &Catalog) -> Option<String> {
        match catalog.currency() {
            None => Some("needs prices; write them into `catalog:`, at each provider's `price`".to_owned()),
            Some(currency) if currency != self.0.currency => {
                Some(format!("must be in {currency}, as the prices of the catalog are"))
            }
            Some(_) => None,
        }
    }

    fn again(&self) -> Box<dyn Demand> {
        Box::new(self.clone())
    }
}
