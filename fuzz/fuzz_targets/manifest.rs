//! Manifests and indexes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| image_document::fuzzing::manifest(data));
