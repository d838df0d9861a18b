//! Frames of SPDY.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cri_streaming::fuzzing::spdy_frames(data));
