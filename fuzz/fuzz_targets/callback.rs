#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| spine_fuzz::callback::look_at(bytes));
