//! Sigstore bundles, and the statements in them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| trust::fuzzing::bundle(data));
