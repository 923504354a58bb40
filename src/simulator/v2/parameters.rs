//! The parameters of `ModifyVpnConnEx`, checked against the document.

use std::collections::BTreeMap;

use crate::simulator::change::{Change, Ranges};
use crate::simulator::fields::{CUSTOMER_ADDRESS, GATEWAY_ADDRESS, Identity, Ike, Ipsec, Policy};
use crate::simulator::words::{
    EXCHANGES, GROUP_1, GROUPS, IKE_CIPHERS, IKE_HASHES, IPSEC_CIPHERS, IPSEC_HASHES, MAIN, MD5, NO_PFS, PFS,
    TRIPLE_DES, Word,
};

use super::answer::{Refused, refused};
use super::common::{COMMON, Params};

const IDENTITIES: &[&str] = &["address", "fqdn"];

/// The fields of `IKESet` or `IPsecSet` that a call gives.
type Fields = BTreeMap<&'static str, String>;

/// The values that a field accepts.
enum Rule {
    Word(&'static [Word]),
    Identity,
    /// From and to, both included.
    Number(u32, u32),
    /// Any text but the empty one.
    Text,
}

const IKE: &[(&str, Rule)] = &[
    ("propoEncryAlgorithm", Rule::Word(IKE_CIPHERS)),
    ("propoAuthenAlgorithm", Rule::Word(IKE_HASHES)),
    ("exchangeMode", Rule::Word(EXCHANGES)),
    ("localIdentity", Rule::Identity),
    ("remoteIdentity", Rule::Identity),
    ("localAddress", Rule::Text),
    ("remoteAddress", Rule::Text),
    ("localFqdnName", Rule::Text),
    ("remoteFqdnName", Rule::Text),
    ("dhGroupName", Rule::Word(GROUPS)),
    ("ikeSaLifetimeSeconds", Rule::Number(60, 604_800)),
];

const IPSEC: &[(&str, Rule)] = &[
    ("encryptAlgorithm", Rule::Word(IPSEC_CIPHERS)),
    ("integrityAlgorith", Rule::Word(IPSEC_HASHES)),
    ("ipsecSaLifetimeSeconds", Rule::Number(180, 604_800)),
    // The documented maximum is 604800, but the document's own example has 1843200, which a merge sends back.
    ("ipsecSaLifetimeTraffic", Rule::Number(2560, u32::MAX)),
    ("pfsDhGroup", Rule::Word(PFS)),
];

/// Reads the parameters. An unknown or wrong one is refused with 4000 and its name.
pub(super) fn read(params: &Params) -> Result<Change, Refused> {
    let mut change = Change::default();
    let (mut peers, mut policies, mut ike, mut ipsec) = (Vec::new(), None, None, None);
    // In the plain style `IKESet` holds IPsec's cipher too.
    let mut is_plain = false;
    for (key, value) in params {
        let mut parts = key.split('.');
        let (head, rest): (&str, Vec<&str>) = (parts.next().unwrap_or_default(), parts.collect());
        is_plain |= head == "IKESet" && rest.len() == 1;
        match (head, rest.as_slice()) {
            (common, []) if COMMON.contains(&common) => {}
            ("vpnConnName", []) if (1..=60).contains(&value.chars().count()) => {
                change.name = Some(value.clone())
            }
            ("preSharedKey", []) if !value.is_empty() => change.key = Some(value.clone()),
            ("userGwCidrBlock", [index]) if is_index(index) && is_cidr(value) => {
                peers.push(value.clone());
            }
            ("spdAcl", [] | [_]) if rest.iter().all(is_index) => {
                policies.get_or_insert_with(Vec::new).extend(read_policies(value).ok_or_else(|| wrong(key))?);
            }
            ("encryptAlgorithm", []) | ("IKESet", ["encryptAlgorithm"]) => {
                if head == "IKESet" {
                    ike.get_or_insert_with(Fields::new);
                }
                put(&mut ipsec, IPSEC, "encryptAlgorithm", value).ok_or_else(|| wrong(key))?;
            }
            ("IKESet", [field] | ["0", field]) => {
                put(&mut ike, IKE, field, value).ok_or_else(|| wrong(key))?;
            }
            ("IPsecSet", [field] | ["0", field]) => {
                put(&mut ipsec, IPSEC, field, value).ok_or_else(|| wrong(key))?;
            }
            _ => return Err(wrong(key)),
        }
    }
    change.ranges = match (policies, peers.is_empty()) {
        (None, true) => return Err(refused(4000, "one of userGwCidrBlock and spdAcl is required")),
        (None, false) => Some(Ranges::Peers(peers)),
        (Some(policies), true) => Some(Ranges::Policies(policies)),
        (Some(_), false) => {
            return Err(refused(4000, "userGwCidrBlock and spdAcl cannot be given together"));
        }
    };
    change.ike = ike.map(|fields| read_ike(&fields)).transpose()?;
    let has_cipher = ipsec.as_ref().is_some_and(|fields| fields.contains_key("encryptAlgorithm"));
    change.ipsec_cipher = (is_plain && !has_cipher).then_some(TRIPLE_DES);
    change.ipsec = ipsec.map(|fields| read_ipsec(&fields));
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

fn read_policies(value: &str) -> Option<Vec<Policy>> {
    let map: BTreeMap<String, Vec<String>> = serde_json::from_str(value).ok()?;
    let is_valid = |(local, peers): (&String, &Vec<String>)| {
        is_cidr(local) && !peers.is_empty() && peers.iter().all(|range| is_cidr(range))
    };
    if !map.iter().all(is_valid) {
        return None;
    }
    Some(map.into_iter().map(|(local, peers)| Policy { local, peers }).collect())
}

fn put(set: &mut Option<Fields>, rules: &'static [(&str, Rule)], field: &str, value: &str) -> Option<()> {
    let (field, rule) = rules.iter().find(|(known, _)| *known == field)?;
    let is_valid = match rule {
        Rule::Word(words) => Word::from_v2(words, value).is_some(),
        Rule::Identity => IDENTITIES.contains(&value),
        Rule::Number(from, to) => value.parse().is_ok_and(|number: u32| (*from..=*to).contains(&number)),
        Rule::Text => !value.is_empty(),
    };
    is_valid.then(|| {
        set.get_or_insert_default().insert(field, value.to_owned());
    })
}

fn word(fields: &Fields, field: &str, words: &[Word], default: Word) -> Word {
    fields.get(field).and_then(|text| Word::from_v2(words, text)).unwrap_or(default)
}

fn number(fields: &Fields, field: &str, default: u32) -> u32 {
    fields.get(field).and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// `IKESet` as the cloud stores it: the given fields over the defaults.
fn read_ike(fields: &Fields) -> Result<Ike, Refused> {
    let text = |field: &str| fields.get(field).cloned();
    let required = |field: &str, kind: &str| {
        let missing = || refused(4000, format!("IKESet: {field} is required with this {kind}"));
        text(field).ok_or_else(missing)
    };
    let local = match text("localIdentity").as_deref() {
        Some("fqdn") => Identity::Fqdn(required("localFqdnName", "localIdentity")?),
        _ => Identity::Address(text("localAddress").unwrap_or_else(|| GATEWAY_ADDRESS.into())),
    };
    let remote = match text("remoteIdentity").as_deref() {
        Some("fqdn") => Identity::Fqdn(required("remoteFqdnName", "remoteIdentity")?),
        Some(_) => Identity::Address(required("remoteAddress", "remoteIdentity")?),
        None => Identity::Address(text("remoteAddress").unwrap_or_else(|| CUSTOMER_ADDRESS.into())),
    };
    Ok(Ike {
        cipher: word(fields, "propoEncryAlgorithm", IKE_CIPHERS, TRIPLE_DES),
        hash: word(fields, "propoAuthenAlgorithm", IKE_HASHES, MD5),
        exchange: word(fields, "exchangeMode", EXCHANGES, MAIN),
        local,
        remote,
        group: word(fields, "dhGroupName", GROUPS, GROUP_1),
        lifetime: number(fields, "ikeSaLifetimeSeconds", 86_400),
    })
}

/// `IPsecSet` as the cloud stores it: the given fields over the defaults.
fn read_ipsec(fields: &Fields) -> Ipsec {
    Ipsec {
        cipher: word(fields, "encryptAlgorithm", IPSEC_CIPHERS, TRIPLE_DES),
        hash: word(fields, "integrityAlgorith", IPSEC_HASHES, MD5),
        lifetime: number(fields, "ipsecSaLifetimeSeconds", 3600),
        traffic: number(fields, "ipsecSaLifetimeTraffic", 1_843_200),
        pfs: word(fields, "pfsDhGroup", PFS, NO_PFS),
    }
}
