//! `ipsec.conf` of Libreswan.

use crate::domain::fault::Fault;
use crate::domain::ike::{IkeAuthentication, IkeEncryption};
use crate::domain::ipsec::{IpsecEncryption, IpsecIntegrity};

use super::faults::Faults;
use super::peer::{Identity, KEY, Peer, Side, Starts, number, pfs_number};
use super::text::Text;

const FORMAT: &str = "Libreswan";

/// Libreswan 4 of Debian and Red Hat is built without the groups 1, 2 and 24.
fn group(number: &str) -> Option<&'static str> {
    Some(match number {
        "5" => "dh5",
        "14" => "dh14",
        "15" => "dh15",
        "16" => "dh16",
        "19" => "dh19",
        "20" => "dh20",
        "21" => "dh21",
        _ => return None,
    })
}

fn ike_cipher(cipher: IkeEncryption) -> Option<&'static str> {
    Some(match cipher {
        IkeEncryption::TripleDesCbc => "3des",
        IkeEncryption::AesCbc128 => "aes128",
        IkeEncryption::AesCbc192 => "aes192",
        IkeEncryption::AesCbc256 => "aes256",
        IkeEncryption::AesGcm128 => "aes_gcm128",
        IkeEncryption::AesGcm192 => "aes_gcm192",
        IkeEncryption::AesGcm256 => "aes_gcm256",
        IkeEncryption::DesCbc | IkeEncryption::Sm4 => return None,
    })
}

fn cipher(cipher: IpsecEncryption) -> Option<&'static str> {
    Some(match cipher {
        IpsecEncryption::TripleDesCbc => "3des",
        IpsecEncryption::AesCbc128 => "aes128",
        IpsecEncryption::AesCbc192 => "aes192",
        IpsecEncryption::AesCbc256 => "aes256",
        IpsecEncryption::AesGcm128 => "aes_gcm128",
        IpsecEncryption::AesGcm192 => "aes_gcm192",
        IpsecEncryption::AesGcm256 => "aes_gcm256",
        IpsecEncryption::None => "null",
        IpsecEncryption::DesCbc | IpsecEncryption::Sm4 => return None,
    })
}

fn ike_hash(hash: IkeAuthentication) -> &'static str {
    match hash {
        IkeAuthentication::Md5 => "md5",
        IkeAuthentication::Sha => "sha1",
        IkeAuthentication::Sha256 => "sha2_256",
        IkeAuthentication::Sha512 => "sha2_512",
    }
}

fn hash(hash: IpsecIntegrity) -> Option<&'static str> {
    Some(match hash {
        IpsecIntegrity::Md5 => "md5",
        IpsecIntegrity::Sha => "sha1",
        IpsecIntegrity::Sha256 => "sha2_256",
        IpsecIntegrity::Sha384 => "sha2_384",
        IpsecIntegrity::Sha512 => "sha2_512",
        IpsecIntegrity::Sm3 => return None,
    })
}

/// A name is marked, so that it is not looked up.
fn identity(side: &Side) -> String {
    match &side.identity {
        Identity::Address(address) => address.to_string(),
        Identity::Fqdn(fqdn) => format!("@{fqdn}"),
    }
}

/// The longest lifetime, in seconds.
const MAX_LIFETIME: u64 = 86_400;

pub(super) fn text(peer: &Peer) -> Result<String, Vec<Fault>> {
    let mut faults = Faults::default();
    let (ike, esp) = (proposal(peer, &mut faults), esp_proposal(peer, &mut faults));
    let yes = |is: bool| if is { "yes" } else { "no" };
    let (local, remote) = (identity(&peer.local), identity(&peer.remote));
    let id = &peer.id;
    let mut text = Text::of(peer, "#");
    let ike_seconds = text.within("ike.sa_lifetime_seconds", peer.ike_seconds, 1..=MAX_LIFETIME);
    let seconds = text.within("ipsec.sa_lifetime_seconds", peer.seconds, 1..=MAX_LIFETIME);
    text.comment(&format!(
        "ipsec.sa_lifetime_kilobytes: the cloud has {}; Libreswan 4 counts time only.",
        peer.kilobytes
    ));
    if peer.is_version_2 && peer.dpd.is_some() {
        text.comment("With IKEv2 a peer is dead after retransmit-timeout, not after dpd.timeout_seconds.");
    }
    text.comment(&format!(
        "In /etc/ipsec.d/{id}.conf, and in /etc/ipsec.d/{id}.secrets this line without its comment sign:"
    ));
    text.comment(&format!("  {local} {remote} : PSK \"{KEY}\""));
    text.comment("A key with quotation marks, or one that begins with 0x or 0s: PSK 0s and its base64, without quotation marks.");
    for (number, from, to) in peer.pairs() {
        text.line(format!("conn {id}-{number}"));
        text.line("    type=tunnel");
        text.line("    authby=secret");
        text.line(format!("    ikev2={}", yes(peer.is_version_2)));
        if !peer.is_version_2 {
            text.line(format!("    aggressive={}", yes(peer.is_aggressive)));
        }
        text.line(format!("    left={}", peer.local.address));
        text.line(format!("    leftid={local}"));
        text.line(format!("    leftsubnet={from}"));
        text.line(format!("    right={}", peer.remote.address));
        text.line(format!("    rightid={remote}"));
        text.line(format!("    rightsubnet={to}"));
        text.line(format!("    ike={ike}"));
        text.line(format!("    ikelifetime={ike_seconds}s"));
        text.line(format!("    esp={esp}"));
        text.line(format!("    pfs={}", yes(peer.pfs.is_some())));
        text.line(format!("    salifetime={seconds}s"));
        if let Some(dpd) = peer.dpd {
            text.line(format!("    dpddelay={}s", dpd.interval()));
            text.line(format!("    dpdtimeout={}s", dpd.timeout_seconds));
            text.line(format!("    dpdaction={}", if dpd.is_restart { "restart" } else { "clear" }));
        }
        let start = match peer.starts {
            Starts::Peer => "start",
            Starts::Gateway => "add",
            Starts::Either => "ondemand",
        };
        text.line(format!("    auto={start}"));
    }
    faults.or(text.finish())
}

fn proposal(peer: &Peer, faults: &mut Faults) -> String {
    let (word, at) = (peer.ike_encryption.as_str(), "/ike/encryption_algorithm");
    let cipher = faults.word(ike_cipher(peer.ike_encryption), at, word, FORMAT);
    let group = faults.word(group(number(peer.ike_group)), "/ike/dh_group", peer.ike_group.as_str(), FORMAT);
    format!("{cipher}-{}-{group}", ike_hash(peer.ike_authentication))
}

fn esp_proposal(peer: &Peer, faults: &mut Faults) -> String {
    let (word, at) = (peer.encryption.as_str(), "/ipsec/encryption_algorithm");
    let cipher = faults.word(cipher(peer.encryption), at, word, FORMAT);
    let hash = if peer.is_gcm() {
        "none"
    } else {
        let (word, at) = (peer.integrity.as_str(), "/ipsec/integrity_algorithm");
        faults.word(hash(peer.integrity), at, word, FORMAT)
    };
    let Some(pfs) = peer.pfs else { return format!("{cipher}-{hash}") };
    let at = "/ipsec/pfs_dh_group";
    let group = faults.word(group(pfs_number(pfs)), at, pfs.as_str(), FORMAT);
    // Its parser refuses the elliptic curves here.
    if !peer.is_version_2 && ["dh19", "dh20", "dh21"].contains(&group) {
        faults.not_supported(at, format!("{FORMAT} does not have {} with IKEv1", pfs.as_str()));
    }
    format!("{cipher}-{hash}-{group}")
}
