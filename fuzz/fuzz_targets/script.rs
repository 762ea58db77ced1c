#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| spine_fuzz::script::look_at(bytes));
