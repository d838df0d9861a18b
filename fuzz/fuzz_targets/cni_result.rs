//! What plugins answer to ADD.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cni_glue::fuzzing::cni_result(data));
