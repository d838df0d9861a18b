//! Heads of requests for streams.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cri_streaming::fuzzing::stream_request(data));
