//! Frames of WebSocket.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cri_streaming::fuzzing::websocket_frames(data));
