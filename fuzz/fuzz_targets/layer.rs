//! The walk through a tar stream, into nothing.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| image_store::fuzzing::layer(data));
