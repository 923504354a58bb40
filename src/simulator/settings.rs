//! The parameters of `ModifyVpnConnEx`, checked as the document has them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::verify::{Params, Refused, refused};

type Fields = BTreeMap<&'static str, String>;

/// What a call asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) name: Option<String>,
    pub(super) key: Option<String>,
    pub(super) sources: Option<Vec<String>>,
    pub(super) destinations: Vec<String>,
    /// A given set replaces the old one, and what it leaves out falls back to the defaults: the dangerous reading of
    /// what no document says, so that a gateway that sends groups in part is caught weakening a tunnel.
    pub(super) ike: Option<Fields>,
    pub(super) ipsec: Option<Fields>,
    /// True if `IKESet` came in the plain style, in which it holds IPsec's cipher too.
    pub(super) is_plain: bool,
}

const CIPHERS: &[&str] = &["3des-cbc", "aes-cbc-128", "aes-cbc-192", "aes-cbc-256", "des-cbc"];
const GROUPS: &[&str] = &["group1", "group2", "group5", "group14", "group24"];
const PFS: &[&str] = &["null", "dh-group1", "dh-group2", "dh-group5", "dh-group14", "dh-group24"];
const HASHES: &[&str] = &["md5", "sha"];
const IDENTITIES: &[&str] = &["address", "fqdn"];

enum Rule {
    Word(&'static [&'static str]),
    Cipher,
    Number(u32, u32),
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
    // The documented maximum is 604800, yet the cloud's own tunnels have more, and a merge sends them back.
    ("ipsecSaLifetimeTraffic", Rule::Number(2560, u32::MAX)),
    ("pfsDhGroup", Rule::Word(PFS)),
];

/// Parameters that every call may have, and the three ids.
pub(super) const COMMON: &[&str] = &[
    "Action",
    "Region",
    "Timestamp",
    "Nonce",
    "SecretId",
    "Signature",
    "SignatureMethod",
    "Token",
    "RequestClient",
    "vpcId",
    "vpnGwId",
    "vpnConnId",
];

/// Reads the parameters; one that is unknown or wrong is 4000 and is named.
pub(super) fn read(params: &Params) -> Result<Wanted, Refused> {
    let mut wanted = Wanted::default();
    let mut has_ranges = false;
    for (key, value) in params {
        let mut parts = key.split('.');
        let (head, rest): (&str, Vec<&str>) = (parts.next().unwrap_or_default(), parts.collect());
        wanted.is_plain |= head == "IKESet" && rest.len() == 1;
        match (head, rest.as_slice()) {
            (common, []) if COMMON.contains(&common) => {}
            ("vpnConnName", []) if (1..=60).contains(&value.chars().count()) => {
                wanted.name = Some(value.clone())
            }
            ("preSharedKey", []) if !value.is_empty() => wanted.key = Some(value.clone()),
            ("userGwCidrBlock", [index]) if is_index(index) && is_cidr(value) => {
                has_ranges = true;
                wanted.destinations.push(value.clone());
            }
            ("spdAcl", [] | [_]) if rest.iter().all(is_index) => {
                has_ranges = true;
                policies(key, value, &mut wanted)?;
            }
            ("encryptAlgorithm", []) | ("IKESet", ["encryptAlgorithm"]) => {
                if head == "IKESet" {
                    wanted.ike.get_or_insert_default();
                }
                put(&mut wanted.ipsec, IPSEC, "encryptAlgorithm", value).ok_or_else(|| wrong(key))?;
            }
            ("IKESet", [field] | ["0", field]) => {
                put(&mut wanted.ike, IKE, field, value).ok_or_else(|| wrong(key))?;
            }
            ("IPsecSet", [field] | ["0", field]) => {
                put(&mut wanted.ipsec, IPSEC, field, value).ok_or_else(|| wrong(key))?;
            }
            _ => return Err(wrong(key)),
        }
    }
    if !has_ranges {
        return Err(refused(4000, "one of userGwCidrBlock and spdAcl is required"));
    }
    if wanted.sources.is_some() && params.keys().any(|key| key.starts_with("userGwCidrBlock")) {
        return Err(refused(4000, "userGwCidrBlock and spdAcl can't be given together"));
    }
    if let Some(ike) = &wanted.ike {
        identities(ike)?;
    }
    Ok(wanted)
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

fn policies(key: &str, value: &str, wanted: &mut Wanted) -> Result<(), Refused> {
    let map: BTreeMap<String, Vec<String>> = serde_json::from_str(value).map_err(|_| wrong(key))?;
    for (source, destinations) in map {
        if !is_cidr(&source) || destinations.is_empty() || !destinations.iter().all(|range| is_cidr(range)) {
            return Err(wrong(key));
        }
        wanted.sources.get_or_insert_default().push(source);
        for range in destinations {
            if !wanted.destinations.contains(&range) {
                wanted.destinations.push(range);
            }
        }
    }
    Ok(())
}

fn put(set: &mut Option<Fields>, rules: &'static [(&str, Rule)], field: &str, value: &str) -> Option<()> {
    let (field, rule) = rules.iter().find(|(known, _)| *known == field)?;
    let fits = match rule {
        Rule::Word(words) => words.contains(&value),
        Rule::Cipher => CIPHERS.contains(&value) || value == "null",
        Rule::Number(from, to) => value.parse().is_ok_and(|number: u32| (*from..=*to).contains(&number)),
        Rule::Text => !value.is_empty(),
    };
    fits.then(|| {
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

/// A set as the cloud stores it: what was not given stands at its default.
pub(super) fn with_defaults(given: &Fields, defaults: &[(&'static str, Value)]) -> BTreeMap<String, Value> {
    let mut stored: BTreeMap<String, Value> =
        defaults.iter().map(|(field, value)| ((*field).to_owned(), value.clone())).collect();
    for (field, value) in given {
        stored.insert((*field).to_owned(), Value::from(value.as_str()));
    }
    stored
}
