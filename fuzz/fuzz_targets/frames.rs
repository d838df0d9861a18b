//! Frames of the link between the monitor and pod init.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stage1::link::fuzzing::frames(data));
