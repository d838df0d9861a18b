//! Extended headers of tar.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| image_layer::fuzzing::pax(data));
