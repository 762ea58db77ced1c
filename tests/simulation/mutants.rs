//! The world, broken on purpose: what the simulation must find, or it proves nothing.

use spine::store::memory::Sabotage;

use super::cases;
use super::checks::Check;
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
    /// All of them.
    pub(crate) fn all() -> Vec<Mutant> {
        let stores = Sabotage::ALL.iter().map(|sabotage| Mutant::Store(*sabotage));
        stores.chain([Mutant::RunsAhead]).collect()
    }

    /// The checks that look for what it breaks. Another one may fail as well, since one fault leads to
    /// another; it is found only where one of these does.
    pub(crate) const fn found_by(self) -> &'static [Check] {
        let Mutant::Store(sabotage) = self else { return &[Check::CalledInTime, Check::NothingBeforeStart] };
        match sabotage {
            // Two who decide on one version of a message give what follows the same numbers.
            Sabotage::DropsTheFence => {
                &[Check::EventNumbers, Check::TransitionOnce, Check::Replay, Check::EndsWritten]
            }
            Sabotage::ForgetsTheLease => &[Check::SendsAgree],
            Sabotage::ForgetsKeys => &[Check::OneId, Check::OneMessage, Check::OneAnswer],
            Sabotage::ForgetsLimits => &[Check::QuotaKept],
            Sabotage::AnswersTooEarly => &[Check::AnsweredStands],
            Sabotage::WritesLater => &[Check::IntentFirst],
            Sabotage::LosesMessages => &[Check::AnsweredStands],
            Sabotage::WritesTwice => &[Check::TransitionOnce],
            Sabotage::SkipsATransition => &[Check::Replay],
            Sabotage::DropsAnEvent => &[Check::EventNumbers, Check::EventTold],
            Sabotage::SharesClaims => &[Check::OneTeller],
            Sabotage::LeaksToAnotherScope => &[Check::OwnScope],
            Sabotage::ChangesAnEnd => &[Check::EndsStand],
            Sabotage::RewritesTheAudit => &[Check::AuditWhole, Check::AuditChain],
        }
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
    /// them and by which check.
    pub(crate) fn found_by_name(self, seeds: u64) -> Option<(&'static str, u64, Check)> {
        cases::all().into_iter().find_map(|case| {
            (0..seeds).find_map(|seed| {
                let history = History { seed, ..case.history.clone() };
                self.found_in(&history).map(|check| (case.name, seed + 1, check))
            })
        })
    }

    /// How many histories it takes to find it, from this seed on, and by which check; none where so many do
    /// not.
    pub(crate) fn found_after(self, seed: u64, nodes_max: u64, histories_max: u64) -> Option<(u64, Check)> {
        (0..histories_max).find_map(|place| {
            let history = History::of(seed.wrapping_add(place), nodes_max);
            self.found_in(&history).map(|check| (place + 1, check))
        })
    }

    /// The check of its own that fails after a history.
    fn found_in(self, history: &History) -> Option<Check> {
        let outcome = happen(history, Some(self), false, &mut Coverage::default());
        let mut broken = outcome.broken.iter().map(|broken| broken.check);
        broken.find(|check| self.found_by().contains(check))
    }
}
