//! The world, broken on purpose: what the simulation must find, or it proves nothing.

use spine::store::memory::Sabotage;

use super::cases;
use super::coverage::Coverage;
use super::happen;
use super::history::History;

/// Something that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// A promise of the store.
    Store(Sabotage),
    /// The clocks of all nodes run ahead of the world's.
    RunsAhead,
}

impl Mutant {
    /// All of them; with each, what must always hold and does not any more.
    pub(crate) fn all() -> Vec<(Mutant, &'static [u8])> {
        let of = |sabotage: Sabotage| -> &'static [u8] {
            match sabotage {
                Sabotage::DropsTheFence => &[3, 8, 1, 2, 5, 6],
                Sabotage::ForgetsTheLease => &[4, 1, 2, 3, 5],
                Sabotage::ForgetsKeys | Sabotage::ForgetsLimits => &[4],
                Sabotage::AnswersTooEarly | Sabotage::LosesMessages => &[1, 2, 3],
                Sabotage::WritesLater => &[2, 1, 8, 3],
                Sabotage::WritesTwice | Sabotage::SkipsATransition => &[3],
                Sabotage::DropsAnEvent | Sabotage::SharesClaims => &[6],
                Sabotage::LeaksToAnotherScope => &[7],
                Sabotage::ChangesAnEnd => &[8],
                Sabotage::RewritesTheAudit => &[9],
            }
        };
        let stores = Sabotage::ALL.iter().map(|sabotage| (Mutant::Store(*sabotage), of(*sabotage)));
        stores.chain([(Mutant::RunsAhead, &[5_u8][..])]).collect()
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Mutant::Store(sabotage) => sabotage.name(),
            Mutant::RunsAhead => "runs-ahead",
        }
    }

    /// Whether it needs a store that several nodes share to be seen.
    pub(crate) const fn needs_nodes(self) -> bool {
        matches!(
            self,
            Mutant::Store(
                Sabotage::DropsTheFence
                    | Sabotage::ForgetsTheLease
                    | Sabotage::ForgetsLimits
                    | Sabotage::SharesClaims
            )
        )
    }

    /// The first of the histories by name that finds it, each looked at under so many seeds, and by which of
    /// them; what was broken.
    pub(crate) fn found_by_name(self, seeds: u64) -> Option<(&'static str, u64, u8)> {
        cases::all().into_iter().find_map(|case| {
            (0..seeds).find_map(|seed| {
                let history = History { seed, ..case.history.clone() };
                let outcome = happen(&history, Some(self), false, &mut Coverage::default());
                outcome.broken.first().map(|broken| (case.name, seed + 1, broken.invariant))
            })
        })
    }

    /// How many histories it takes to find it, from this seed on; none where so many do not.
    pub(crate) fn found_after(self, seed: u64, nodes_max: u64, histories_max: u64) -> Option<(u64, u8)> {
        (0..histories_max).find_map(|place| {
            let history = History::of(seed.wrapping_add(place), nodes_max);
            let outcome = happen(&history, Some(self), false, &mut Coverage::default());
            outcome.broken.first().map(|broken| (place + 1, broken.invariant))
        })
    }
}
