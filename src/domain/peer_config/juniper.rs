//! `set` commands of Junos on SRX: a route-based tunnel with traffic selectors.

use std::ops::RangeInclusive;

use crate::domain::fault::Fault;
use crate::domain::ike::{IkeAuthentication, IkeEncryption};
use crate::domain::ipsec::{IpsecEncryption, IpsecIntegrity};

use super::faults::Faults;
use super::peer::{Dpd, Identity, KEY, Peer, Side, Starts, pfs_number};
use super::text::Text;

const FORMAT: &str = "Junos";

fn ike_cipher(cipher: IkeEncryption) -> Option<&'static str> {
    Some(match cipher {
        IkeEncryption::DesCbc => "des-cbc",
        IkeEncryption::TripleDesCbc => "3des-cbc",
        IkeEncryption::AesCbc128 => "aes-128-cbc",
        IkeEncryption::AesCbc192 => "aes-192-cbc",
        IkeEncryption::AesCbc256 => "aes-256-cbc",
        IkeEncryption::AesGcm128 => "aes-128-gcm",
        IkeEncryption::AesGcm256 => "aes-256-gcm",
        IkeEncryption::AesGcm192 | IkeEncryption::Sm4 => return None,
    })
}

fn cipher(cipher: IpsecEncryption) -> Option<&'static str> {
    Some(match cipher {
        IpsecEncryption::DesCbc => "des-cbc",
        IpsecEncryption::TripleDesCbc => "3des-cbc",
        IpsecEncryption::AesCbc128 => "aes-128-cbc",
        IpsecEncryption::AesCbc192 => "aes-192-cbc",
        IpsecEncryption::AesCbc256 => "aes-256-cbc",
        IpsecEncryption::AesGcm128 => "aes-128-gcm",
        IpsecEncryption::AesGcm192 => "aes-192-gcm",
        IpsecEncryption::AesGcm256 => "aes-256-gcm",
        IpsecEncryption::None | IpsecEncryption::Sm4 => return None,
    })
}

fn ike_hash(hash: IkeAuthentication) -> &'static str {
    match hash {
        IkeAuthentication::Md5 => "md5",
        IkeAuthentication::Sha => "sha1",
        IkeAuthentication::Sha256 => "sha-256",
        IkeAuthentication::Sha512 => "sha-512",
    }
}

fn hash(hash: IpsecIntegrity) -> Option<&'static str> {
    Some(match hash {
        IpsecIntegrity::Md5 => "hmac-md5-96",
        IpsecIntegrity::Sha => "hmac-sha1-96",
        IpsecIntegrity::Sha256 => "hmac-sha-256-128",
        IpsecIntegrity::Sha384 => "hmac-sha-384",
        IpsecIntegrity::Sha512 => "hmac-sha-512",
        IpsecIntegrity::Sm3 => return None,
    })
}

fn identity(side: &Side) -> String {
    match &side.identity {
        Identity::Address(address) => format!("inet {address}"),
        Identity::Fqdn(fqdn) => format!("hostname {fqdn}"),
    }
}

/// The shortest and longest lifetime, in seconds.
const LIFETIME: RangeInclusive<u64> = 180..=86_400;
/// The smallest and largest lifetime, in kilobytes.
const KILOBYTES: RangeInclusive<u64> = 64..=4_294_967_294;

pub(super) fn text(peer: &Peer) -> Result<String, Vec<Fault>> {
    let mut faults = Faults::default();
    let name = format!("TG-{}", peer.id);
    let mut text = Text::of(peer, "#");
    text.comment("In configuration mode: load set terminal");
    text.comment("<TUNNEL_INTERFACE> is a free unit such as st0.1, with family inet and in a security zone; policies let the ranges pass.");
    text.comment("A quotation mark or backslash in the key: write a backslash before it.");
    ike(peer, &name, &mut text, &mut faults);
    ipsec(peer, &name, &mut text, &mut faults);
    faults.or(text.finish())
}

/// With AES-GCM Junos has no word for the pseudo-random function, because the cipher defines it. The cloud has the one of its
/// hash.
fn prf_of_cipher(peer: &Peer, faults: &mut Faults) {
    match (peer.ike_encryption, peer.ike_authentication) {
        (IkeEncryption::AesGcm256, _) => {
            let detail = "with aes-256-gcm Junos has SHA-384 as its pseudo-random function, which the cloud does not have";
            faults.not_supported("/ike/encryption_algorithm", detail);
        }
        (IkeEncryption::AesGcm128, IkeAuthentication::Sha256) => {}
        (IkeEncryption::AesGcm128, other) => {
            let other = other.as_str();
            let detail =
                format!("with aes-128-gcm Junos has sha-256 as its pseudo-random function, and not {other}");
            faults.not_supported("/ike/authentication_algorithm", detail);
        }
        _ => {}
    }
}

fn ike(peer: &Peer, name: &str, text: &mut Text, faults: &mut Faults) {
    let (word, at) = (peer.ike_encryption.as_str(), "/ike/encryption_algorithm");
    let cipher = faults.word(ike_cipher(peer.ike_encryption), at, word, FORMAT);
    let seconds = text.within("ike.sa_lifetime_seconds", peer.ike_seconds, LIFETIME);
    let proposal = format!("set security ike proposal {name}");
    text.line(format!("{proposal} authentication-method pre-shared-keys"));
    text.line(format!("{proposal} dh-group {}", peer.ike_group.as_str()));
    prf_of_cipher(peer, faults);
    if peer.is_ike_gcm() {
        text.comment(
            "ike.authentication_algorithm: the cloud has sha-256, which aes-128-gcm implies on Junos.",
        );
    } else {
        text.line(format!("{proposal} authentication-algorithm {}", ike_hash(peer.ike_authentication)));
    }
    text.line(format!("{proposal} encryption-algorithm {cipher}"));
    text.line(format!("{proposal} lifetime-seconds {seconds}"));
    let policy = format!("set security ike policy {name}");
    if !peer.is_version_2 {
        text.line(format!("{policy} mode {}", if peer.is_aggressive { "aggressive" } else { "main" }));
    }
    text.line(format!("{policy} proposals {name}"));
    text.line(format!("{policy} pre-shared-key ascii-text \"{KEY}\""));
    let gateway = format!("set security ike gateway {name}");
    text.line(format!("{gateway} ike-policy {name}"));
    text.line(format!("{gateway} address {}", peer.remote.address));
    text.comment(&format!("<EXTERNAL_INTERFACE> has the address {}.", peer.local.address));
    text.line(format!("{gateway} external-interface <EXTERNAL_INTERFACE>"));
    text.line(format!("{gateway} local-identity {}", identity(&peer.local)));
    text.line(format!("{gateway} remote-identity {}", identity(&peer.remote)));
    text.line(format!("{gateway} version {}", if peer.is_version_2 { "v2-only" } else { "v1-only" }));
    if let Some(dpd) = peer.dpd {
        let (interval, threshold) = probes(dpd, text);
        text.line(format!("{gateway} dead-peer-detection always-send"));
        text.line(format!("{gateway} dead-peer-detection interval {interval}"));
        text.line(format!("{gateway} dead-peer-detection threshold {threshold}"));
    }
}

fn ipsec(peer: &Peer, name: &str, text: &mut Text, faults: &mut Faults) {
    let (word, at) = (peer.encryption.as_str(), "/ipsec/encryption_algorithm");
    let cipher = faults.word(cipher(peer.encryption), at, word, FORMAT);
    let seconds = text.within("ipsec.sa_lifetime_seconds", peer.seconds, LIFETIME);
    let kilobytes = text.within("ipsec.sa_lifetime_kilobytes", peer.kilobytes, KILOBYTES);
    let proposal = format!("set security ipsec proposal {name}");
    text.line(format!("{proposal} protocol esp"));
    if !peer.is_gcm() {
        let (word, at) = (peer.integrity.as_str(), "/ipsec/integrity_algorithm");
        let hash = faults.word(hash(peer.integrity), at, word, FORMAT);
        text.line(format!("{proposal} authentication-algorithm {hash}"));
    }
    text.line(format!("{proposal} encryption-algorithm {cipher}"));
    text.line(format!("{proposal} lifetime-seconds {seconds}"));
    text.line(format!("{proposal} lifetime-kilobytes {kilobytes}"));
    let policy = format!("set security ipsec policy {name}");
    if let Some(pfs) = peer.pfs {
        text.line(format!("{policy} perfect-forward-secrecy keys group{}", pfs_number(pfs)));
    }
    text.line(format!("{policy} proposals {name}"));
    let vpn = format!("set security ipsec vpn {name}");
    text.line(format!("{vpn} bind-interface <TUNNEL_INTERFACE>"));
    text.line(format!("{vpn} ike gateway {name}"));
    text.line(format!("{vpn} ike ipsec-policy {name}"));
    for (number, local, remote) in peer.pairs() {
        text.line(format!("{vpn} traffic-selector TS-{number} local-ip {local} remote-ip {remote}"));
    }
    let start = match peer.starts {
        Starts::Peer => "immediately",
        Starts::Gateway => {
            text.comment("Releases before 19.1 do not have `responder-only`: use on-traffic.");
            "responder-only"
        }
        Starts::Either => "on-traffic",
    };
    text.line(format!("{vpn} establish-tunnels {start}"));
}

/// The seconds between two probes, and the number of probes without an answer after which the peer is dead.
fn probes(dpd: Dpd, text: &mut Text) -> (u64, u64) {
    let interval = dpd.interval().clamp(10, 60);
    let threshold = (dpd.timeout_seconds / interval).clamp(1, 5);
    if interval * threshold != dpd.timeout_seconds {
        text.comment(&format!(
            "dpd.timeout_seconds: the cloud has {}; here a peer is dead after {} seconds.",
            dpd.timeout_seconds,
            interval * threshold
        ));
    }
    let action = if dpd.is_restart { "restart" } else { "clear" };
    text.comment(&format!(
        "dpd.action: the cloud has {action}; here `establish-tunnels` decides what follows a dead peer."
    ));
    (interval, threshold)
}
