//! Reads the list of all tunnels, page by page.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::time::Instant;

use crate::domain::ids::{GatewayId, TunnelPath, VpcId};
use crate::domain::principal::VpcScope;
use crate::domain::tunnel::Tunnel;
use crate::domain::tunnel_view::TunnelView;
use crate::service::Service;
use crate::service::cloud::{Cloud, Priority, ReadError, ReadFailure, TunnelPage, Turn};
use crate::service::ledger::{DriftFilter, LedgerError, OpenDrift};
use crate::service::tunnels::TunnelError;

use super::filter::TunnelFilter;
use super::place::Place;
use super::plan::{self, Part};

/// The most calls to the cloud that one page of the list takes.
pub const MAX_CALLS: usize = 4;
/// Open differences from which on the tunnels with drift are found by reading whole accounts.
const MAX_DRIFT: u32 = 1000;

/// Why the list could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TunnelListError {
    /// The tunnels of an account could not be read. Other accounts may be fine.
    #[error("account {account}: {error}")]
    Account {
        account: String,
        /// The list of all tunnels of the account was refused; its credentials may have the list of a VPC or gateway.
        is_whole: bool,
        error: TunnelError,
    },
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// A page of the list.
#[derive(Debug)]
pub struct Found {
    pub tunnels: Vec<TunnelView>,
    /// Where the next page begins; `None` at the end of the list.
    pub next: Option<Place>,
}

impl Service {
    /// Up to `limit` tunnels of the accounts and VPCs that the caller may read, from a place on: accounts by name, the tunnels
    /// of each in the cloud's order. A page takes at most [`MAX_CALLS`] calls and the time limit of one read. It has fewer
    /// tunnels, or none, if more calls would be needed, or if a call after the first one fails: the next page begins
    /// with that call.
    ///
    /// # Errors
    /// If the first call fails, or the ledger does not answer.
    pub async fn all_tunnels(
        &self,
        vpcs: &VpcScope,
        filter: &TunnelFilter,
        from: Option<&Place>,
        limit: usize,
    ) -> Result<Found, TunnelListError> {
        let parts = self.parts(vpcs, filter).await?;
        let (mut at, mut offset) = from.map_or((0, 0), |place| plan::from_place(&parts, place));
        let (mut found, mut known) = (Found { tunnels: Vec::new(), next: None }, HashSet::new());
        let (mut calls, mut end) = (0, None);
        while let Some(part) = parts.get(at) {
            if calls == MAX_CALLS || found.tunnels.len() == limit {
                found.next = Some(part.place(offset));
                break;
            }
            let Some(cloud) = self.accounts.of_route(&part.route) else {
                // The account was replaced a moment ago.
                (at, offset) = (at + 1, 0);
                continue;
            };
            let end = *end.get_or_insert_with(|| Instant::now() + cloud.timeout() * 2);
            let page = match page(&cloud, part, offset, end).await {
                Ok(page) => page,
                Err(_) if calls > 0 => {
                    found.next = Some(part.place(offset));
                    break;
                }
                Err(error) => return Err(failed(part, error)),
            };
            calls += 1;
            let asked = Asked { vpcs, filter, part, before: &parts[..at] };
            let (offsets, mut shown): (Vec<usize>, Vec<TunnelView>) = page
                .tunnels
                .iter()
                .zip(offset..)
                .filter_map(|(tunnel, offset)| Some((offset, self.shown_if(tunnel, &asked)?)))
                .filter(|(_, tunnel)| known.insert((tunnel.account.clone(), tunnel.tunnel_id.clone())))
                .unzip();
            self.add_drift(&mut shown).await?;
            let shown = offsets.into_iter().zip(shown);
            let mut shown = shown.filter(|(_, tunnel)| !filter.has_drift || !tunnel.drift.is_empty());
            let free = limit - found.tunnels.len();
            found.tunnels.extend(shown.by_ref().take(free).map(|(_, tunnel)| tunnel));
            if let Some((offset, _)) = shown.next() {
                found.next = Some(part.place(offset));
                break;
            }
            (at, offset) = if page.is_last { (at + 1, 0) } else { (at, offset + page.tunnels.len()) };
        }
        Ok(found)
    }

    /// The lists that have to be read, at least.
    async fn parts(&self, vpcs: &VpcScope, filter: &TunnelFilter) -> Result<Vec<Part>, LedgerError> {
        let Ok(gateway) = filter.gateway_id.as_deref().map(str::parse::<GatewayId>).transpose() else {
            return Ok(Vec::new());
        };
        let open = match filter.has_drift {
            false => None,
            true => {
                let open = self.drifts(&VpcScope::All, &DriftFilter::default(), None, MAX_DRIFT).await?;
                let is_all = open.len() < MAX_DRIFT as usize;
                is_all.then(|| {
                    open.into_iter().filter(|open| plan::may_match(open, filter)).collect::<Vec<_>>()
                })
            }
        };
        let of_vpc = |vpc: &str| -> Option<Part> {
            let vpc: VpcId = vpc.parse().ok().filter(|_| vpcs.allows(vpc))?;
            let route = self.accounts.of_vpc(&vpc)?.route();
            Some(Part { route, vpc: Some(vpc), gateway: gateway.clone() })
        };
        let parts = match (&filter.vpc_id, open, vpcs.named()) {
            (_, Some(open), _) if open.is_empty() => Vec::new(),
            (Some(vpc), _, _) => of_vpc(vpc).into_iter().collect(),
            (None, Some(open), _) => {
                let with_drift = |open: OpenDrift| {
                    let part = plan::vpcs_of(&open).into_iter().find_map(of_vpc)?;
                    Some(Part { gateway: Some(open.tunnel.gateway_id), ..part })
                };
                open.into_iter().filter_map(with_drift).collect()
            }
            (None, None, Some(named)) => named.into_iter().filter_map(of_vpc).collect(),
            (None, None, None) => {
                let part = |route| Part { route, vpc: None, gateway: gateway.clone() };
                self.readable_accounts(vpcs).into_iter().map(|account| part(account.route)).collect()
            }
        };
        let is_wanted =
            |part: &Part| filter.account.as_ref().is_none_or(|account| *account == part.route.account);
        Ok(plan::ordered(parts.into_iter().filter(is_wanted).collect()))
    }

    /// The view of a tunnel that was read, if the list contains it here: it matches the filter, the caller may read its VPC,
    /// and the account that was read answers for this VPC. A tunnel without one of the ids could not be requested either.
    fn shown_if(&self, tunnel: &Tunnel, asked: &Asked<'_>) -> Option<TunnelView> {
        let Asked { vpcs, filter, part, before } = asked;
        let has = |ids: &[String], id: &Option<String>| id.as_ref().is_none_or(|id| ids.contains(id));
        let is_wanted = has(&tunnel.vpc_ids, &filter.vpc_id)
            && has(&tunnel.gateway_ids, &filter.gateway_id)
            && filter.search.as_ref().is_none_or(|search| search.finds(tunnel));
        let is_elsewhere =
            |before: &Part| before.route.account == part.route.account && before.covers(tunnel);
        if !is_wanted || !part.covers(tunnel) || before.iter().any(is_elsewhere) {
            return None;
        }
        // The id that decides is the one that was asked for, else the first, the unified one, that a request could name.
        let named = filter.vpc_id.as_ref().map_or(tunnel.vpc_ids.as_slice(), std::slice::from_ref);
        let (vpc, cloud) = named.iter().find_map(|id| {
            let vpc: VpcId = id.parse().ok().filter(|_| vpcs.allows(id))?;
            let cloud = self.accounts.of_vpc(&vpc)?;
            Some((vpc, cloud))
        })?;
        if cloud.route().account != part.route.account {
            return None;
        }
        let path = TunnelPath {
            vpc_id: vpc,
            gateway_id: tunnel.gateway_ids.first()?.parse().ok()?,
            tunnel_id: tunnel.tunnel_ids.first()?.parse().ok()?,
        };
        Some(self.shown(&path, tunnel, &part.route))
    }
}

/// What a page was read for.
struct Asked<'a> {
    vpcs: &'a VpcScope,
    filter: &'a TunnelFilter,
    part: &'a Part,
    /// The parts before it. A tunnel belongs to the first one that covers it.
    before: &'a [Part],
}

async fn page(
    cloud: &Arc<dyn Cloud>,
    part: &Part,
    offset: usize,
    end: Instant,
) -> Result<TunnelPage, ReadError> {
    let turn = Turn { priority: Priority::Read, end: Some(end) };
    match cloud.page(part.listed(), offset, turn).await {
        // A VPC or gateway that does not exist has no tunnels.
        Err(ReadError { failure: ReadFailure::NotFound, .. }) if part.listed() != Default::default() => {
            Ok(TunnelPage { tunnels: Vec::new(), total: None, is_last: true })
        }
        read => read,
    }
}

fn failed(part: &Part, error: ReadError) -> TunnelListError {
    match TunnelError::from(error) {
        TunnelError::Ledger(error) => error.into(),
        error => TunnelListError::Account {
            account: part.route.account.clone(),
            is_whole: part.vpc.is_none() && part.gateway.is_none(),
            error,
        },
    }
}
