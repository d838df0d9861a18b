//! Clients of exec.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cri_streaming::fuzzing::exec_channels(data));
