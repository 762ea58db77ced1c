//! What compares and explains policies.

mod diff;
