//! A tunnel with its state, and the changes that a call may ask for.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::behaviour::Behaviour;

/// A tunnel. Its values are those that `DescribeVpnConn` shows; each id has its unified and its old form.
#[derive(Debug, Clone)]
pub(super) struct Tunnel {
    pub(super) vpc: (&'static str, &'static str),
    pub(super) gateway: (&'static str, i64),
    pub(super) id: (String, i64),
    pub(super) name: String,
    pub(super) key: String,
    pub(super) sources: Vec<String>,
    pub(super) destinations: Vec<String>,
    pub(super) ike: BTreeMap<String, Value>,
    pub(super) ipsec: BTreeMap<String, Value>,
    pub(super) task: Option<i64>,
    /// True if the last change failed.
    pub(super) has_failed: bool,
    /// The number of changes received, for behaviours that differ between the first and the next.
    pub(super) attempts: u32,
}

/// The fields of `IKESet` or `IPsecSet` that a call gives.
pub(super) type Fields = BTreeMap<&'static str, String>;

/// The change that a call asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Change {
    pub(super) name: Option<String>,
    pub(super) key: Option<String>,
    pub(super) sources: Option<Vec<String>>,
    pub(super) destinations: Vec<String>,
    /// A given set replaces the old one, and the fields that it leaves out fall back to the defaults. No document says
    /// so; it is the dangerous reading, under which a gateway that sends part of a set weakens a tunnel visibly.
    pub(super) ike: Option<Fields>,
    pub(super) ipsec: Option<Fields>,
    /// True if `IKESet` came in the plain style, in which it holds IPsec's cipher too.
    pub(super) is_plain: bool,
}

impl Tunnel {
    pub(super) fn new(
        vpc: (&'static str, &'static str),
        gateway: (&'static str, i64),
        id: &str,
        number: i64,
    ) -> Self {
        let name = id.strip_prefix("vpnx-").unwrap_or(id).to_owned();
        Self {
            vpc,
            gateway,
            id: (id.to_owned(), number),
            name,
            key: "set-when-it-was-made".into(),
            sources: vec!["10.0.0.0/16".into()],
            destinations: vec!["172.16.0.0/16".into()],
            ike: strong_ike(),
            ipsec: strong_ipsec(),
            task: None,
            has_failed: id == "vpnx-modification-failed",
            attempts: 0,
        }
    }

    /// `vpcConnStatus`.
    pub(super) fn status(&self) -> u8 {
        let lasting = self.behaviour().and_then(Behaviour::status);
        lasting.unwrap_or(match (self.task, self.has_failed) {
            (Some(_), _) => 2,
            (None, true) => 3,
            (None, false) => 6,
        })
    }

    /// `netStatus`.
    pub(super) fn net_status(&self) -> Option<&'static str> {
        match self.behaviour() {
            Some(Behaviour::Disconnected) => Some("unavailable"),
            Some(Behaviour::ConnectivityUnsaid) => None,
            Some(Behaviour::StrangeConnectivity) => Some("degraded"),
            _ => Some("available"),
        }
    }

    /// `createTime`: a time on one day that grows with the tunnel's number, and starts again at midnight.
    pub(super) fn created_at(&self) -> String {
        let seconds = self.id.1.rem_euclid(86_400);
        format!("2018-01-31 {:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }

    /// How the tunnel misbehaves; `None` if it is an ordinary one.
    pub(super) fn behaviour(&self) -> Option<Behaviour> {
        Behaviour::from_word(self.id.0.strip_prefix("vpnx-")?)
    }

    /// True if `id` is either form of the tunnel's id.
    pub(super) fn is(&self, id: &str) -> bool {
        self.id.0 == id || self.id.1.to_string() == id
    }

    pub(super) fn is_in(&self, vpc: &str) -> bool {
        self.vpc.0 == vpc || self.vpc.1 == vpc
    }

    pub(super) fn is_on(&self, gateway: &str) -> bool {
        self.gateway.0 == gateway || self.gateway.1.to_string() == gateway
    }

    /// Sets the values that `change` asks for.
    pub(super) fn apply(&mut self, change: &Change) {
        if let Some(name) = &change.name {
            self.name.clone_from(name);
        }
        if let Some(key) = &change.key {
            self.key.clone_from(key);
        }
        if self.behaviour() != Some(Behaviour::Diverged) {
            self.destinations.clone_from(&change.destinations);
            if let Some(sources) = &change.sources {
                self.sources.clone_from(sources);
            }
        }
        if let Some(ike) = &change.ike {
            self.ike = with_defaults(ike, &ike_defaults());
            // Answers show values only for the fields of the identity in use.
            let unused = |set: &mut BTreeMap<String, Value>, kind: &str, fqdn: &str, address: &str| {
                let field = if set.get(kind) == Some(&json!("fqdn")) { address } else { fqdn };
                set.insert(field.to_owned(), Value::Null);
            };
            unused(&mut self.ike, "localIdentity", "localFqdnName", "localAddress");
            unused(&mut self.ike, "remoteIdentity", "remoteFqdnName", "remoteAddress");
        }
        if let Some(ipsec) = &change.ipsec {
            self.ipsec = with_defaults(ipsec, &ipsec_defaults());
            if self.ipsec.get("integrityAlgorith") == Some(&json!("sha")) {
                // Answers call it `sha1`.
                self.ipsec.insert("integrityAlgorith".into(), json!("sha1"));
            }
        }
        let has_cipher = change.ipsec.as_ref().is_some_and(|ipsec| ipsec.contains_key("encryptAlgorithm"));
        if change.is_plain && !has_cipher {
            self.ipsec.insert("encryptAlgorithm".into(), json!("3des-cbc"));
        }
    }
}

fn strong_ike() -> BTreeMap<String, Value> {
    let given = BTreeMap::from([
        ("propoEncryAlgorithm", "aes-cbc-256".to_owned()),
        ("propoAuthenAlgorithm", "sha".to_owned()),
        ("dhGroupName", "group14".to_owned()),
        ("remoteAddress", "203.0.113.20".to_owned()),
    ]);
    with_defaults(&given, &ike_defaults())
}

fn strong_ipsec() -> BTreeMap<String, Value> {
    let given = BTreeMap::from([
        ("encryptAlgorithm", "aes-cbc-256".to_owned()),
        ("integrityAlgorith", "sha1".to_owned()),
        ("pfsDhGroup", "dh-group14".to_owned()),
    ]);
    with_defaults(&given, &ipsec_defaults())
}

/// A set as the cloud stores it: the given fields over the defaults.
fn with_defaults(given: &Fields, defaults: &[(&'static str, Value)]) -> BTreeMap<String, Value> {
    let mut stored: BTreeMap<String, Value> =
        defaults.iter().map(|(field, value)| ((*field).to_owned(), value.clone())).collect();
    for (field, value) in given {
        stored.insert((*field).to_owned(), Value::from(value.as_str()));
    }
    stored
}

fn ike_defaults() -> Vec<(&'static str, Value)> {
    vec![
        ("propoEncryAlgorithm", json!("3des-cbc")),
        ("propoAuthenAlgorithm", json!("md5")),
        ("exchangeMode", json!("main")),
        ("localIdentity", json!("address")),
        ("localAddress", json!("203.0.113.10")),
        ("localFqdnName", Value::Null),
        ("remoteIdentity", json!("address")),
        ("remoteAddress", json!("203.0.113.20")),
        ("remoteFqdnName", Value::Null),
        ("dhGroupName", json!("group1")),
        ("ikeSaLifetimeSeconds", json!("86400")),
    ]
}

fn ipsec_defaults() -> Vec<(&'static str, Value)> {
    vec![
        ("encryptAlgorithm", json!("3des-cbc")),
        ("integrityAlgorith", json!("md5")),
        ("ipsecSaLifetimeSeconds", json!("3600")),
        ("ipsecSaLifetimeTraffic", json!("1843200")),
        ("pfsDhGroup", json!("null")),
        ("encapMode", json!("tunnel")),
        ("securityProto", json!("esp")),
    ]
}
