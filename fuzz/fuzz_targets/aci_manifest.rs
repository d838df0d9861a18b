//! Manifests of appc images.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| image_store::fuzzing::aci_manifest(data));
