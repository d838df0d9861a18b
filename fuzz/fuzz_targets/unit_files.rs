//! Quadlet's files, and what systemd is given of them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quadlet::fuzzing::unit_files(data));
