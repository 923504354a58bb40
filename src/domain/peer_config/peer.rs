//! A tunnel seen from its peer: the cloud's remote side is the peer's own.

use std::fmt;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::domain::ike::{DhGroup, IkeAuthentication, IkeEncryption};
use crate::domain::ipsec::{IpsecEncryption, IpsecIntegrity, PfsDhGroup};

/// Stands for the pre-shared key.
pub(super) const KEY: &str = "<PRE_SHARED_KEY>";

/// An address, or its placeholder where the cloud does not show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Address {
    Known(Ipv4Addr),
    Unknown(&'static str),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(address) => address.fmt(f),
            Self::Unknown(placeholder) => f.write_str(placeholder),
        }
    }
}

/// The identity of a side in the negotiation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Identity {
    Address(Address),
    /// Letters, digits, `.`, `-` and `_` only.
    Fqdn(String),
}

/// One end.
#[derive(Debug, Clone)]
pub(super) struct Side {
    pub address: Address,
    pub identity: Identity,
}

/// Ranges that the tunnel connects: the peer's, and the VPC's. Neither is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selector {
    pub local: Vec<Ipv4Net>,
    pub remote: Vec<Ipv4Net>,
}

/// Which end starts the negotiation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Starts {
    Peer,
    Gateway,
    /// The end that has traffic first.
    Either,
}

/// Dead peer detection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dpd {
    pub timeout_seconds: u64,
    pub is_restart: bool,
}

impl Dpd {
    /// Seconds between two probes, so that three fit into the timeout.
    pub fn interval(self) -> u64 {
        (self.timeout_seconds / 3).max(1)
    }
}

/// The settings of the peer. Every text in them has passed a check of its characters.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    /// The tunnel's id: letters, digits, `-` and `_`. It names the configuration.
    pub id: String,
    pub local: Side,
    pub remote: Side,
    pub is_version_2: bool,
    /// IKEv1 only.
    pub is_aggressive: bool,
    pub ike_encryption: IkeEncryption,
    pub ike_authentication: IkeAuthentication,
    pub ike_group: DhGroup,
    pub ike_seconds: u64,
    pub encryption: IpsecEncryption,
    pub integrity: IpsecIntegrity,
    pub pfs: Option<PfsDhGroup>,
    pub seconds: u64,
    pub kilobytes: u64,
    pub selectors: Vec<Selector>,
    pub dpd: Option<Dpd>,
    pub starts: Starts,
    /// Comments for the reader, one line each.
    pub notes: Vec<&'static str>,
}

impl Peer {
    /// True if IKE's encryption authenticates by itself.
    pub const fn is_ike_gcm(&self) -> bool {
        use IkeEncryption::{AesGcm128, AesGcm192, AesGcm256};
        matches!(self.ike_encryption, AesGcm128 | AesGcm192 | AesGcm256)
    }

    /// True if IPsec's encryption authenticates by itself.
    pub const fn is_gcm(&self) -> bool {
        use IpsecEncryption::{AesGcm128, AesGcm192, AesGcm256};
        matches!(self.encryption, AesGcm128 | AesGcm192 | AesGcm256)
    }

    /// Each pair of ranges, numbered from 1.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, Ipv4Net, Ipv4Net)> {
        let pairs = self.selectors.iter().flat_map(|selector| {
            selector.local.iter().flat_map(|local| selector.remote.iter().map(|remote| (*local, *remote)))
        });
        pairs.enumerate().map(|(number, (local, remote))| (number + 1, local, remote))
    }
}

/// The number of IKE's Diffie-Hellman group.
pub(super) fn number(group: DhGroup) -> &'static str {
    group.as_str().trim_start_matches("group")
}

/// The number of the group of perfect forward secrecy.
pub(super) fn pfs_number(group: PfsDhGroup) -> &'static str {
    group.as_str().trim_start_matches("dh-group")
}
