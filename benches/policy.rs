//! How long a policy takes from its text to its checked form. Goal: under 50 µs for a small one.

use divan::{Bencher, black_box};
use spine::language::{NoLibrary, compile};

fn main() {
    divan::main();
}

/// A policy of three stages with every kind of header.
const REMINDER: &str = include_str!("../policies/appointment_reminder.policy");

#[divan::bench]
fn compile_one_line() {
    black_box(compile(black_box("whatsapp then sms after 30s unless quota"), None, &NoLibrary));
}

#[divan::bench]
fn compile_three_stages(bencher: Bencher<'_, '_>) {
    bencher.bench(|| compile(black_box(REMINDER), None, &NoLibrary));
}
