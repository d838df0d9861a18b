//! The walk through a tar stream, into nothing.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| image_layer::fuzzing::layer(data));
