//! Containers' policy.json.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| trust::fuzzing::containers_policy(data));
