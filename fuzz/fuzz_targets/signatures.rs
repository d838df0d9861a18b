//! Lists of referrers, signature manifests and bundles.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| image_document::fuzzing::signatures(data));
