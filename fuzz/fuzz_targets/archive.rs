//! Archives of images, read in place.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| image_store::fuzzing::archive(data));
