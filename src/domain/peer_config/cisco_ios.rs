//! Commands of Cisco IOS and IOS XE: a crypto map.

use ipnet::Ipv4Net;

use crate::domain::fault::Fault;
use crate::domain::ike::{IkeAuthentication, IkeEncryption};
use crate::domain::ipsec::{IpsecEncryption, IpsecIntegrity};

use super::faults::Faults;
use super::peer::{Dpd, Identity, KEY, Peer, Side, Starts, number, pfs_number};
use super::text::Text;

const FORMAT: &str = "Cisco IOS";

fn ike_cipher(cipher: IkeEncryption, is_version_2: bool) -> Option<&'static str> {
    Some(match (cipher, is_version_2) {
        (IkeEncryption::DesCbc, _) => "des",
        (IkeEncryption::TripleDesCbc, _) => "3des",
        (IkeEncryption::AesCbc128, false) => "aes 128",
        (IkeEncryption::AesCbc192, false) => "aes 192",
        (IkeEncryption::AesCbc256, false) => "aes 256",
        (IkeEncryption::AesCbc128, true) => "aes-cbc-128",
        (IkeEncryption::AesCbc192, true) => "aes-cbc-192",
        (IkeEncryption::AesCbc256, true) => "aes-cbc-256",
        // Its IKEv2 has no AES-GCM of 192 bits, and IKEv1 has none at all.
        (IkeEncryption::AesGcm128, true) => "aes-gcm-128",
        (IkeEncryption::AesGcm256, true) => "aes-gcm-256",
        (IkeEncryption::AesGcm128 | IkeEncryption::AesGcm192 | IkeEncryption::AesGcm256, _)
        | (IkeEncryption::Sm4, _) => return None,
    })
}

fn cipher(cipher: IpsecEncryption) -> Option<&'static str> {
    Some(match cipher {
        IpsecEncryption::DesCbc => "esp-des",
        IpsecEncryption::TripleDesCbc => "esp-3des",
        IpsecEncryption::AesCbc128 => "esp-aes 128",
        IpsecEncryption::AesCbc192 => "esp-aes 192",
        IpsecEncryption::AesCbc256 => "esp-aes 256",
        IpsecEncryption::AesGcm128 => "esp-gcm 128",
        IpsecEncryption::AesGcm192 => "esp-gcm 192",
        IpsecEncryption::AesGcm256 => "esp-gcm 256",
        IpsecEncryption::None => "esp-null",
        IpsecEncryption::Sm4 => return None,
    })
}

fn ike_hash(hash: IkeAuthentication, is_version_2: bool) -> &'static str {
    match hash {
        IkeAuthentication::Md5 => "md5",
        IkeAuthentication::Sha if is_version_2 => "sha1",
        IkeAuthentication::Sha => "sha",
        IkeAuthentication::Sha256 => "sha256",
        IkeAuthentication::Sha512 => "sha512",
    }
}

fn hash(hash: IpsecIntegrity) -> Option<&'static str> {
    Some(match hash {
        IpsecIntegrity::Md5 => "esp-md5-hmac",
        IpsecIntegrity::Sha => "esp-sha-hmac",
        IpsecIntegrity::Sha256 => "esp-sha256-hmac",
        IpsecIntegrity::Sha384 => "esp-sha384-hmac",
        IpsecIntegrity::Sha512 => "esp-sha512-hmac",
        IpsecIntegrity::Sm3 => return None,
    })
}

fn range(range: Ipv4Net) -> String {
    format!("{} {}", range.network(), range.hostmask())
}

/// The longest lifetime of an IKE SA, in seconds.
const MAX_IKE_LIFETIME: u64 = 86_400;

pub(super) fn text(peer: &Peer) -> Result<String, Vec<Fault>> {
    let mut faults = Faults::default();
    let (word, at) = (peer.ike_encryption.as_str(), "/ike/encryption_algorithm");
    let ike_cipher = faults.word(ike_cipher(peer.ike_encryption, peer.is_version_2), at, word, FORMAT);
    let (word, at) = (peer.encryption.as_str(), "/ipsec/encryption_algorithm");
    let mut transforms = faults.word(cipher(peer.encryption), at, word, FORMAT).to_owned();
    if !peer.is_gcm() {
        let (word, at) = (peer.integrity.as_str(), "/ipsec/integrity_algorithm");
        transforms += " ";
        transforms += faults.word(hash(peer.integrity), at, word, FORMAT);
    }
    let ike_hash = ike_hash(peer.ike_authentication, peer.is_version_2);
    let name = format!("TG-{}", peer.id);
    let mut text = Text::of(peer, "!");
    comments(peer, &mut text);
    match peer.is_version_2 {
        false => version_1(peer, &name, ike_cipher, ike_hash, &mut text),
        true => version_2(peer, &name, ike_cipher, ike_hash, &mut text),
    }
    text.line(format!("crypto ipsec transform-set {name} {transforms}"));
    text.line(" mode tunnel");
    text.line("!");
    text.line(format!("ip access-list extended {name}"));
    for (_, local, remote) in peer.pairs() {
        text.line(format!(" permit ip {} {}", range(local), range(remote)));
    }
    text.line("!");
    text.line("crypto map TUNNELGATE 100 ipsec-isakmp");
    text.line(format!(" set peer {}", peer.remote.address));
    text.line(format!(" set transform-set {name}"));
    text.line(format!(" set {} {name}", if peer.is_version_2 { "ikev2-profile" } else { "isakmp-profile" }));
    if let Some(pfs) = peer.pfs {
        text.line(format!(" set pfs group{}", pfs_number(pfs)));
    }
    text.line(format!(" set security-association lifetime seconds {}", peer.seconds));
    text.line(format!(" set security-association lifetime kilobytes {}", peer.kilobytes));
    text.line(format!(" match address {name}"));
    faults.or(text.finish())
}

fn comments(peer: &Peer, text: &mut Text) {
    text.comment("The numbers 100 must be free: one crypto map has an entry for each tunnel, one interface one crypto map.");
    text.comment(&format!("Then, on the interface of {}: crypto map TUNNELGATE", peer.local.address));
    text.comment("A question mark in the key: press Ctrl-V before it.");
    if peer.seconds > MAX_IKE_LIFETIME || peer.kilobytes > 536_870_912 {
        text.comment(
            "Older releases have shorter limits: lifetimes of 86400 seconds and of 536870912 kilobytes.",
        );
    }
    text.comment(match peer.starts {
        Starts::Peer => {
            "The cloud leaves the start to the peer: traffic from a range below starts the tunnel."
        }
        Starts::Gateway => "The cloud starts the tunnel; traffic from a range below starts it here too.",
        Starts::Either => "Traffic from a range below starts the tunnel.",
    });
    if let Some(dpd) = peer.dpd {
        let action = if dpd.is_restart { "restart" } else { "clear" };
        text.comment(&format!(
            "dpd.action: the cloud has {action}; here the SAs of a dead peer are cleared, and traffic starts the tunnel again."
        ));
    }
}

fn version_1(peer: &Peer, name: &str, cipher: &str, hash: &str, text: &mut Text) {
    let lifetime = text.within("ike.sa_lifetime_seconds", peer.ike_seconds, 60..=MAX_IKE_LIFETIME);
    text.line("crypto isakmp policy 100");
    text.line(format!(" encryption {cipher}"));
    text.line(format!(" hash {hash}"));
    text.line(" authentication pre-share");
    text.line(format!(" group {}", number(peer.ike_group)));
    text.line(format!(" lifetime {lifetime}"));
    text.line("!");
    text.line(format!("crypto keyring {name}"));
    text.line(format!(" pre-shared-key address {} key {KEY}", peer.remote.address));
    text.line("!");
    text.line(format!("crypto isakmp profile {name}"));
    text.line(format!(" keyring {name}"));
    match &peer.local.identity {
        Identity::Address(_) => text.line(" self-identity address"),
        Identity::Fqdn(fqdn) => {
            text.comment(&format!(
                "With IKEv1 the identity is this device's own name: `hostname` and `ip domain name` must give {fqdn}."
            ));
            text.line(" self-identity fqdn");
        }
    }
    text.line(format!(" match identity {}", matched(&peer.remote, "host")));
    if let Some(dpd) = peer.dpd {
        let (interval, retry) = probes(dpd, text);
        text.line(format!(" keepalive {interval} retry {retry}"));
    }
    if peer.is_aggressive {
        text.line(" initiate mode aggressive");
    }
    text.line("!");
}

fn version_2(peer: &Peer, name: &str, cipher: &str, hash: &str, text: &mut Text) {
    let lifetime = text.within("ike.sa_lifetime_seconds", peer.ike_seconds, 120..=MAX_IKE_LIFETIME);
    text.line(format!("crypto ikev2 proposal {name}"));
    text.line(format!(" encryption {cipher}"));
    // A cipher that authenticates by itself still needs a pseudo-random function.
    text.line(format!(" {} {hash}", if peer.is_ike_gcm() { "prf" } else { "integrity" }));
    text.line(format!(" group {}", number(peer.ike_group)));
    text.line("!");
    text.comment(
        "One IKEv2 policy answers for a local address: the proposals of all its tunnels belong into it.",
    );
    text.line(format!("crypto ikev2 policy {name}"));
    text.line(format!(" match address local {}", peer.local.address));
    text.line(format!(" proposal {name}"));
    text.line("!");
    text.line(format!("crypto ikev2 keyring {name}"));
    text.line(format!(" peer {name}"));
    text.line(format!("  address {}", peer.remote.address));
    text.line(format!("  pre-shared-key {KEY}"));
    text.line("!");
    text.line(format!("crypto ikev2 profile {name}"));
    text.line(format!(" match identity remote {}", matched(&peer.remote, "fqdn")));
    text.line(match &peer.local.identity {
        Identity::Address(address) => format!(" identity local address {address}"),
        Identity::Fqdn(fqdn) => format!(" identity local fqdn {fqdn}"),
    });
    text.line(" authentication remote pre-share");
    text.line(" authentication local pre-share");
    text.line(format!(" keyring local {name}"));
    text.line(format!(" lifetime {lifetime}"));
    if let Some(dpd) = peer.dpd {
        let (interval, retry) = probes(dpd, text);
        text.line(format!(" dpd {interval} {retry} periodic"));
    }
    text.line("!");
}

/// The seconds between two probes, and between two repetitions of one without an answer. A peer is dead after five.
fn probes(dpd: Dpd, text: &mut Text) -> (u64, u64) {
    let retry = (dpd.interval() / 5).clamp(2, 60);
    let interval = dpd.timeout_seconds.saturating_sub(5 * retry).clamp(10, 3600);
    if interval + 5 * retry != dpd.timeout_seconds {
        text.comment(&format!(
            "dpd.timeout_seconds: the cloud has {}; here a peer is dead after {} seconds.",
            dpd.timeout_seconds,
            interval + 5 * retry
        ));
    }
    (interval, retry)
}

/// The identity that is expected of a side; `name` is the keyword for a name.
fn matched(side: &Side, name: &str) -> String {
    match &side.identity {
        Identity::Address(address) => format!("address {address} 255.255.255.255"),
        Identity::Fqdn(fqdn) => format!("{name} {fqdn}"),
    }
}
