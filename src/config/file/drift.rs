//! `[drift]` of the configuration file.

use std::time::Duration;

use crate::config::{duration, limits};

use super::table::Table;

/// The interval where the section does not say.
const INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Reads the interval of drift checks, and collects its faults; `None` without the section.
pub(super) fn read(root: &mut Table<'_, '_>) -> Option<Duration> {
    let mut table = root.one("drift")?;
    let interval = table
        .parsed("interval", |text| duration::parse(text).and_then(limits::drift_interval))
        .unwrap_or(INTERVAL);
    table.finish();
    Some(interval)
}
