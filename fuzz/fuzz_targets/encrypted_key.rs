//! Private keys under a passphrase.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| trust::fuzzing::encrypted_key(data));
