//! Private keys in PEM.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| trust::fuzzing::private_key(data));
