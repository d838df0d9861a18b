//! Pods in YAML.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pod_yaml::fuzzing::pod_yaml(data));
