#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tunnelgate::http::fuzz::authorizations(bytes));
