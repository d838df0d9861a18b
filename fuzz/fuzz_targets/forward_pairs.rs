//! Clients of port-forward.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cri_streaming::fuzzing::forward_pairs(data));
