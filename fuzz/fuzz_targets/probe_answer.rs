//! What servers answer to probes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stage1::init::fuzzing::probe_answer(data));
