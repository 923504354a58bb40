//! `/audit-events`.

mod archived;
mod chain;
mod counts;
mod export;
mod list;
mod read;
mod stream;

use crate::harness::{Harness, path, ranges};

/// Three operations of one VPC, one of another.
pub async fn fill(harness: &Harness) {
    let prod = "/vpcs/vpc-prod-1/gateways/vpngw-prod1/tunnels/vpnx-prod1".to_owned();
    for tunnel in [path("vpnx-load-1"), path("vpnx-load-2"), path("vpnx-failed-5100"), prod] {
        harness.consumer.patch(&tunnel, &ranges(), &[("prefer", "wait=30")]).await;
    }
}
