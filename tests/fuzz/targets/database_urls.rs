#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tunnelgate::config::fuzz::database_urls(bytes));
