//! What a sweep reads, in which order, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::ids::{GatewayId, VpcId};
use crate::domain::timestamp::Timestamp;

/// The shortest time between two calls, for each [`TUNNELS`] watched tunnels.
const SHORTEST_GAP: Duration = Duration::from_secs(1);
/// So many watched tunnels cost at most one call in [`SHORTEST_GAP`]. If more calls would be needed, the sweep takes longer
/// than its interval.
const TUNNELS: u64 = 10_000;

/// A list of tunnels that is read page by page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub account: String,
    /// A VPC that the account answers for.
    pub vpc: VpcId,
    /// `None`: all tunnels of the account.
    pub gateway: Option<GatewayId>,
    /// Pages, as far as is known.
    pub pages: usize,
    /// What to read instead if that takes fewer calls.
    pub instead: Vec<Part>,
}

/// A gateway with watched tunnels.
#[derive(Debug, Clone)]
pub(super) struct Gateway {
    pub account: String,
    pub page_size: usize,
    pub vpc: VpcId,
    pub gateway: GatewayId,
    pub tunnels: usize,
}

/// The place of a sweep, as the ledger stores it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Place {
    account: String,
    /// VPC and gateway.
    gateway: Option<(String, String)>,
    /// Entries of the list that were read.
    #[serde(default)]
    pub offset: usize,
}

impl Place {
    pub(super) fn of(part: &Part, offset: usize) -> Self {
        let gateway = part.gateway.as_ref();
        Self {
            account: part.account.clone(),
            gateway: gateway.map(|gateway| (part.vpc.to_string(), gateway.to_string())),
            offset,
        }
    }

    /// The list of this place with the entries before it, among `parts` if it is there; `None` if its account has no parts.
    pub(super) fn part(&self, parts: &[Part]) -> Option<(Part, usize)> {
        let of_account = |part: &&Part| part.account == self.account;
        let gateway = match &self.gateway {
            Some((vpc, gateway)) => Some((vpc.parse::<VpcId>().ok()?, gateway.parse::<GatewayId>().ok()?)),
            None => None,
        };
        let first = parts.iter().find(of_account)?;
        let is_same = |part: &&Part| Place::of(part, self.offset) == *self;
        if let Some(part) = parts.iter().find(is_same) {
            return Some((part.clone(), self.offset));
        }
        let account = self.account.clone();
        let (vpc, gateway) = gateway.map_or((first.vpc.clone(), None), |(vpc, id)| (vpc, Some(id)));
        Some((Part { account, vpc, gateway, pages: 1, instead: Vec::new() }, self.offset))
    }
}

/// The parts of a sweep. An account is read gateway by gateway, or as a whole if that may take fewer calls and its credentials
/// are not known to be refused such a list.
pub(super) fn parts(gateways: Vec<Gateway>, refused: &BTreeSet<String>) -> Vec<Part> {
    let mut accounts: BTreeMap<String, Vec<Gateway>> = BTreeMap::new();
    for gateway in gateways {
        accounts.entry(gateway.account.clone()).or_default().push(gateway);
    }
    let of_account = |(account, gateways)| of_account(gateways, !refused.contains(&account));
    accounts.into_iter().flat_map(of_account).collect()
}

fn of_account(gateways: Vec<Gateway>, may_be_whole: bool) -> Vec<Part> {
    let pages = |tunnels: usize, page_size: usize| tunnels.div_ceil(page_size.max(1)).max(1);
    let tunnels = gateways.iter().map(|gateway| gateway.tunnels).sum();
    let fewest = gateways.first().map_or(0, |first| pages(tunnels, first.page_size));
    let mut parts: Vec<Part> = gateways
        .into_iter()
        .map(|gateway| Part {
            pages: pages(gateway.tunnels, gateway.page_size),
            account: gateway.account,
            vpc: gateway.vpc,
            gateway: Some(gateway.gateway),
            instead: Vec::new(),
        })
        .collect();
    parts.sort_by_key(|part| Place::of(part, 0));
    match parts.first() {
        Some(first) if may_be_whole && fewest < calls(&parts) => {
            let (account, vpc) = (first.account.clone(), first.vpc.clone());
            vec![Part { account, vpc, gateway: None, pages: fewest, instead: parts }]
        }
        _ => parts,
    }
}

/// Calls that the parts take, as far as is known.
pub(super) fn calls(parts: &[Part]) -> usize {
    parts.iter().map(|part| part.pages).sum()
}

/// The parts from a place on, and the entries of the first part that were read.
pub(super) fn from_place(parts: Vec<Part>, place: &Place) -> (Vec<Part>, usize) {
    let is_ahead = |part: &Part| {
        let start = Place::of(part, 0);
        (&start.account, &start.gateway) >= (&place.account, &place.gateway)
    };
    let mut left = Vec::new();
    for part in parts {
        if part.account == place.account && part.gateway.is_none() && place.gateway.is_some() {
            // The sweep had found that it reads the account gateway by gateway.
            left.extend(part.instead.into_iter().filter(is_ahead));
        } else if is_ahead(&part) {
            left.push(part);
        }
    }
    let is_same = |part: &Part| Place::of(part, place.offset) == *place;
    let offset = left.first().filter(|part| is_same(part)).map_or(0, |_| place.offset);
    (left, offset)
}

/// When the next call is due, if `done` calls were made since `began_at` and `left` are left: the calls are spread over the
/// interval.
pub(super) fn next_at(
    began_at: Timestamp,
    now: Timestamp,
    interval: Duration,
    (done, left): (usize, usize),
    tunnels: u64,
) -> Timestamp {
    let share = done as f64 / (done + left).max(1) as f64;
    let spread = began_at.plus(interval.mul_f64(share));
    let times = u32::try_from(tunnels.div_ceil(TUNNELS).max(1)).unwrap_or(u32::MAX);
    spread.max(now.plus(interval.min(SHORTEST_GAP) / times))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateway(account: &str, vpc: &str, gateway: &str, tunnels: usize) -> Gateway {
        Gateway {
            account: account.into(),
            page_size: 50,
            vpc: vpc.parse().expect("an id"),
            gateway: gateway.parse().expect("an id"),
            tunnels,
        }
    }

    fn parts(gateways: Vec<Gateway>) -> Vec<Part> {
        super::parts(gateways, &BTreeSet::new())
    }

    fn names(parts: &[Part]) -> Vec<(String, Option<String>, usize)> {
        let name =
            |part: &Part| (part.account.clone(), part.gateway.as_ref().map(ToString::to_string), part.pages);
        parts.iter().map(name).collect()
    }

    #[test]
    fn full_gateways_are_read_one_by_one_and_sparse_ones_as_an_account() {
        let full = parts(vec![gateway("a", "vpc-2", "vpngw-2", 50), gateway("a", "vpc-1", "vpngw-1", 101)]);
        let expected = [("vpngw-1", 3), ("vpngw-2", 1)];
        let expected = expected.map(|(gateway, pages)| ("a".to_owned(), Some(gateway.to_owned()), pages));
        // 151 tunnels are four pages in either way.
        assert_eq!(names(&full), expected);

        let sparse: Vec<Gateway> =
            (0..200).map(|number| gateway("a", "vpc-1", &format!("vpngw-{number:03}"), 10)).collect();
        let whole = parts(sparse.clone());
        assert_eq!(names(&whole), [("a".to_owned(), None, 40)]);
        assert_eq!(calls(&whole[0].instead), 200, "if the account has very many other tunnels");
        let refused = super::parts(sparse.clone(), &["a".to_owned()].into());
        assert_eq!(refused, whole[0].instead, "if its credentials may not list all tunnels");
        assert_eq!(super::parts(sparse, &["b".to_owned()].into()), whole, "of another account");
    }

    #[test]
    fn ten_thousand_tunnels_take_at_most_one_call_a_second() {
        let began_at = Timestamp::from_micros(0);
        let interval = Duration::from_secs(600);
        for calls in [1, 200, 600, 5000] {
            let mut now = began_at;
            for done in 1..calls {
                let next = next_at(began_at, now, interval, (done, calls - done), 10_000);
                assert!(next.since(now) >= Duration::from_secs(1), "{calls}");
                now = next;
            }
            let least = Duration::from_secs(calls as u64 - 1);
            let spread = interval.mul_f64((calls - 1) as f64 / calls as f64);
            let took = now.since(began_at);
            assert!(took.abs_diff(least.max(spread)) < Duration::from_millis(1), "{calls}: {took:?}");
        }
        let next = next_at(began_at, began_at, interval, (1, 100_000), 20_001);
        assert_eq!(next.since(began_at).as_millis(), 333, "three times as many may cost so");
    }

    #[test]
    fn a_sweep_goes_on_where_another_process_stopped() {
        let gateways = || {
            vec![
                gateway("a", "vpc-1", "vpngw-1", 120),
                gateway("b", "vpc-2", "vpngw-2", 60),
                gateway("b", "vpc-2", "vpngw-3", 60),
            ]
        };
        let all = parts(gateways());
        let stored = serde_json::to_string(&Place::of(&all[0], 50)).expect("JSON");
        let place = serde_json::from_str(&stored).expect("a place");
        let (left, offset) = from_place(parts(gateways()), &place);
        assert_eq!((names(&left), offset), (names(&all), 50));

        assert_eq!(names(&all)[1], ("b".to_owned(), None, 3), "120 tunnels in two gateways");
        let place = Place::of(&all[1].instead[1], 0);
        let (left, offset) = from_place(parts(gateways()), &place);
        assert_eq!(names(&left), [("b".to_owned(), Some("vpngw-3".to_owned()), 2)]);
        assert_eq!(offset, 0);

        let gone = Place { account: "c".into(), gateway: None, offset: 50 };
        assert_eq!(from_place(parts(gateways()), &gone), (Vec::new(), 0));
    }
}
