//! Descriptions of devices by their vendors.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| engine::fuzzing::device_description(data));
