//! References and digests.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| image_name::fuzzing::reference(data));
