//! Repositories and prefixes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| image_name::fuzzing::name(data));
