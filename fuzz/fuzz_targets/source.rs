//! Sources of images, and the files of their names in the store.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| image_store::fuzzing::source(data));
