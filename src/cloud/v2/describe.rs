//! Reading tunnels: `DescribeVpnConn`, page by page.

use std::collections::HashSet;

use tokio::time::Instant;
use tracing::warn;

use crate::domain::event::Upstream;
use crate::domain::ids::{GatewayId, TunnelPath, VpcId};
use crate::domain::tunnel::Tunnel;
use crate::service::cloud::{Priority, ReadError, ReadFailure, Slot};

use super::client::Client;
use super::tunnel;
use super::wire::{self, Params};

const ACTION: &str = "DescribeVpnConn";
/// Entries per page; the cloud's maximum.
const PAGE: usize = 50;
/// Page limit; a gateway has far fewer tunnels.
const MAX_PAGES: usize = 40;
/// Reads of a list that keeps changing before the last one is used.
const WALKS: u32 = 3;

/// The result of reading the pages of a list.
struct Listing {
    upstream: Upstream,
    /// Entries received.
    seen: usize,
    /// Entries in total, if the cloud says.
    total: Option<usize>,
    /// Every page had the same total.
    is_steady: bool,
    /// Every page was read, or `enough` ended the read.
    is_whole: bool,
}

impl Client {
    /// The one tunnel at the path, by `end` at the latest.
    pub(super) async fn describe_one(
        &self,
        path: &TunnelPath,
        priority: Priority,
        slot: Option<Box<dyn Slot>>,
        end: Instant,
    ) -> Result<Tunnel, ReadError> {
        let mut found = None;
        let put_filters = |params: &mut Params| wire::put_path(params, path);
        let walk = self.walk(put_filters, priority, slot, end, |tunnel| {
            // The cloud may ignore filters, so the ids are compared.
            if !is_at(&tunnel, path) {
                return false;
            }
            found = Some(tunnel);
            true
        });
        let upstream = walk.await?.upstream;
        found.ok_or(ReadError { failure: ReadFailure::NotFound, upstream })
    }

    /// The oldest tunnels of a gateway, as many as one call shows.
    pub(super) async fn describe_page(
        &self,
        vpc: &VpcId,
        gateway: &GatewayId,
        priority: Priority,
        slot: Option<Box<dyn Slot>>,
    ) -> Result<Vec<Tunnel>, ReadError> {
        let params = page(|params| put_gateway(params, vpc, gateway), 0);
        let (answer, _) = self.read(ACTION, params, priority, slot, self.caller.end_of_read()).await?;
        let entries = answer.data().as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(entries.iter().map(|entry| tunnel::read(&answer, entry)).collect())
    }

    /// All tunnels of a gateway, each once. The cloud pages by offset: a tunnel that is deleted between two pages
    /// hides another one. A list that changes while it is read is read again.
    pub(super) async fn describe_all(
        &self,
        vpc: &VpcId,
        gateway: &GatewayId,
    ) -> Result<Vec<Tunnel>, ReadError> {
        let end = self.caller.end_of_read();
        let mut walks = 0;
        loop {
            walks += 1;
            let mut known = HashSet::new();
            let mut repeated = 0;
            let mut found = Vec::new();
            let put_filters = |params: &mut Params| put_gateway(params, vpc, gateway);
            let walk = self.walk(put_filters, Priority::Read, None, end, |tunnel| {
                let is_new = tunnel.tunnel_ids.first().is_none_or(|id| known.insert(id.clone()));
                repeated += usize::from(!is_new);
                let is_here = is_or_unsaid(&tunnel.vpc_ids, vpc.as_str())
                    && is_or_unsaid(&tunnel.gateway_ids, gateway.as_str());
                if is_new && is_here {
                    found.push(tunnel);
                }
                false
            });
            let walk = walk.await?;
            if !walk.is_whole {
                let message = Some(format!("the cloud names more than {} tunnels", MAX_PAGES * PAGE));
                let upstream = Upstream { message, ..walk.upstream };
                // A partial list must not count as the whole.
                return Err(ReadError { failure: ReadFailure::NoAnswer, upstream });
            }
            if walk.is_steady && walk.total.is_none_or(|total| walk.seen - repeated >= total) {
                return Ok(found);
            }
            if walks == WALKS {
                warn!(walks, "the cloud's list of tunnels changed each time it was read");
                return Ok(found);
            }
        }
    }

    /// Reads tunnels page by page until `enough`.
    async fn walk(
        &self,
        put_filters: impl Fn(&mut Params),
        priority: Priority,
        mut slot: Option<Box<dyn Slot>>,
        end: Instant,
        mut enough: impl FnMut(Tunnel) -> bool,
    ) -> Result<Listing, ReadError> {
        let mut walk =
            Listing { upstream: Upstream::default(), seen: 0, total: None, is_steady: true, is_whole: false };
        for number in 0..MAX_PAGES {
            let params = page(&put_filters, walk.seen);
            let (answer, upstream) = self.read(ACTION, params, priority, slot.take(), end).await?;
            walk.upstream = upstream;
            let entries = answer.data().as_array().map(Vec::as_slice).unwrap_or_default();
            for entry in entries {
                if enough(tunnel::read(&answer, entry)) {
                    walk.is_whole = true;
                    return Ok(walk);
                }
            }
            walk.seen += entries.len();
            let total = answer.beside_data("totalCount").and_then(|total| total.parse().ok());
            walk.is_steady &= number == 0 || total == walk.total;
            walk.total = total;
            // Without a total, a page that is not full is the last.
            let is_last = walk.total.map_or(entries.len() < PAGE, |total| walk.seen >= total);
            if entries.is_empty() || is_last {
                walk.is_whole = true;
                return Ok(walk);
            }
        }
        Ok(walk)
    }
}

/// The parameters of one page.
fn page(put_filters: impl Fn(&mut Params), offset: usize) -> Params {
    let mut params = Params::of_action(ACTION);
    put_filters(&mut params);
    params.put("offset", offset.to_string());
    params.put("limit", PAGE.to_string());
    params
}

/// Filters for the tunnels of a gateway.
fn put_gateway(params: &mut Params, vpc: &VpcId, gateway: &GatewayId) {
    params.put("vpcId", vpc.as_str());
    params.put("vpnGwId", gateway.as_str());
    // A new tunnel comes last and shifts no other.
    params.put("orderField", "createTime");
    params.put("orderDirection", "asc");
}

/// True if this is the tunnel at the path.
pub(super) fn is_at(tunnel: &Tunnel, path: &TunnelPath) -> bool {
    tunnel.tunnel_ids.iter().any(|id| id == path.tunnel_id.as_str())
        && is_or_unsaid(&tunnel.vpc_ids, path.vpc_id.as_str())
        && is_or_unsaid(&tunnel.gateway_ids, path.gateway_id.as_str())
}

/// An entry has old and unified ids. An entry without a parent's id matches by its tunnel id alone.
fn is_or_unsaid(ids: &[String], id: &str) -> bool {
    ids.is_empty() || ids.iter().any(|known| known == id)
}
