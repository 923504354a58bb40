//! The change that a call asks for.

use super::fields::{Bgp, Ike, Ipsec, Policy};
use super::words::Word;

/// The ranges that a call gives.
#[derive(Debug, Clone)]
pub(super) enum Ranges {
    /// The peer's ranges of every policy (API 2.0, `userGwCidrBlock`).
    Peers(Vec<String>),
    /// All policies.
    Policies(Vec<Policy>),
}

/// A change. Absent fields stay as they are.
#[derive(Debug, Clone, Default)]
pub(super) struct Change {
    pub(super) name: Option<String>,
    pub(super) key: Option<String>,
    pub(super) ranges: Option<Ranges>,
    /// A given group replaces the old one whole, with the API's defaults for the fields that the call leaves out. No
    /// document says so; it is the dangerous reading, under which a gateway that sends part of a group weakens a tunnel
    /// visibly.
    pub(super) ike: Option<Ike>,
    pub(super) ipsec: Option<Ipsec>,
    /// Only the cipher of IPsec.
    pub(super) ipsec_cipher: Option<Word>,
    pub(super) ike_version: Option<Word>,
    pub(super) negotiation_type: Option<Word>,
    pub(super) customer_gateway: Option<String>,
    pub(super) dpd: DpdChange,
    pub(super) health: HealthChange,
    pub(super) bgp: Option<Bgp>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct DpdChange {
    pub(super) is_enabled: Option<bool>,
    pub(super) timeout: Option<u32>,
    pub(super) action: Option<Word>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct HealthChange {
    pub(super) is_enabled: Option<bool>,
    pub(super) local: Option<String>,
    pub(super) remote: Option<String>,
    pub(super) interval: Option<u32>,
    pub(super) threshold: Option<u32>,
    pub(super) timeout: Option<u32>,
}
