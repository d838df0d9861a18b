//! The host's resolv.conf.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cni_glue::fuzzing::resolv_conf(data));
