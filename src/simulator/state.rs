//! The cloud's state: tunnels, tasks, nonces, and a journal of the changes that came in.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::domain::timestamp::Timestamp;

use super::behaviour::{Behaviour, Spelt};
use super::settings::{Wanted, with_defaults};

/// How long finished tasks are remembered.
const TASK_MEMORY: Duration = Duration::from_secs(3600);
/// Changes, and polls, that the journals keep.
const MAX_JOURNAL: usize = 100_000;
/// Tunnels that load tests make, at the most.
const MAX_TUNNELS: usize = 100_000;

/// A `ModifyVpnConnEx` that came in.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    pub received_at: Timestamp,
    pub tunnel_id: String,
    pub nonce: String,
    /// Every parameter; the pre-shared key as its SHA-256 in hex.
    pub params: BTreeMap<String, String>,
    /// True if it started a task.
    pub applied: bool,
    /// What was answered.
    pub answer: String,
}

/// A `DescribeVpcTaskResult` that came in.
#[derive(Debug, Clone, Serialize)]
pub struct Poll {
    pub received_at: Timestamp,
    pub task_id: i64,
    /// As the caller gave it; tells replicas apart that are set up so.
    pub region: String,
}

/// A tunnel, with its values as `DescribeVpnConn` shows them.
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
    /// The last change failed.
    pub(super) has_failed: bool,
    /// Changes that came in, for behaviours that change after some.
    pub(super) attempts: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) ends_at: Option<Timestamp>,
    pub(super) behaviour: Option<Behaviour>,
    pub(super) wanted: Wanted,
    tunnel: String,
    done: bool,
}

pub(super) struct State {
    pub(super) tunnels: HashMap<String, Tunnel>,
    pub(super) tasks: HashMap<i64, Task>,
    nonces: HashMap<i64, i64>,
    next_task: i64,
    pub(super) journal: Vec<Entry>,
    pub(super) polls: Vec<Poll>,
}

const VPC: (&str, &str) = ("vpc-03vihbk9", "gz_vpc_8849");
const GATEWAY: (&str, i64) = ("vpngw-kfldykuz", 547);
const BRANCH_GATEWAY: (&str, i64) = ("vpngw-branches", 548);
/// Tunnels on that gateway.
const BRANCHES: i64 = 120;

impl Tunnel {
    fn new(vpc: (&'static str, &'static str), gateway: (&'static str, i64), id: &str, number: i64) -> Self {
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

    /// `createTime`: those with higher numbers are younger, within a day.
    pub(super) fn created_at(&self) -> String {
        let seconds = self.id.1.rem_euclid(86_400);
        format!("2018-01-31 {:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }

    pub(super) fn behaviour(&self) -> Option<Behaviour> {
        Behaviour::from_word(self.id.0.strip_prefix("vpnx-")?)
    }

    /// True if either form of the id is meant.
    pub(super) fn is(&self, id: &str) -> bool {
        self.id.0 == id || self.id.1.to_string() == id
    }

    pub(super) fn is_in(&self, vpc: &str) -> bool {
        self.vpc.0 == vpc || self.vpc.1 == vpc
    }

    pub(super) fn is_on(&self, gateway: &str) -> bool {
        self.gateway.0 == gateway || self.gateway.1.to_string() == gateway
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

impl State {
    pub(super) fn new(chance: &dyn Chance) -> Self {
        let mut state = Self {
            tunnels: HashMap::new(),
            tasks: HashMap::new(),
            nonces: HashMap::new(),
            // Tasks of an earlier run must not look like those of this one.
            next_task: 10_000 + i64::from((chance.word() % 1_000_000) as u32),
            journal: Vec::new(),
            polls: Vec::new(),
        };
        let ordinary = ["vpnx-ol6bcqp0", "vpnx-branch01", "vpnx-branch02"].map(str::to_owned);
        let misbehaving = Behaviour::ALL.iter().map(|behaviour| format!("vpnx-{behaviour}"));
        for (id, number) in ordinary.into_iter().chain(misbehaving).zip(399..) {
            state.tunnels.insert(id.clone(), Tunnel::new(VPC, GATEWAY, &id, number));
        }
        let production = Tunnel::new(("vpc-prod-1", "gz_vpc_9001"), ("vpngw-prod1", 601), "vpnx-prod1", 801);
        state.tunnels.insert("vpnx-prod1".into(), production);
        // Enough for several pages.
        for number in 1..=BRANCHES {
            let id = format!("vpnx-site-{number:03}");
            state.tunnels.insert(id.clone(), Tunnel::new(VPC, BRANCH_GATEWAY, &id, 2000 + number));
        }
        state
    }

    /// False if the nonce was used before; forgets those from before `forget_before`.
    pub(super) fn remember_nonce(&mut self, nonce: i64, at: i64, forget_before: i64) -> bool {
        if self.nonces.len() > 10_000 && self.nonces.len().is_power_of_two() {
            self.nonces.retain(|_, seen| *seen >= forget_before);
        }
        self.nonces.insert(nonce, at).is_none()
    }

    /// The key of a tunnel by either form of its id; those of load tests, and those whose name spells out an answer, are
    /// made when they are first asked for.
    pub(super) fn find(&mut self, id: &str) -> Option<String> {
        if let Some(tunnel) = self.tunnels.get(id) {
            return Some(tunnel.id.0.clone());
        }
        let load = id.strip_prefix("vpnx-load-").and_then(|number| number.parse::<u32>().ok());
        let spelt =
            || Spelt::of(id).and_then(|_| u32::try_from(self.tunnels.len()).ok()?.checked_add(1_000_000));
        if let Some(number) = load.or_else(spelt)
            && self.tunnels.len() < MAX_TUNNELS
        {
            self.tunnels.insert(id.to_owned(), Tunnel::new(VPC, GATEWAY, id, 1_000_000 + i64::from(number)));
            return Some(id.to_owned());
        }
        self.tunnels.values().find(|tunnel| tunnel.is(id)).map(|tunnel| tunnel.id.0.clone())
    }

    /// Starts a task that will carry the change out.
    pub(super) fn start(&mut self, tunnel: &str, wanted: Wanted, now: Timestamp, takes: Duration) -> i64 {
        let behaviour = self.tunnels.get(tunnel).and_then(Tunnel::behaviour);
        let ends_at = match behaviour {
            Some(Behaviour::TaskNeverEnds) => None,
            Some(Behaviour::SlowTask) => Some(now.plus(takes * 5)),
            _ => Some(now.plus(takes)),
        };
        let id = self.next_task;
        self.next_task += 1;
        let task = Task { ends_at, behaviour, wanted, tunnel: tunnel.to_owned(), done: false };
        self.tasks.insert(id, task);
        if let Some(tunnel) = self.tunnels.get_mut(tunnel) {
            tunnel.task = Some(id);
        }
        id
    }

    /// Lets time pass: tasks that have ended are carried out, old ones forgotten.
    pub(super) fn pass(&mut self, now: Timestamp) {
        for (id, task) in &mut self.tasks {
            if task.done || task.ends_at.is_none_or(|end| end > now) {
                continue;
            }
            task.done = true;
            let Some(tunnel) = self.tunnels.get_mut(&task.tunnel) else { continue };
            if tunnel.task == Some(*id) {
                tunnel.task = None;
            }
            tunnel.has_failed =
                matches!(task.behaviour, Some(Behaviour::TaskFails | Behaviour::TaskEchoesKey));
            if !tunnel.has_failed {
                carry_out(tunnel, &task.wanted, task.behaviour);
            }
        }
        self.tasks.retain(|_, task| task.ends_at.is_none_or(|end| now < end.plus(TASK_MEMORY)));
    }

    pub(super) fn note(&mut self, entry: Entry) {
        if self.journal.len() < MAX_JOURNAL {
            self.journal.push(entry);
        }
    }

    pub(super) fn note_poll(&mut self, poll: Poll) {
        if self.polls.len() < MAX_JOURNAL {
            self.polls.push(poll);
        }
    }
}

fn carry_out(tunnel: &mut Tunnel, wanted: &Wanted, behaviour: Option<Behaviour>) {
    if let Some(name) = &wanted.name {
        tunnel.name.clone_from(name);
    }
    if let Some(key) = &wanted.key {
        tunnel.key.clone_from(key);
    }
    if behaviour != Some(Behaviour::Diverged) {
        tunnel.destinations.clone_from(&wanted.destinations);
        if let Some(sources) = &wanted.sources {
            tunnel.sources.clone_from(sources);
        }
    }
    if let Some(ike) = &wanted.ike {
        tunnel.ike = with_defaults(ike, &ike_defaults());
        // Only the fields of the identity in use have a value.
        let unused = |set: &mut BTreeMap<String, Value>, kind: &str, fqdn: &str, address: &str| {
            let field = if set.get(kind) == Some(&json!("fqdn")) { address } else { fqdn };
            set.insert(field.to_owned(), Value::Null);
        };
        unused(&mut tunnel.ike, "localIdentity", "localFqdnName", "localAddress");
        unused(&mut tunnel.ike, "remoteIdentity", "remoteFqdnName", "remoteAddress");
    }
    if let Some(ipsec) = &wanted.ipsec {
        tunnel.ipsec = with_defaults(ipsec, &ipsec_defaults());
        if tunnel.ipsec.get("integrityAlgorith") == Some(&json!("sha")) {
            // So it is shown.
            tunnel.ipsec.insert("integrityAlgorith".into(), json!("sha1"));
        }
    }
    let has_cipher = wanted.ipsec.as_ref().is_some_and(|ipsec| ipsec.contains_key("encryptAlgorithm"));
    if wanted.is_plain && !has_cipher {
        tunnel.ipsec.insert("encryptAlgorithm".into(), json!("3des-cbc"));
    }
}
