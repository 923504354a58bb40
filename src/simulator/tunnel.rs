//! A tunnel with its state.

use super::behaviour::{Behaviour, Connectivity, Standing};
use super::change::{Change, DpdChange, HealthChange, Ranges};
use super::fields::{Bgp, Dpd, HealthCheck, Ike, Ipsec, Policy, VPC_RANGE};
use super::words::{ACTIVE, IKE_V1, Word};

/// The pre-shared key that every tunnel begins with.
pub const FIRST_KEY: &str = "set-when-it-was-made";

/// A tunnel. The ids of its VPC, its gateway and itself have a unified form and an old one, which only API 2.0 shows.
#[derive(Debug, Clone)]
pub(super) struct Tunnel {
    pub(super) vpc: (&'static str, &'static str),
    pub(super) gateway: (String, i64),
    pub(super) id: (String, i64),
    pub(super) name: String,
    pub(super) key: String,
    pub(super) policies: Vec<Policy>,
    pub(super) ike: Ike,
    pub(super) ike_version: Word,
    pub(super) ipsec: Ipsec,
    pub(super) negotiation_type: Word,
    pub(super) customer_gateway: String,
    pub(super) dpd: Dpd,
    pub(super) health: HealthCheck,
    pub(super) bgp: Option<Bgp>,
    pub(super) task: Option<String>,
    /// True if the last change failed.
    pub(super) has_failed: bool,
    /// The number of changes received, for behaviours that differ between the first and the next.
    pub(super) attempts: u32,
    /// The number of pages of lists with this tunnel that come without their list.
    pub(super) unlisted_pages: u32,
    /// The number of pages of lists with this tunnel that get no answer.
    pub(super) silent_pages: u32,
}

impl Tunnel {
    pub(super) fn new(
        vpc: (&'static str, &'static str),
        gateway: (&str, i64),
        id: &str,
        number: i64,
    ) -> Self {
        let name = id.strip_prefix("vpnx-").unwrap_or(id).to_owned();
        let policy = Policy { local: VPC_RANGE.into(), peers: vec!["172.16.0.0/16".into()] };
        let mut tunnel = Self {
            vpc,
            gateway: (gateway.0.to_owned(), gateway.1),
            id: (id.to_owned(), number),
            name,
            key: FIRST_KEY.into(),
            policies: vec![policy],
            ike: Ike::strong(),
            ike_version: IKE_V1,
            ipsec: Ipsec::strong(),
            negotiation_type: ACTIVE,
            customer_gateway: "cgw-simulated".into(),
            dpd: Dpd::default(),
            health: HealthCheck::default(),
            bgp: None,
            task: None,
            has_failed: id == "vpnx-modification-failed",
            attempts: 0,
            unlisted_pages: 0,
            silent_pages: 0,
        };
        if tunnel.behaviour() == Some(Behaviour::NoPolicies) {
            tunnel.policies.clear();
        }
        tunnel
    }

    pub(super) fn standing(&self) -> Standing {
        let lasting = self.behaviour().and_then(Behaviour::standing);
        lasting.unwrap_or(match (&self.task, self.has_failed) {
            (Some(_), _) => Standing::Changing,
            (None, true) => Standing::ChangeFailed,
            (None, false) => Standing::Running,
        })
    }

    pub(super) fn connectivity(&self) -> Connectivity {
        self.behaviour().map_or(Connectivity::Connected, Behaviour::connectivity)
    }

    /// A time on one day that grows with the tunnel's number, and starts again at midnight.
    pub(super) fn created_at(&self) -> String {
        let seconds = self.id.1.rem_euclid(86_400);
        format!("2018-01-31 {:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }

    /// How the tunnel misbehaves; `None` if it is an ordinary one.
    pub(super) fn behaviour(&self) -> Option<Behaviour> {
        Behaviour::from_word(self.id.0.strip_prefix("vpnx-")?)
    }

    /// True if `id` is either form of the tunnel's id.
    pub(super) fn is(&self, id: &str) -> bool {
        self.id.0 == id || self.id.1.to_string() == id
    }

    pub(super) fn is_in(&self, vpc: &str) -> bool {
        self.vpc.0 == vpc || self.vpc.1 == vpc
    }

    pub(super) fn is_on(&self, gateway: &str) -> bool {
        self.gateway.0 == gateway || gateway.parse() == Ok(self.gateway.1)
    }

    /// Sets the values that `change` asks for.
    pub(super) fn apply(&mut self, change: &Change) {
        set(&mut self.name, &change.name);
        set(&mut self.key, &change.key);
        if self.behaviour() != Some(Behaviour::Diverged) {
            self.apply_ranges(change.ranges.as_ref());
        }
        set(&mut self.ike, &change.ike);
        set(&mut self.ike_version, &change.ike_version);
        set(&mut self.ipsec, &change.ipsec);
        set(&mut self.ipsec.cipher, &change.ipsec_cipher);
        set(&mut self.negotiation_type, &change.negotiation_type);
        set(&mut self.customer_gateway, &change.customer_gateway);
        let DpdChange { is_enabled, timeout, action } = &change.dpd;
        set(&mut self.dpd.is_enabled, is_enabled);
        set(&mut self.dpd.timeout, timeout);
        set(&mut self.dpd.action, action);
        self.apply_health(&change.health);
        if change.bgp.is_some() {
            self.bgp.clone_from(&change.bgp);
        }
    }

    fn apply_ranges(&mut self, ranges: Option<&Ranges>) {
        match ranges {
            None => {}
            Some(Ranges::Policies(policies)) => self.policies.clone_from(policies),
            Some(Ranges::Peers(peers)) => {
                if self.policies.is_empty() {
                    self.policies.push(Policy { local: VPC_RANGE.into(), peers: Vec::new() });
                }
                for policy in &mut self.policies {
                    policy.peers.clone_from(peers);
                }
            }
        }
    }

    fn apply_health(&mut self, change: &HealthChange) {
        let health = &mut self.health;
        set(&mut health.is_enabled, &change.is_enabled);
        set(&mut health.local, &change.local);
        set(&mut health.remote, &change.remote);
        if health.is_enabled {
            // The cloud draws the addresses that it was not given from 169.254.128.0/17.
            let number = self.id.1.rem_euclid(32) * 4;
            let draw = |address: &mut String, last: i64| {
                if address.is_empty() {
                    *address = format!("169.254.128.{}", number + last);
                }
            };
            draw(&mut health.local, 1);
            draw(&mut health.remote, 2);
        }
        let is_given = [change.interval, change.threshold, change.timeout].iter().any(Option::is_some);
        if health.is_enabled || is_given {
            let probe = health.probe.get_or_insert_default();
            set(&mut probe.interval, &change.interval);
            set(&mut probe.threshold, &change.threshold);
            set(&mut probe.timeout, &change.timeout);
        }
    }
}

fn set<T: Clone>(field: &mut T, given: &Option<T>) {
    if let Some(value) = given {
        field.clone_from(value);
    }
}
