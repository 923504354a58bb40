//! Commands of MikroTik RouterOS 7.

use crate::domain::fault::Fault;
use crate::domain::ike::{IkeAuthentication, IkeEncryption};
use crate::domain::ipsec::{IpsecEncryption, IpsecIntegrity};

use super::faults::Faults;
use super::peer::{Dpd, Identity, KEY, Peer, Side, Starts, number, pfs_number};
use super::text::Text;

const FORMAT: &str = "RouterOS";

fn group(number: &str) -> Option<&'static str> {
    Some(match number {
        "1" => "modp768",
        "2" => "modp1024",
        "5" => "modp1536",
        "14" => "modp2048",
        "15" => "modp3072",
        "16" => "modp4096",
        "19" => "ecp256",
        "20" => "ecp384",
        "21" => "ecp521",
        _ => return None,
    })
}

/// The profile of phase 1 has no AES-GCM.
fn ike_cipher(cipher: IkeEncryption) -> Option<&'static str> {
    Some(match cipher {
        IkeEncryption::DesCbc => "des",
        IkeEncryption::TripleDesCbc => "3des",
        IkeEncryption::AesCbc128 => "aes-128",
        IkeEncryption::AesCbc192 => "aes-192",
        IkeEncryption::AesCbc256 => "aes-256",
        IkeEncryption::AesGcm128
        | IkeEncryption::AesGcm192
        | IkeEncryption::AesGcm256
        | IkeEncryption::Sm4 => return None,
    })
}

fn cipher(cipher: IpsecEncryption) -> Option<&'static str> {
    Some(match cipher {
        IpsecEncryption::DesCbc => "des",
        IpsecEncryption::TripleDesCbc => "3des",
        IpsecEncryption::AesCbc128 => "aes-128-cbc",
        IpsecEncryption::AesCbc192 => "aes-192-cbc",
        IpsecEncryption::AesCbc256 => "aes-256-cbc",
        IpsecEncryption::AesGcm128 => "aes-128-gcm",
        IpsecEncryption::AesGcm192 => "aes-192-gcm",
        IpsecEncryption::AesGcm256 => "aes-256-gcm",
        IpsecEncryption::None => "null",
        IpsecEncryption::Sm4 => return None,
    })
}

fn ike_hash(hash: IkeAuthentication) -> &'static str {
    match hash {
        IkeAuthentication::Md5 => "md5",
        IkeAuthentication::Sha => "sha1",
        IkeAuthentication::Sha256 => "sha256",
        IkeAuthentication::Sha512 => "sha512",
    }
}

fn hash(hash: IpsecIntegrity) -> Option<&'static str> {
    Some(match hash {
        IpsecIntegrity::Md5 => "md5",
        IpsecIntegrity::Sha => "sha1",
        IpsecIntegrity::Sha256 => "sha256",
        IpsecIntegrity::Sha512 => "sha512",
        IpsecIntegrity::Sha384 | IpsecIntegrity::Sm3 => return None,
    })
}

fn identity(side: &Side) -> String {
    match &side.identity {
        Identity::Address(address) => format!("address:{address}"),
        Identity::Fqdn(fqdn) => format!("fqdn:{fqdn}"),
    }
}

pub(super) fn text(peer: &Peer) -> Result<String, Vec<Fault>> {
    let mut faults = Faults::default();
    let name = format!("TG-{}", peer.id);
    let mut text = Text::of(peer, "#");
    text.comment("A key that begins with 0x is read as hexadecimal. A backslash before each quotation mark, backslash, $ and ?.");
    text.comment(&format!(
        "ipsec.sa_lifetime_kilobytes: the cloud has {}; RouterOS 7 counts time only.",
        peer.kilobytes
    ));
    profile(peer, &name, &mut text, &mut faults);
    proposal(peer, &name, &mut text, &mut faults);
    let mode = match (peer.is_version_2, peer.is_aggressive) {
        (true, _) => "ike2",
        (false, true) => "aggressive",
        (false, false) => "main",
    };
    if peer.starts == Starts::Either {
        text.comment("RouterOS starts the tunnel without waiting for traffic.");
    }
    let passive = if peer.starts == Starts::Gateway { "yes" } else { "no" };
    let (remote, local) = (peer.remote.address, peer.local.address);
    text.line(format!(
        "/ip ipsec peer add name={name} address={remote}/32 local-address={local} profile={name} exchange-mode={mode} \
         passive={passive}"
    ));
    let (my_id, remote_id) = (identity(&peer.local), identity(&peer.remote));
    text.line(format!(
        "/ip ipsec identity add peer={name} auth-method=pre-shared-key secret=\"{KEY}\" my-id={my_id} remote-id={remote_id}"
    ));
    for (_, from, to) in peer.pairs() {
        text.line(format!(
            "/ip ipsec policy add peer={name} tunnel=yes src-address={from} dst-address={to} proposal={name} level=unique"
        ));
    }
    faults.or(text.finish())
}

/// Phase 1.
fn profile(peer: &Peer, name: &str, text: &mut Text, faults: &mut Faults) {
    let (word, at) = (peer.ike_encryption.as_str(), "/ike/encryption_algorithm");
    let cipher = faults.word(ike_cipher(peer.ike_encryption), at, word, FORMAT);
    let group = faults.word(group(number(peer.ike_group)), "/ike/dh_group", peer.ike_group.as_str(), FORMAT);
    let hash = ike_hash(peer.ike_authentication);
    let dpd = match peer.dpd {
        Some(dpd) => probes(dpd, text),
        None => {
            text.comment("Without dead peer detection RouterOS does not negotiate phase 1 again at the end of its lifetime.");
            "dpd-interval=disable-dpd".to_owned()
        }
    };
    text.line(format!(
        "/ip ipsec profile add name={name} hash-algorithm={hash} enc-algorithm={cipher} dh-group={group} lifetime={}s {dpd}",
        peer.ike_seconds
    ));
}

/// The number of probes without an answer after which a peer is dead.
const FAILURES: u64 = 3;

fn probes(dpd: Dpd, text: &mut Text) -> String {
    let interval = dpd.interval().clamp(5, 3600);
    if interval * FAILURES != dpd.timeout_seconds {
        text.comment(&format!(
            "dpd.timeout_seconds: the cloud has {}; here a peer is dead after {} seconds.",
            dpd.timeout_seconds,
            interval * FAILURES
        ));
    }
    let action = if dpd.is_restart { "restart" } else { "clear" };
    text.comment(&format!(
        "dpd.action: the cloud has {action}; here `passive` decides what follows a dead peer."
    ));
    format!("dpd-interval={interval}s dpd-maximum-failures={FAILURES}")
}

/// Phase 2.
fn proposal(peer: &Peer, name: &str, text: &mut Text, faults: &mut Faults) {
    let (word, at) = (peer.encryption.as_str(), "/ipsec/encryption_algorithm");
    let cipher = faults.word(cipher(peer.encryption), at, word, FORMAT);
    let hash = if peer.is_gcm() {
        "null"
    } else {
        let (word, at) = (peer.integrity.as_str(), "/ipsec/integrity_algorithm");
        faults.word(hash(peer.integrity), at, word, FORMAT)
    };
    let pfs = match peer.pfs {
        Some(pfs) => faults.word(group(pfs_number(pfs)), "/ipsec/pfs_dh_group", pfs.as_str(), FORMAT),
        None => "none",
    };
    text.line(format!(
        "/ip ipsec proposal add name={name} auth-algorithms={hash} enc-algorithms={cipher} pfs-group={pfs} lifetime={}s",
        peer.seconds
    ));
}
