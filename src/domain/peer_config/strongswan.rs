//! `swanctl.conf` of strongSwan.

use ipnet::Ipv4Net;

use crate::domain::fault::Fault;
use crate::domain::ike::{IkeAuthentication, IkeEncryption};
use crate::domain::ipsec::{IpsecEncryption, IpsecIntegrity};

use super::faults::Faults;
use super::peer::{Identity, KEY, Peer, Side, Starts, number, pfs_number};
use super::text::Text;

const FORMAT: &str = "strongSwan";

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
        "24" => "modp2048s256",
        _ => return None,
    })
}

fn ike_cipher(cipher: IkeEncryption) -> Option<&'static str> {
    Some(match cipher {
        IkeEncryption::DesCbc => "des",
        IkeEncryption::TripleDesCbc => "3des",
        IkeEncryption::AesCbc128 => "aes128",
        IkeEncryption::AesCbc192 => "aes192",
        IkeEncryption::AesCbc256 => "aes256",
        IkeEncryption::AesGcm128 => "aes128gcm16",
        IkeEncryption::AesGcm192 => "aes192gcm16",
        IkeEncryption::AesGcm256 => "aes256gcm16",
        IkeEncryption::Sm4 => return None,
    })
}

fn cipher(cipher: IpsecEncryption) -> Option<&'static str> {
    Some(match cipher {
        IpsecEncryption::DesCbc => "des",
        IpsecEncryption::TripleDesCbc => "3des",
        IpsecEncryption::AesCbc128 => "aes128",
        IpsecEncryption::AesCbc192 => "aes192",
        IpsecEncryption::AesCbc256 => "aes256",
        IpsecEncryption::AesGcm128 => "aes128gcm16",
        IpsecEncryption::AesGcm192 => "aes192gcm16",
        IpsecEncryption::AesGcm256 => "aes256gcm16",
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
        IpsecIntegrity::Sha384 => "sha384",
        IpsecIntegrity::Sha512 => "sha512",
        IpsecIntegrity::Sm3 => return None,
    })
}

/// The type is given, so that a name of digits is not read as an address.
fn identity(side: &Side) -> String {
    match &side.identity {
        Identity::Address(address) => address.to_string(),
        Identity::Fqdn(fqdn) => format!("fqdn:{fqdn}"),
    }
}

fn list(ranges: &[Ipv4Net]) -> String {
    ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The ranges of each child. IKEv1 negotiates one pair of ranges at a time, IKEv2 a whole policy.
fn children(peer: &Peer) -> Vec<(String, String)> {
    if peer.is_version_2 {
        peer.selectors.iter().map(|selector| (list(&selector.local), list(&selector.remote))).collect()
    } else {
        peer.pairs().map(|(_, local, remote)| (local.to_string(), remote.to_string())).collect()
    }
}

pub(super) fn text(peer: &Peer) -> Result<String, Vec<Fault>> {
    let mut faults = Faults::default();
    let (ike, esp) = (proposal(peer, &mut faults), esp_proposal(peer, &mut faults));
    let id = &peer.id;
    let mut text = Text::of(peer, "#");
    text.comment(&format!("In /etc/swanctl/conf.d/{id}.conf; then: swanctl --load-all"));
    text.comment("A key with quotation marks or backslashes, or one that begins with 0x or 0s: secret = 0s and its base64.");
    if peer.is_aggressive {
        text.comment("To answer in aggressive mode, charon needs i_dont_care_about_security_and_use_aggressive_mode_psk = yes.");
    }
    if peer.is_version_2 && peer.dpd.is_some() {
        text.comment("With IKEv2 a peer is dead after the last retransmission (charon.retransmit_*), not after dpd.timeout_seconds.");
    }
    text.line("connections {");
    text.line(format!("  {id} {{"));
    text.line(format!("    version = {}", if peer.is_version_2 { 2 } else { 1 }));
    if peer.is_aggressive {
        text.line("    aggressive = yes");
    }
    text.line(format!("    local_addrs = {}", peer.local.address));
    text.line(format!("    remote_addrs = {}", peer.remote.address));
    text.line(format!("    proposals = {ike}"));
    let rekey = peer.ike_seconds - peer.ike_seconds / 10;
    text.line(format!("    rekey_time = {rekey}s"));
    text.line(format!("    over_time = {}s", peer.ike_seconds - rekey));
    if let Some(dpd) = peer.dpd {
        text.line(format!("    dpd_delay = {}s", dpd.interval()));
        if !peer.is_version_2 {
            text.line(format!("    dpd_timeout = {}s", dpd.timeout_seconds));
        }
    }
    for (name, side) in [("local", &peer.local), ("remote", &peer.remote)] {
        text.line(format!("    {name} {{"));
        text.line("      auth = psk");
        text.line(format!("      id = {}", identity(side)));
        text.line("    }");
    }
    text.line("    children {");
    for (number, (local, remote)) in children(peer).iter().enumerate() {
        text.line(format!("      {id}-{} {{", number + 1));
        text.line(format!("        local_ts = {local}"));
        text.line(format!("        remote_ts = {remote}"));
        text.line(format!("        esp_proposals = {esp}"));
        child(peer, &mut text);
        text.line("      }");
    }
    for closed in ["    }", "  }", "}", "secrets {"] {
        text.line(closed);
    }
    text.line(format!("  ike-{id} {{"));
    text.line(format!("    id-1 = {}", identity(&peer.local)));
    text.line(format!("    id-2 = {}", identity(&peer.remote)));
    text.line(format!("    secret = \"{KEY}\""));
    text.line("  }");
    text.line("}");
    faults.or(text.finish())
}

/// The settings that all children share.
fn child(peer: &Peer, text: &mut Text) {
    let bytes = peer.kilobytes.saturating_mul(1024);
    text.line(format!("        life_time = {}s", peer.seconds));
    text.line(format!("        rekey_time = {}s", peer.seconds - peer.seconds / 10));
    text.line(format!("        life_bytes = {bytes}"));
    text.line(format!("        rekey_bytes = {}", bytes - bytes / 10));
    let start = match peer.starts {
        Starts::Peer => "start",
        Starts::Gateway => "none",
        Starts::Either => "trap",
    };
    text.line(format!("        start_action = {start}"));
    if let Some(dpd) = peer.dpd {
        text.line(format!("        dpd_action = {}", if dpd.is_restart { "restart" } else { "clear" }));
    }
}

fn proposal(peer: &Peer, faults: &mut Faults) -> String {
    let (word, at) = (peer.ike_encryption.as_str(), "/ike/encryption_algorithm");
    let cipher = faults.word(ike_cipher(peer.ike_encryption), at, word, FORMAT);
    let hash = ike_hash(peer.ike_authentication);
    let group = faults.word(group(number(peer.ike_group)), "/ike/dh_group", peer.ike_group.as_str(), FORMAT);
    // A cipher that authenticates by itself still needs a pseudo-random function.
    let prefix = if peer.is_ike_gcm() { "prf" } else { "" };
    format!("{cipher}-{prefix}{hash}-{group}")
}

fn esp_proposal(peer: &Peer, faults: &mut Faults) -> String {
    let (word, at) = (peer.encryption.as_str(), "/ipsec/encryption_algorithm");
    let mut proposal = faults.word(cipher(peer.encryption), at, word, FORMAT).to_owned();
    if !peer.is_gcm() {
        let (word, at) = (peer.integrity.as_str(), "/ipsec/integrity_algorithm");
        let hash = faults.word(hash(peer.integrity), at, word, FORMAT);
        proposal += &format!("-{hash}");
    }
    if let Some(pfs) = peer.pfs {
        let group = faults.word(group(pfs_number(pfs)), "/ipsec/pfs_dh_group", pfs.as_str(), FORMAT);
        proposal += &format!("-{group}");
    }
    proposal
}
