//! Names of whiteouts.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| image_layer::fuzzing::whiteout(data));
