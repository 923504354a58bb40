//! Properties of the configuration's readers, for the fuzzer (`tests/fuzz`) and its corpus.

#![allow(clippy::expect_used, clippy::panic, reason = "a property that does not hold stops the fuzzer")]

use std::path::Path;
use std::time::Duration;

use crate::ledger;

use super::file::{self, Defaults};
use super::{database_url, duration, listen, shown};

/// A secret, which no message and no `config check` shows.
const SECRET: &str = "canary-0123456789";

/// A file that is read shows no secret, and every fault of one that is not has a reason without a secret.
pub fn files(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let defaults = Defaults {
        timeout: Duration::from_secs(10),
        calls_per_second: 20,
        allow_plain_http: false,
        has_fingerprint_key: true,
    };
    // No file that the text names exists there.
    match file::read(Path::new("/nowhere/tunnelgate.toml"), text, defaults) {
        Ok(config) => {
            for account in &config.accounts {
                let _ = shown::section(account);
            }
        }
        Err(faults) => {
            assert!(!faults.is_empty());
            let secret = format!("secret_key = \"{SECRET}\"");
            if text.contains(&secret) && text.matches(SECRET).count() == 1 {
                assert!(faults.iter().all(|fault| !fault.to_string().contains(SECRET)), "{text}");
            }
        }
    }
}

/// The bytes as DATABASE_URL. No refusal shows a password, however it goes on.
pub fn database_urls(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let refused = match database_url::check(text) {
        Ok(()) => ledger::fuzz::database_url(text),
        Err(problem) => Some(problem),
    };
    let has_password =
        text.starts_with(&format!("postgres://u:{SECRET}")) && text.matches(SECRET).count() == 1;
    if let Some(problem) = refused
        && has_password
    {
        assert!(!problem.contains(SECRET), "{problem}");
    }
}

/// Texts of flags.
pub fn flags(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = duration::parse(text);
    let _ = listen::parse(text);
}
