//! Properties of the readers of a PostgreSQL URL, for the fuzzer.

#![allow(clippy::expect_used, clippy::panic, reason = "a property that does not hold stops the fuzzer")]

use crate::ledger::OpenError;

use super::{connect, hosts};

/// Each URL of a list of hosts names one host, and hosts that need no `allow_plain` are the same with it.
pub fn urls(url: &str) -> Result<(), OpenError> {
    if let Ok(split) = hosts::split(url) {
        assert!(!split.urls.is_empty());
        for one in split.urls {
            let again = hosts::split(&one).expect("one host");
            assert_eq!((again.urls, again.only_primary), (vec![one], false));
        }
    }
    let encrypted = connect::hosts(url, false)?;
    let plain = connect::hosts(url, true).expect("less strict");
    let addresses = |hosts: &super::primary::Hosts| -> Vec<(String, u16)> {
        hosts.each.iter().map(|host| (host.get_host().to_owned(), host.get_port())).collect()
    };
    assert_eq!(addresses(&encrypted), addresses(&plain));
    Ok(())
}
