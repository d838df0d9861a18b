//! An image's files of accounts.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stage1::app::fuzzing::accounts(data));
