//! What registries say in headers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| image_registry::fuzzing::registry_headers(data));
