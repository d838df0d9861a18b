//! What an app says of itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| systemd::fuzzing::app_notification(data));
