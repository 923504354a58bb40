//! File descriptors. Without a free one the service could neither accept callers nor reach its database.

use tracing::warn;

/// Descriptors for all but callers: database, cloud, files, webhooks.
const RESERVED: u64 = 256;

/// Raises the process's soft limit as far as `wanted` connections need and the hard limit allows. Returns the number of
/// connections that the limit has descriptors for, at most `wanted`.
pub fn connections(wanted: usize) -> usize {
    let needed = u64::try_from(wanted).unwrap_or(u64::MAX).saturating_add(RESERVED);
    let limit = match rlimit::increase_nofile_limit(needed) {
        Ok(limit) => limit,
        Err(error) => {
            warn!(%error, "can't read the limit of open files");
            return wanted;
        }
    };
    let possible = possible(wanted, limit);
    if possible < wanted {
        warn!(
            limit,
            connections = possible,
            "the limit of open files (ulimit -n, LimitNOFILE) allows fewer connections than TUNNELGATE_MAX_CONNECTIONS"
        );
    }
    possible
}

/// The connections that a limit of open files has room for; at least half of the limit.
fn possible(wanted: usize, limit: u64) -> usize {
    let room = limit.saturating_sub(RESERVED).max(limit / 2).max(1);
    wanted.min(usize::try_from(room).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_descriptors_are_left_for_the_service() {
        assert_eq!(possible(20_000, 1_000_000), 20_000);
        assert_eq!(possible(20_000, 20_256), 20_000);
        assert_eq!(possible(20_000, 1024), 768);
        assert_eq!(possible(20_000, 100), 50);
        assert_eq!(possible(10, 1024), 10);
    }
}
