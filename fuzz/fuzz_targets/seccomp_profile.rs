//! Profiles of system call filters.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stage1::seccomp::fuzzing::seccomp_profile(data));
