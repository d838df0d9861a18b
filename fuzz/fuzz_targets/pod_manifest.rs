//! Manifests of pods.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pod::fuzzing::pod_manifest(data));
