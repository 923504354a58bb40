//! Reads a tunnel's settings as its peer needs them.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::domain::cidr::Ipv4Cidr;
use crate::domain::dpd::DpdAction;
use crate::domain::fault::Fault;
use crate::domain::ids::TunnelId;
use crate::domain::ike::{ExchangeMode, IkeAuthentication, IkeEncryption, IkeVersion};
use crate::domain::ipsec::{IpsecEncryption, IpsecIntegrity, PfsDhGroup};
use crate::domain::negotiation::NegotiationType;
use crate::domain::tunnel::Tunnel;

use super::faults::Faults;
use super::peer::{Address, Dpd, Identity, Peer, Selector, Side, Starts, number, pfs_number};

const FILL_IN: &str = "Replace each <PLACEHOLDER>. The pre-shared key must be the one of the cloud's side.";
const LET_THROUGH: &str =
    "Let UDP 500, UDP 4500 and ESP through, and exempt the ranges below from address translation.";
const ONLY_NEW: &str = "A tunnel that is up keeps its old settings and its old key until it is negotiated again: end it once, then check traffic.";
const NO_ADDRESSES: &str =
    "The cloud shows no public addresses: those below come from the identities. Check them.";
const NO_PAIRS: &str =
    "The cloud shows no pairs of ranges: each range of the peer is paired with each of the VPC.";
const NO_DPD: &str = "The cloud does not show dead peer detection: it is off below.";
const BGP: &str =
    "The tunnel has a BGP session: set its addresses and the session by hand, see `bgp` of the tunnel.";
const HEALTH_CHECK: &str = "The cloud probes the tunnel: give the peer the address health_check.remote_ip of the tunnel, and let the probes in.";
const WEAK: &str = "DES, 3DES, MD5 and the groups 1, 2, 5 and 24 are weak: recent releases may refuse them or need an option.";
const NO_ENCRYPTION: &str = "This tunnel does not encrypt its traffic.";

/// The peer's side of a tunnel.
pub(super) fn peer(tunnel: &Tunnel, id: &TunnelId) -> Result<Peer, Vec<Fault>> {
    let mut faults = Faults::default();
    let (ike, ipsec) = (&tunnel.ike, &tunnel.ipsec);
    let remote = Given {
        kind: &ike.local_identity,
        address: &ike.local_address,
        fqdn: &ike.local_fqdn,
        public: &tunnel.gateway_address,
        placeholder: "<GATEWAY_ADDRESS>",
        pointer: "/ike/local_identity",
    };
    let local = Given {
        kind: &ike.remote_identity,
        address: &ike.remote_address,
        fqdn: &ike.remote_fqdn,
        public: &tunnel.peer_address,
        placeholder: "<PEER_ADDRESS>",
        pointer: "/ike/remote_identity",
    };
    let (remote, local) = (remote.side(&mut faults), local.side(&mut faults));
    // API 2.0 has IKEv1 only, and does not show it.
    let version = match &ike.version {
        None => Some(IkeVersion::Ikev1),
        version => faults.value(version, "/ike/version"),
    };
    let mode = match version {
        Some(IkeVersion::Ikev2) => Some(ExchangeMode::Main),
        _ => faults.value(&ike.exchange_mode, "/ike/exchange_mode"),
    };
    let ike_encryption = faults.value(&ike.encryption_algorithm, "/ike/encryption_algorithm");
    let ike_authentication = faults.value(&ike.authentication_algorithm, "/ike/authentication_algorithm");
    let ike_group = faults.value(&ike.dh_group, "/ike/dh_group");
    let ike_seconds = faults.number(&ike.sa_lifetime_seconds, "/ike/sa_lifetime_seconds");
    let encryption = faults.value(&ipsec.encryption_algorithm, "/ipsec/encryption_algorithm");
    let integrity = faults.value(&ipsec.integrity_algorithm, "/ipsec/integrity_algorithm");
    let pfs: Option<PfsDhGroup> = faults.value(&ipsec.pfs_dh_group, "/ipsec/pfs_dh_group");
    let seconds = faults.number(&ipsec.sa_lifetime_seconds, "/ipsec/sa_lifetime_seconds");
    let kilobytes = faults.number(&ipsec.sa_lifetime_kilobytes, "/ipsec/sa_lifetime_kilobytes");
    let selectors = selectors(tunnel, &mut faults);
    let (dpd, starts) = (dpd(tunnel, &mut faults), starts(tunnel, &mut faults));
    let peer = || {
        Some(Peer {
            id: id.as_str().to_owned(),
            local: local?,
            remote: remote?,
            is_version_2: version? == IkeVersion::Ikev2,
            is_aggressive: mode? == ExchangeMode::Aggressive,
            ike_encryption: ike_encryption?,
            ike_authentication: ike_authentication?,
            ike_group: ike_group?,
            ike_seconds: ike_seconds?,
            encryption: encryption?,
            integrity: integrity?,
            pfs: Some(pfs?).filter(|group| *group != PfsDhGroup::None),
            seconds: seconds?,
            kilobytes: kilobytes?,
            selectors,
            dpd,
            starts,
            notes: Vec::new(),
        })
    };
    let Some(mut peer) = peer() else { return faults.or(()).and(Err(Vec::new())) };
    if peer.is_ike_gcm() && !peer.is_version_2 {
        faults.not_supported("/ike/encryption_algorithm", "IKEv1 does not have AES-GCM");
    }
    peer.notes = notes(tunnel, &peer);
    faults.or(peer)
}

fn notes(tunnel: &Tunnel, peer: &Peer) -> Vec<&'static str> {
    let mut notes = vec![FILL_IN, LET_THROUGH, ONLY_NEW];
    let mut note = |applies: bool, note| notes.extend(applies.then_some(note));
    note(tunnel.gateway_address.is_none() || tunnel.peer_address.is_none(), NO_ADDRESSES);
    note(tunnel.security_policies.is_none(), NO_PAIRS);
    note(tunnel.dpd.enabled.is_none(), NO_DPD);
    note(tunnel.bgp != Default::default(), BGP);
    note(tunnel.health_check.enabled == Some(true), HEALTH_CHECK);
    note(peer.encryption == IpsecEncryption::None, NO_ENCRYPTION);
    note(is_weak(peer), WEAK);
    notes
}

fn is_weak(peer: &Peer) -> bool {
    let is_weak_group = |number| ["1", "2", "5", "24"].contains(&number);
    matches!(peer.ike_encryption, IkeEncryption::DesCbc | IkeEncryption::TripleDesCbc)
        || matches!(peer.encryption, IpsecEncryption::DesCbc | IpsecEncryption::TripleDesCbc)
        || peer.ike_authentication == IkeAuthentication::Md5
        || (peer.integrity == IpsecIntegrity::Md5 && !peer.is_gcm())
        || is_weak_group(number(peer.ike_group))
        || peer.pfs.is_some_and(|pfs| is_weak_group(pfs_number(pfs)))
}

fn ranges(ranges: &[String], pointer: &str, faults: &mut Faults) -> Vec<Ipv4Net> {
    if ranges.is_empty() {
        faults.not_shown::<()>(pointer);
    }
    let read = ranges.iter().filter_map(|range| match range.parse::<Ipv4Cidr>() {
        Ok(range) => Some(range.network()),
        Err(_) => faults.unknown(pointer),
    });
    read.collect()
}

fn selectors(tunnel: &Tunnel, faults: &mut Faults) -> Vec<Selector> {
    let Some(policies) = &tunnel.security_policies else {
        let local = ranges(tunnel.peer_cidrs.as_deref().unwrap_or_default(), "/peer_cidrs", faults);
        let remote = ranges(tunnel.local_cidrs.as_deref().unwrap_or_default(), "/local_cidrs", faults);
        return vec![Selector { local, remote }];
    };
    let pointer = "/security_policies";
    if policies.is_empty() {
        faults.not_shown::<()>(pointer);
    }
    let selectors = policies.iter().map(|policy| Selector {
        local: ranges(&policy.peer_cidrs, pointer, faults),
        remote: ranges(std::slice::from_ref(&policy.local_cidr), pointer, faults),
    });
    selectors.collect()
}

fn starts(tunnel: &Tunnel, faults: &mut Faults) -> Starts {
    let shown = tunnel.negotiation_type.is_some();
    let read = shown.then(|| faults.value(&tunnel.negotiation_type, "/negotiation_type"));
    match read.flatten() {
        Some(NegotiationType::Active) => Starts::Gateway,
        Some(NegotiationType::Passive) => Starts::Peer,
        Some(NegotiationType::FlowTrigger) | None => Starts::Either,
    }
}

fn dpd(tunnel: &Tunnel, faults: &mut Faults) -> Option<Dpd> {
    let dpd = &tunnel.dpd;
    if dpd.enabled != Some(true) {
        return None;
    }
    let timeout = faults.number(&dpd.timeout_seconds, "/dpd/timeout_seconds");
    let action = faults.value::<DpdAction>(&dpd.action, "/dpd/action");
    Some(Dpd { timeout_seconds: timeout?, is_restart: action? == DpdAction::Restart })
}

/// What the cloud shows of a side.
struct Given<'a> {
    kind: &'a Option<String>,
    address: &'a Option<String>,
    fqdn: &'a Option<String>,
    /// The public address, which API 3.0 does not show.
    public: &'a Option<String>,
    placeholder: &'static str,
    pointer: &'static str,
}

impl Given<'_> {
    fn side(&self, faults: &mut Faults) -> Option<Side> {
        let mut address = |text: &Option<String>| match text.as_deref().map(str::parse::<Ipv4Addr>) {
            Some(Ok(address)) => Some(Address::Known(address)),
            Some(Err(_)) => faults.unknown(self.pointer),
            None => None,
        };
        let (public, own) = (address(self.public), address(self.address));
        let public = public.or(own).unwrap_or(Address::Unknown(self.placeholder));
        let identity = match self.kind.as_deref() {
            Some("address") => Identity::Address(own.unwrap_or(public)),
            Some("fqdn") => match self.fqdn {
                Some(fqdn) if is_plain_fqdn(fqdn) => Identity::Fqdn(fqdn.clone()),
                Some(_) => {
                    let detail = "the name has characters with a meaning of their own in configurations";
                    faults.not_supported(self.pointer, detail);
                    return None;
                }
                None => return faults.not_shown(self.pointer),
            },
            Some(_) => return faults.unknown(self.pointer),
            None => return faults.not_shown(self.pointer),
        };
        Some(Side { address: public, identity })
    }
}

/// True if no format reads the name as anything else.
fn is_plain_fqdn(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.bytes().all(is_plain)
}
