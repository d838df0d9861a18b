//! Payloads of cosign's tag format.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| trust::fuzzing::simple_signing(data));
