//! Between the callers and the routes: limits, proxies, CORS, compression.

mod compression;
mod cors;
mod head;
mod http_1_0;
mod limits;
mod nginx;
mod no_request;
mod proxies;
mod public_url;
mod raw;
mod request_id;
mod routes;

use std::num::NonZeroU32;
use std::time::Duration;

use tunnelgate::config::Settings;
use tunnelgate::http::edge::limit::Quota;

use crate::harness::Harness;
use crate::support::Store;

/// A gateway on SQLite with other settings.
pub async fn gateway_with(change: impl FnOnce(&mut Settings)) -> Harness {
    Harness::with(Store::sqlite(), change).await
}

pub fn hourly(count: u32) -> Option<Quota> {
    Some(Quota { count: NonZeroU32::new(count).expect("some"), window: Duration::from_secs(3600) })
}
