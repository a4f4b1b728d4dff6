#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| railhead_oci::fuzzing::manifest(data));
