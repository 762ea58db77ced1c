//! Changes that no habit knows: they are tried one after the other, and one is taken only where it alone mends
//! all.

use super::super::Diagnostic;
use super::candidates::{self, Candidate};
use super::{Mends, Outcome, Trial, keys};

/// Bytes of a text in which they are looked for.
const SEARCHED_BYTES_MAX: usize = 16 * 1024;

/// Two changes mend alike and come to different texts, or nothing more can be read: nobody knows which was
/// meant.
struct Unsure;

impl Trial<'_> {
    /// The one change by which nothing is left on the line of a finding that has none.
    pub(super) fn search(&self, finding: &Diagnostic) -> Option<(Candidate, Outcome)> {
        if self.source.len() > SEARCHED_BYTES_MAX || !candidates::may_be_a_slip(finding.rule) {
            return None;
        }
        for tier in candidates::of(self.source, finding) {
            match self.only(finding, tier) {
                Ok(None) => {}
                Ok(found) => return found,
                Err(Unsure) => return None,
            }
        }
        None
    }

    /// The same, of what one key does.
    pub(super) fn slip_of_a_key(&self, finding: &Diagnostic) -> Option<(Candidate, Outcome)> {
        if self.source.len() > SEARCHED_BYTES_MAX || !self.may_read_on() {
            return None;
        }
        self.only(finding, keys::of(self.source, finding)).ok()?
    }

    /// The one of some changes that mends all; none where there is none.
    fn only(
        &self,
        finding: &Diagnostic,
        candidates: Vec<Candidate>,
    ) -> Result<Option<(Candidate, Outcome)>, Unsure> {
        let mut found: Option<(Candidate, Outcome)> = None;
        for candidate in candidates {
            if !self.may_read_on() {
                return Err(Unsure);
            }
            let outcome = self.outcome(finding, &candidate.edits);
            let Some(outcome) = outcome.filter(|(mends, ..)| *mends == Mends::All) else { continue };
            if let Some((_, (_, patches, _))) = &found {
                let [one, other] = [patches, &outcome.1]
                    .map(|patches| patches.applied(self.source).split_whitespace().collect::<String>());
                if one == other {
                    continue;
                }
                return Err(Unsure);
            }
            found = Some((candidate, outcome));
        }
        Ok(found)
    }
}
