//! The cloud's state: tunnels, tasks, nonces, and journals of the calls received.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::Serialize;

use crate::chance::Chance;
use crate::domain::timestamp::Timestamp;

use super::behaviour::{Behaviour, Lists, Spelt};
use super::change::Change;
use super::tunnel::Tunnel;

/// Finished tasks are deleted after this time.
const TASK_MEMORY: Duration = Duration::from_secs(3600);
/// The largest length of a journal. Later calls are not recorded.
const MAX_JOURNAL: usize = 100_000;
/// The largest number of tunnels, those that load tests create included.
const MAX_TUNNELS: usize = 200_000;

/// A change that the simulator received: `ModifyVpnConnEx`, or `ModifyVpnConnectionAttribute`.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    pub received_at: Timestamp,
    /// The version of the API, `2.0` or `3.0`.
    pub api: &'static str,
    pub tunnel_id: String,
    /// Empty in API 3.0, which has none.
    pub nonce: String,
    /// Every parameter, with the SHA-256 of the pre-shared key, in hex, instead of the key. A member of a record of API 3.0
    /// has the names of both with a dot between them, an item of a list its index.
    pub params: BTreeMap<String, String>,
    /// True if the call started a task.
    pub applied: bool,
    /// A short description of the answer.
    pub answer: String,
}

/// A `DescribeVpcTaskResult` that the simulator received.
#[derive(Debug, Clone, Serialize)]
pub struct Poll {
    pub received_at: Timestamp,
    /// The version of the API, `2.0` or `3.0`.
    pub api: &'static str,
    pub task_id: String,
    /// The region of the call. Tests give every replica a region of its own to tell their polls apart.
    pub region: String,
}

#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) ends_at: Option<Timestamp>,
    pub(super) behaviour: Option<Behaviour>,
    pub(super) change: Change,
    tunnel: String,
    done: bool,
}

/// What is wrong with a page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageFault {
    /// The answer lacks the list.
    Unlisted,
    /// There is no answer.
    Silent,
}

pub(super) struct State {
    /// The credentials may list the tunnels of a gateway, and not those of the account.
    pub(super) may_list_gateways_only: bool,
    /// Pages that got no answer.
    pub(super) silent_pages: usize,
    pub(super) tunnels: HashMap<String, Tunnel>,
    pub(super) tasks: HashMap<String, Task>,
    nonces: HashMap<i64, i64>,
    next_task: i64,
    pub(super) journal: Vec<Entry>,
    pub(super) polls: Vec<Poll>,
    pub(super) lists: Lists,
}

const VPC: (&str, &str) = ("vpc-03vihbk9", "gz_vpc_8849");
const GATEWAY: (&str, i64) = ("vpngw-kfldykuz", 547);
const BRANCH_GATEWAY: (&str, i64) = ("vpngw-branches", 548);
/// The number of tunnels on the gateway [`BRANCH_GATEWAY`].
const BRANCHES: i64 = 120;
/// Gateways for load tests: `vpngw-load-1` has `vpnx-load-1-1` to `vpnx-load-1-50`, and so on. They exist from their first
/// use on.
const LOAD_GATEWAY: &str = "vpngw-load-";
const LOAD_TUNNELS: u32 = 50;

impl State {
    pub(super) fn new(chance: &dyn Chance) -> Self {
        let mut state = Self {
            may_list_gateways_only: false,
            silent_pages: 0,
            tunnels: HashMap::new(),
            tasks: HashMap::new(),
            nonces: HashMap::new(),
            // A random start: task ids of an earlier run must not name tasks of this run.
            next_task: 10_000 + i64::from((chance.word() % 1_000_000) as u32),
            journal: Vec::new(),
            polls: Vec::new(),
            lists: Lists::default(),
        };
        let ordinary = ["vpnx-ol6bcqp0", "vpnx-branch01", "vpnx-branch02"].map(str::to_owned);
        let misbehaving = Behaviour::ALL.iter().map(|behaviour| format!("vpnx-{behaviour}"));
        for (id, number) in ordinary.into_iter().chain(misbehaving).zip(399..) {
            state.tunnels.insert(id.clone(), Tunnel::new(VPC, GATEWAY, &id, number));
        }
        let production = Tunnel::new(("vpc-prod-1", "gz_vpc_9001"), ("vpngw-prod1", 601), "vpnx-prod1", 801);
        state.tunnels.insert("vpnx-prod1".into(), production);
        // Enough tunnels for several pages of `DescribeVpnConn`.
        for number in 1..=BRANCHES {
            let id = format!("vpnx-site-{number:03}");
            state.tunnels.insert(id.clone(), Tunnel::new(VPC, BRANCH_GATEWAY, &id, 2000 + number));
        }
        state
    }

    /// Creates the tunnels of a gateway for load tests at its first use.
    pub(super) fn prepare_gateway(&mut self, gateway: &str) {
        let number = gateway.strip_prefix(LOAD_GATEWAY).and_then(|number| number.parse::<u32>().ok());
        let Some(number) = number.filter(|number| gateway == format!("{LOAD_GATEWAY}{number}")) else {
            return;
        };
        let is_new = !self.tunnels.contains_key(&format!("vpnx-load-{number}-1"));
        if is_new && self.tunnels.len() < MAX_TUNNELS {
            let old = 1_000_000_000 + i64::from(number) * i64::from(LOAD_TUNNELS);
            for tunnel in 1..=LOAD_TUNNELS {
                let id = format!("vpnx-load-{number}-{tunnel}");
                let created = Tunnel::new(VPC, (gateway, old), &id, old + i64::from(tunnel) - 1);
                self.tunnels.insert(id, created);
            }
        }
    }

    /// The tunnels that may be on a gateway; all if it is `None`. Those of a gateway for load tests are found without
    /// looking at all others.
    pub(super) fn candidates(&self, gateway: Option<&str>) -> Vec<&Tunnel> {
        let Some(number) = gateway.and_then(|gateway| gateway.strip_prefix(LOAD_GATEWAY)) else {
            return self.tunnels.values().collect();
        };
        let id = |tunnel| format!("vpnx-load-{number}-{tunnel}");
        (1..=LOAD_TUNNELS).filter_map(|tunnel| self.tunnels.get(&id(tunnel))).collect()
    }

    /// Stores a nonce with its timestamp `at`, in seconds. False if the nonce was used before. Now and then deletes the
    /// nonces with timestamps before `forget_before`.
    pub(super) fn use_nonce(&mut self, nonce: i64, at: i64, forget_before: i64) -> bool {
        if self.nonces.len() > 10_000 && self.nonces.len().is_power_of_two() {
            self.nonces.retain(|_, seen| *seen >= forget_before);
        }
        self.nonces.insert(nonce, at).is_none()
    }

    /// The unified id of the tunnel that has this id in either form. Creates the tunnel if the id is one of a load test
    /// or spells out an answer.
    pub(super) fn find(&mut self, id: &str) -> Option<String> {
        if let Some((gateway, _)) = id.strip_prefix("vpnx-load-").and_then(|rest| rest.split_once('-')) {
            self.prepare_gateway(&format!("{LOAD_GATEWAY}{gateway}"));
        }
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

    /// As [`State::find`], by the unified id only.
    pub(super) fn find_unified(&mut self, id: &str) -> Option<String> {
        if id.starts_with("vpnx-") { self.find(id) } else { None }
    }

    /// The id of the next task of API 2.0.
    pub(super) fn next_task_id(&mut self) -> String {
        let id = self.next_task;
        self.next_task += 1;
        id.to_string()
    }

    /// Starts the task `id`, which applies `change` when it ends.
    pub(super) fn start(&mut self, id: &str, tunnel: &str, change: Change, now: Timestamp, takes: Duration) {
        let behaviour = self.tunnels.get(tunnel).and_then(Tunnel::behaviour);
        let ends_at = match behaviour {
            Some(Behaviour::TaskNeverEnds) => None,
            Some(Behaviour::SlowTask) => Some(now.plus(takes * 5)),
            _ => Some(now.plus(takes)),
        };
        let task = Task { ends_at, behaviour, change, tunnel: tunnel.to_owned(), done: false };
        self.tasks.insert(id.to_owned(), task);
        if let Some(tunnel) = self.tunnels.get_mut(tunnel) {
            tunnel.task = Some(id.to_owned());
        }
    }

    /// Ends the task of a tunnel now; false if the tunnel has none.
    pub(super) fn end_task(&mut self, tunnel: &str, now: Timestamp) -> bool {
        let task = self.tunnels.get(tunnel).and_then(|tunnel| tunnel.task.clone());
        let Some(task) = task.and_then(|id| self.tasks.get_mut(&id)) else { return false };
        task.ends_at = Some(now);
        self.advance(now);
        true
    }

    /// What is wrong with a page with these tunnels.
    pub(super) fn page_fault(&mut self, tunnels: &[String]) -> Option<PageFault> {
        for id in tunnels {
            let Some(tunnel) = self.tunnels.get_mut(id) else { continue };
            if tunnel.unlisted_pages > 0 {
                tunnel.unlisted_pages -= 1;
                return Some(PageFault::Unlisted);
            }
            if tunnel.silent_pages > 0 {
                tunnel.silent_pages -= 1;
                self.silent_pages += 1;
                return Some(PageFault::Silent);
            }
        }
        None
    }

    /// Moves the state on to `now`: applies the changes of tasks that have ended, and deletes old tasks.
    pub(super) fn advance(&mut self, now: Timestamp) {
        for (id, task) in &mut self.tasks {
            if task.done || task.ends_at.is_none_or(|end| end > now) {
                continue;
            }
            task.done = true;
            let Some(tunnel) = self.tunnels.get_mut(&task.tunnel) else { continue };
            if tunnel.task.as_ref() == Some(id) {
                tunnel.task = None;
            }
            tunnel.has_failed =
                matches!(task.behaviour, Some(Behaviour::TaskFails | Behaviour::TaskEchoesKey));
            if !tunnel.has_failed {
                tunnel.apply(&task.change);
            }
        }
        self.tasks.retain(|_, task| task.ends_at.is_none_or(|end| now < end.plus(TASK_MEMORY)));
    }

    pub(super) fn record(&mut self, entry: Entry) {
        if self.journal.len() < MAX_JOURNAL {
            self.journal.push(entry);
        }
    }

    pub(super) fn record_poll(&mut self, poll: Poll) {
        if self.polls.len() < MAX_JOURNAL {
            self.polls.push(poll);
        }
    }
}
