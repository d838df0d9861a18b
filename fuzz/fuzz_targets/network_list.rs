//! Configurations of networks.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cni_glue::fuzzing::network_list(data));
