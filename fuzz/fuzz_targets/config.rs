//! Configurations of images.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| image_document::fuzzing::config(data));
