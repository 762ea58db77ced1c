//! `has`: parts that must be there.

use crate::language::Policy;
use crate::language::words::{listed, near, quoted};
use crate::lint::house::{Broken, Demand, Demanded, Given, Kind, Look};

pub(super) const KIND: Kind = Kind {
    name: "has",
    takes: "a list of `category`, `expires`, `limit`, `otherwise`, `quiet` or `vars`",
    means: "These parts are written: `category`, `expires`, `limit`, `otherwise`, `quiet`, `vars`.",
    example: "[quiet, expires]",
    read,
};

/// A part, and whether a policy has it.
type Part = (&'static str, fn(&Policy) -> bool);

const PARTS: [Part; 6] = [
    ("category", |policy| policy.headers.category.is_some()),
    ("expires", |policy| policy.headers.expires.is_some()),
    ("limit", |policy| policy.headers.limit_sends.is_some() || policy.headers.limit_cost.is_some()),
    ("otherwise", |policy| policy.otherwise.is_some()),
    ("quiet", |policy| policy.headers.quiet.is_some()),
    ("vars", |policy| policy.headers.vars.is_some()),
];

#[derive(Debug, Clone)]
struct Has(Vec<Part>);

fn read(given: &Given) -> Demanded {
    let part = |word: &str| {
        PARTS.iter().find(|(name, _)| *name == word).copied().ok_or_else(|| {
            let names = || PARTS.iter().map(|(name, _)| *name);
            Some(match near(word, names()) {
                Some(meant) => format!("unknown part {}; did you mean `{meant}`?", quoted(word)),
                None => format!("unknown part {}; there are {}", quoted(word), listed(names(), "and")),
            })
        })
    };
    let words = given.words().ok_or(None)?;
    Ok(Box::new(Has(words.into_iter().map(part).collect::<Result<_, _>>()?)))
}

impl Demand for Has {
    fn check(&self, look: &Look<'_>) -> Option<Broken> {
        let missing = self.0.iter().filter(|(_, has)| !has(look.policy));
        let missing: Vec<String> = missing.map(|(name, _)| format!("no `{name}`")).collect();
        (!missing.is_empty()).then(|| Broken::new(look.name(), format!("has {}", missing.join(" and "))))
    }

    fn says(&self) -> String {
        format!("must have {}", listed(self.0.iter().map(|(name, _)| *name), "and"))
    }

    fn again(&self) -> Box<dyn Demand> {
        Box::new(self.clone())
    }
}
