#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nomad_exporter_fuzz::negotiation(data));
