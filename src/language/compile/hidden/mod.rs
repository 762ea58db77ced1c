//! Faults that stand behind other faults.
//!
//! The checker tells nothing that may merely follow from what it has told: behind a word that it does not
//! know, the rest of the stage is not judged. Here the text is read once more as it would be if what was
//! told were mended, by the change that a finding offers, else by something harmless in its place
//! ([`guess`]). What is then found at a place that was not changed is a fault of its own, and is told with
//! the others.

mod guess;
mod patches;

use super::{Diagnostic, limits};
use patches::Patches;

/// Readings of one text: what a fault hides may hide something in turn.
const READINGS_MAX: usize = 12;
/// Bytes that are read again, all readings of one text together.
const READ_AGAIN_BYTES_MAX: usize = 96 * 1024;

/// Whether a word of the text is one of which nobody knows what was meant.
fn says_nothing(finding: &Diagnostic) -> bool {
    finding.fix.is_empty() && ["unknown-channel", "unknown-word"].contains(&finding.rule)
}

/// `told` and what is hidden behind it, in the order of the text. `look` finds the faults of a text.
pub(super) fn with_hidden(
    source: &str,
    told: Vec<Diagnostic>,
    look: impl Fn(&str) -> Vec<Diagnostic>,
) -> Vec<Diagnostic> {
    let readings = (READ_AGAIN_BYTES_MAX / source.len().max(1)).min(READINGS_MAX);
    let mut all = told;
    let (mut patches, mut fresh) = (Patches::default(), 0);
    for _ in 0..readings {
        let before = patches.len();
        all[fresh..].iter().for_each(|finding| patches.mend(source, finding));
        if patches.len() == before || all.len() >= limits::FINDINGS_MAX {
            break;
        }
        fresh = all.len();
        let found = look(&patches.applied(source));
        let mut hidden: Vec<Diagnostic> = found.into_iter().filter_map(|f| patches.back(f)).collect();
        // Behind a word that says nothing to anybody others of its kind are more of the same: this may be no
        // policy at all.
        if all.iter().any(says_nothing) {
            hidden.retain(|finding| !says_nothing(finding));
        }
        for finding in hidden {
            let again = |known: &Diagnostic| {
                let (a, b) = (&known.at, &finding.at);
                a == b && known.rule == finding.rule
                    || (a.start < b.end && b.start < a.end && !patches.mends(known))
            };
            if !all.iter().any(again) {
                all.push(finding);
            }
        }
        if all.len() == fresh {
            break;
        }
    }
    all.sort_by_key(|d| (d.at.start, d.at.end));
    all
}
