//! Requests on the control socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pod::fuzzing::control_request(data));
