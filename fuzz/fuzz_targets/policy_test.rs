//! Files of cases for a policy.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| trust::fuzzing::policy_test(data));
