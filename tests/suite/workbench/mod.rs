//! What tests, proves, compares and explains policies.

mod cookbook;
mod diff;
mod prove;
mod schemas;
mod suites;
