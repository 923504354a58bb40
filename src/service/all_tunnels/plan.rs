//! What the list of all tunnels reads, and in which order.

use crate::domain::event::Route;
use crate::domain::ids::{GatewayId, VpcId};
use crate::domain::tunnel::Tunnel;
use crate::service::cloud::TunnelsOf;
use crate::service::ledger::OpenDrift;

use super::filter::TunnelFilter;
use super::place::Place;

/// A list of the cloud that is read page by page: an account's tunnels, or those of a VPC or a gateway of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub route: Route,
    pub vpc: Option<VpcId>,
    pub gateway: Option<GatewayId>,
}

impl Part {
    fn key(&self) -> (&str, &str, &str) {
        let vpc = self.vpc.as_ref().map_or("", VpcId::as_str);
        let gateway = self.gateway.as_ref().map_or("", GatewayId::as_str);
        (&self.route.account, vpc, gateway)
    }

    pub(super) fn listed(&self) -> TunnelsOf<'_> {
        TunnelsOf { vpc: self.vpc.as_ref(), gateway: self.gateway.as_ref() }
    }

    /// The place of the part's entry `offset`.
    pub(super) fn place(&self, offset: usize) -> Place {
        let (account, vpc, gateway) = self.key();
        Place {
            account: account.to_owned(),
            vpc: vpc.to_owned(),
            gateway: gateway.to_owned(),
            offset: u32::try_from(offset).unwrap_or(u32::MAX),
        }
    }

    /// True if the tunnel is on this list. The cloud may ignore what the call asked for.
    pub(super) fn covers(&self, tunnel: &Tunnel) -> bool {
        let is_in = |vpc: &VpcId| tunnel.vpc_ids.iter().any(|id| id == vpc.as_str());
        let is_on = |gateway: &GatewayId| tunnel.gateway_ids.iter().any(|id| id == gateway.as_str());
        self.vpc.as_ref().is_none_or(is_in) && self.gateway.as_ref().is_none_or(is_on)
    }
}

/// The parts in their order, each once.
pub(super) fn ordered(mut parts: Vec<Part>) -> Vec<Part> {
    parts.sort_by(|one, other| one.key().cmp(&other.key()));
    parts.dedup();
    parts
}

/// The part at a place, and the entries of it that were seen. If the parts have changed since, an account is read again
/// rather than left out.
pub(super) fn from_place(parts: &[Part], place: &Place) -> (usize, usize) {
    let start = (place.account.as_str(), place.vpc.as_str(), place.gateway.as_str());
    let is_ahead = |part: &Part| {
        let is_whole = part.vpc.is_none() && part.route.account == place.account;
        is_whole || part.key() >= start
    };
    let at = parts.iter().position(is_ahead).unwrap_or(parts.len());
    let is_same = parts.get(at).is_some_and(|part| part.key() == start);
    (at, if is_same { place.offset as usize } else { 0 })
}

/// The ids of the VPC that a difference names: the one that a change locks, unified if the cloud shows such an id, and the one of
/// the last change's path.
pub(super) fn vpcs_of(open: &OpenDrift) -> [&str; 2] {
    [open.lock_id.split('/').next().unwrap_or_default(), open.tunnel.vpc_id.as_str()]
}

/// False if the tunnel of a difference is surely not in the VPC or on the gateway of the filter. A filter may have the other
/// form of an id.
pub(super) fn may_match(open: &OpenDrift, filter: &TunnelFilter) -> bool {
    let may_be = |wanted: &Option<String>, ids: &[&str], prefix: &str| {
        wanted.as_ref().is_none_or(|wanted| {
            let is_other_form = |id: &&str| id.starts_with(prefix) != wanted.starts_with(prefix);
            ids.iter().any(|id| id == wanted || is_other_form(id))
        })
    };
    may_be(&filter.vpc_id, &vpcs_of(open), "vpc-")
        && may_be(&filter.gateway_id, &[open.tunnel.gateway_id.as_str()], "vpngw-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(account: &str, vpc: &str, gateway: &str) -> Part {
        let route = Route { account: account.into(), region: "ap-guangzhou".into(), api: "2.0".into() };
        Part { route, vpc: vpc.parse().ok(), gateway: gateway.parse().ok() }
    }

    fn place(text: &str) -> Place {
        text.parse().ok().expect("a place")
    }

    #[test]
    fn the_list_goes_on_where_it_stopped_or_repeats_an_account_that_is_read_in_another_way() {
        let parts = ordered(vec![
            part("b", "", ""),
            part("c", "vpc-2", ""),
            part("c", "vpc-1", ""),
            part("c", "vpc-1", ""),
            part("d", "", ""),
        ]);
        assert_eq!(parts.len(), 4);
        for (text, expected) in [
            ("b///30", (0, 30)),
            ("a///30", (0, 0)),
            ("bb///30", (1, 0)),
            ("c/vpc-1//7", (1, 7)),
            ("c/vpc-15//7", (2, 0)),
            ("c/vpc-9//7", (3, 0)),
            ("e///7", (4, 0)),
            // Another part of the account was read before.
            ("b/vpc-1//7", (0, 0)),
            ("c///7", (1, 0)),
        ] {
            assert_eq!(from_place(&parts, &place(text)), expected, "{text}");
            assert_eq!(place(text).to_string(), text);
        }
        assert_eq!(from_place(&[], &place("b///30")), (0, 0));
    }

    #[test]
    fn other_texts_are_no_places() {
        for text in ["", "a", "a//", "a///", "a///x", "a///-1", "a///1/", "a///4294967296"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
