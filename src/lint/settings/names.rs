//! Names that are not written in the program.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The names that were asked for.
static HELD: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// A name for as long as the program runs, so that a finding can bear the name of a rule of the house.
/// Each is held once, whoever asks; they come of files of settings, whose size is bounded.
#[must_use]
pub fn held_name(name: &str) -> &'static str {
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = held.get(name) {
        return known;
    }
    let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
    held.insert(name);
    name
}

/// Whether a name is one of those.
pub(in crate::lint) fn is_held(name: &str) -> bool {
    HELD.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
}
