//! The parameters of `ModifyVpnConnEx`, checked against the document.

use std::collections::BTreeMap;

use crate::simulator::tunnel::{Change, Fields};

use super::answer::{Refused, refused};
use super::common::{COMMON, Params};

const CIPHERS: &[&str] = &["3des-cbc", "aes-cbc-128", "aes-cbc-192", "aes-cbc-256", "des-cbc"];
const GROUPS: &[&str] = &["group1", "group2", "group5", "group14", "group24"];
const PFS: &[&str] = &["null", "dh-group1", "dh-group2", "dh-group5", "dh-group14", "dh-group24"];
const HASHES: &[&str] = &["md5", "sha"];
const IDENTITIES: &[&str] = &["address", "fqdn"];

/// The values that a field accepts.
enum Rule {
    Word(&'static [&'static str]),
    /// One of [`CIPHERS`], or `null`.
    Cipher,
    /// From and to, both included.
    Number(u32, u32),
    /// Any text but the empty one.
    Text,
}

const IKE: &[(&str, Rule)] = &[
    ("propoEncryAlgorithm", Rule::Word(CIPHERS)),
    ("propoAuthenAlgorithm", Rule::Word(HASHES)),
    ("exchangeMode", Rule::Word(&["aggressive", "main"])),
    ("localIdentity", Rule::Word(IDENTITIES)),
    ("remoteIdentity", Rule::Word(IDENTITIES)),
    ("localAddress", Rule::Text),
    ("remoteAddress", Rule::Text),
    ("localFqdnName", Rule::Text),
    ("remoteFqdnName", Rule::Text),
    ("dhGroupName", Rule::Word(GROUPS)),
    ("ikeSaLifetimeSeconds", Rule::Number(60, 604_800)),
];

const IPSEC: &[(&str, Rule)] = &[
    ("encryptAlgorithm", Rule::Cipher),
    ("integrityAlgorith", Rule::Word(HASHES)),
    ("ipsecSaLifetimeSeconds", Rule::Number(180, 604_800)),
    // The documented maximum is 604800, but the document's own example has 1843200, which a merge sends back.
    ("ipsecSaLifetimeTraffic", Rule::Number(2560, u32::MAX)),
    ("pfsDhGroup", Rule::Word(PFS)),
];

/// Reads the parameters. An unknown or wrong one is refused with 4000 and its name.
pub(super) fn read(params: &Params) -> Result<Change, Refused> {
    let mut change = Change::default();
    let mut has_ranges = false;
    for (key, value) in params {
        let mut parts = key.split('.');
        let (head, rest): (&str, Vec<&str>) = (parts.next().unwrap_or_default(), parts.collect());
        change.is_plain |= head == "IKESet" && rest.len() == 1;
        match (head, rest.as_slice()) {
            (common, []) if COMMON.contains(&common) => {}
            ("vpnConnName", []) if (1..=60).contains(&value.chars().count()) => {
                change.name = Some(value.clone())
            }
            ("preSharedKey", []) if !value.is_empty() => change.key = Some(value.clone()),
            ("userGwCidrBlock", [index]) if is_index(index) && is_cidr(value) => {
                has_ranges = true;
                change.destinations.push(value.clone());
            }
            ("spdAcl", [] | [_]) if rest.iter().all(is_index) => {
                has_ranges = true;
                policies(key, value, &mut change)?;
            }
            ("encryptAlgorithm", []) | ("IKESet", ["encryptAlgorithm"]) => {
                if head == "IKESet" {
                    change.ike.get_or_insert_default();
                }
                put(&mut change.ipsec, IPSEC, "encryptAlgorithm", value).ok_or_else(|| wrong(key))?;
            }
            ("IKESet", [field] | ["0", field]) => {
                put(&mut change.ike, IKE, field, value).ok_or_else(|| wrong(key))?;
            }
            ("IPsecSet", [field] | ["0", field]) => {
                put(&mut change.ipsec, IPSEC, field, value).ok_or_else(|| wrong(key))?;
            }
            _ => return Err(wrong(key)),
        }
    }
    if !has_ranges {
        return Err(refused(4000, "one of userGwCidrBlock and spdAcl is required"));
    }
    if change.sources.is_some() && params.keys().any(|key| key.starts_with("userGwCidrBlock")) {
        return Err(refused(4000, "userGwCidrBlock and spdAcl cannot be given together"));
    }
    if let Some(ike) = &change.ike {
        identities(ike)?;
    }
    Ok(change)
}

fn wrong(key: &str) -> Refused {
    refused(4000, format!("(100001)parameter {key} is unknown or wrong"))
}

fn is_index(text: &&str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_cidr(text: &str) -> bool {
    text.parse::<ipnet::Ipv4Net>().is_ok()
}

fn policies(key: &str, value: &str, change: &mut Change) -> Result<(), Refused> {
    let map: BTreeMap<String, Vec<String>> = serde_json::from_str(value).map_err(|_| wrong(key))?;
    for (source, destinations) in map {
        if !is_cidr(&source) || destinations.is_empty() || !destinations.iter().all(|range| is_cidr(range)) {
            return Err(wrong(key));
        }
        change.sources.get_or_insert_default().push(source);
        for range in destinations {
            if !change.destinations.contains(&range) {
                change.destinations.push(range);
            }
        }
    }
    Ok(())
}

fn put(set: &mut Option<Fields>, rules: &'static [(&str, Rule)], field: &str, value: &str) -> Option<()> {
    let (field, rule) = rules.iter().find(|(known, _)| *known == field)?;
    let is_valid = match rule {
        Rule::Word(words) => words.contains(&value),
        Rule::Cipher => CIPHERS.contains(&value) || value == "null",
        Rule::Number(from, to) => value.parse().is_ok_and(|number: u32| (*from..=*to).contains(&number)),
        Rule::Text => !value.is_empty(),
    };
    is_valid.then(|| {
        set.get_or_insert_default().insert(field, value.to_owned());
    })
}

fn identities(ike: &Fields) -> Result<(), Refused> {
    for (kind, fqdn, address) in
        [("localIdentity", "localFqdnName", ""), ("remoteIdentity", "remoteFqdnName", "remoteAddress")]
    {
        let needed = match ike.get(kind).map(String::as_str) {
            Some("fqdn") => fqdn,
            Some(_) => address,
            None => "",
        };
        if !needed.is_empty() && !ike.contains_key(needed) {
            return Err(refused(4000, format!("IKESet: {needed} is required with this {kind}")));
        }
    }
    Ok(())
}
