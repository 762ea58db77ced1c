//! What tests, proves, compares and explains policies.

mod diff;
mod suites;
