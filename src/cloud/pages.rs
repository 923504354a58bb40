//! Lists of tunnels, read page by page.

use std::collections::HashSet;

use tokio::time::Instant;
use tracing::warn;

use crate::domain::event::Upstream;
use crate::domain::ids::{GatewayId, TunnelPath, VpcId};
use crate::domain::tunnel::Tunnel;
use crate::service::cloud::{Priority, ReadError, ReadFailure, Slot, TunnelPage, TunnelsOf, Turn};

use super::actions::{Actions, Listed, is_or_unsaid};
use super::client::Client;

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
    /// Every entry names its tunnel.
    is_named: bool,
}

impl<A: Actions> Client<A> {
    /// The one tunnel at the path, by `end` at the latest.
    pub(super) async fn one_tunnel(
        &self,
        path: &TunnelPath,
        priority: Priority,
        slot: Option<Box<dyn Slot>>,
        end: Instant,
    ) -> Result<Tunnel, ReadError> {
        let mut found = None;
        let walk = self.walk(Listed::Tunnel(path), priority, slot, end, |tunnel| {
            // The cloud may ignore filters, so the ids are compared.
            if !A::is_at(&tunnel, path) {
                return false;
            }
            found = Some(tunnel);
            true
        });
        let walk = walk.await?;
        // A list that is cut off, or shorter than it says, does not prove that there is no such tunnel; nor does one with
        // an entry that can't be read.
        let is_all = walk.is_whole && walk.is_named && walk.total.is_none_or(|total| walk.seen >= total);
        let failure = if is_all { ReadFailure::NotFound } else { ReadFailure::NoAnswer };
        found.ok_or(ReadError { failure, upstream: walk.upstream })
    }

    /// The oldest tunnels of a gateway, as many as one call shows.
    pub(super) async fn first_page(
        &self,
        vpc: &VpcId,
        gateway: &GatewayId,
        priority: Priority,
        slot: Option<Box<dyn Slot>>,
    ) -> Result<Vec<Tunnel>, ReadError> {
        let of = TunnelsOf { vpc: Some(vpc), gateway: Some(gateway) };
        let params = self.caller.api.page(Listed::Several(of), 0);
        let (answer, upstream) =
            self.read(A::LIST, params, priority, slot, self.caller.end_of_read()).await?;
        let entries = A::entries(&answer).ok_or_else(|| without_entries(upstream))?;
        Ok(entries.iter().map(|entry| A::tunnel(&answer, entry)).collect())
    }

    /// The page of a list that begins after `offset` entries.
    pub(super) async fn one_page(
        &self,
        of: TunnelsOf<'_>,
        offset: usize,
        turn: Turn,
    ) -> Result<TunnelPage, ReadError> {
        let params = self.caller.api.page(Listed::Several(of), offset);
        let end = self.caller.end_of_read();
        let end = turn.end.map_or(end, |sooner| sooner.min(end));
        let (answer, upstream) = self.read(A::LIST, params, turn.priority, None, end).await?;
        let entries = A::entries(&answer).ok_or_else(|| without_entries(upstream))?;
        let total = A::total(&answer);
        let seen = offset + entries.len();
        // Without a total, a page that is not full is the last.
        let is_last = entries.is_empty() || total.map_or(entries.len() < A::PAGE, |total| seen >= total);
        let tunnels = entries.iter().map(|entry| A::tunnel(&answer, entry)).collect();
        Ok(TunnelPage { tunnels, total, is_last })
    }

    /// All tunnels of a gateway, each once. The cloud pages by offset: a tunnel that is deleted between two pages
    /// hides another one. A list that changes while it is read is read again.
    pub(super) async fn all_tunnels(
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
            let of = TunnelsOf { vpc: Some(vpc), gateway: Some(gateway) };
            let walk = self.walk(Listed::Several(of), Priority::Read, None, end, |tunnel| {
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
            if !walk.is_named {
                let message = Some("an entry of the cloud's list names no tunnel".to_owned());
                let upstream = Upstream { message, ..walk.upstream };
                return Err(ReadError { failure: ReadFailure::NoAnswer, upstream });
            }
            if !walk.is_whole {
                let message = Some(format!("the cloud names more than {} tunnels", MAX_PAGES * A::PAGE));
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
        listed: Listed<'_>,
        priority: Priority,
        mut slot: Option<Box<dyn Slot>>,
        end: Instant,
        mut enough: impl FnMut(Tunnel) -> bool,
    ) -> Result<Listing, ReadError> {
        let mut walk = Listing {
            upstream: Upstream::default(),
            seen: 0,
            total: None,
            is_steady: true,
            is_whole: false,
            is_named: true,
        };
        for number in 0..MAX_PAGES {
            let params = self.caller.api.page(listed, walk.seen);
            let (answer, upstream) = self.read(A::LIST, params, priority, slot.take(), end).await?;
            let Some(entries) = A::entries(&answer) else { return Err(without_entries(upstream)) };
            walk.upstream = upstream;
            for entry in entries {
                let tunnel = A::tunnel(&answer, entry);
                walk.is_named &= !tunnel.tunnel_ids.is_empty();
                if enough(tunnel) {
                    walk.is_whole = true;
                    return Ok(walk);
                }
            }
            walk.seen += entries.len();
            let total = A::total(&answer);
            walk.is_steady &= number == 0 || total == walk.total;
            walk.total = total;
            // Without a total, a page that is not full is the last.
            let is_last = walk.total.map_or(entries.len() < A::PAGE, |total| walk.seen >= total);
            if entries.is_empty() || is_last {
                walk.is_whole = true;
                return Ok(walk);
            }
        }
        Ok(walk)
    }
}

/// A success that lists nothing, and does not say that there is nothing.
fn without_entries(upstream: Upstream) -> ReadError {
    let message = Some("the cloud's answer has no list of tunnels".to_owned());
    ReadError { failure: ReadFailure::NoAnswer, upstream: Upstream { message, ..upstream } }
}
