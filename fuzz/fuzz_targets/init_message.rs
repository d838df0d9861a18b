//! Messages of pod init to the monitor.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stage1::link::fuzzing::init_message(data));
