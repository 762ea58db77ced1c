//! The `spine` binary.

fn main() {}
