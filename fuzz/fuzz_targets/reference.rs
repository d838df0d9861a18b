//! References, sources and digests.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| image_store::fuzzing::reference(data));
