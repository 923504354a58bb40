//! What a rollout knows before it begins: the caller, and the tasks of the plan or of the state.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::domain::ids::TunnelPath;

use super::adopt::Adopted;
use super::caller::Caller;
use super::client::Client;
use super::error::RolloutError;
use super::job::{Job, Source, World, rollback_of};
use super::plan::{Change, Format, MAX_TUNNELS, Plan};
use super::state::{Entry, PlanMark, State, StateError, Step, Store, VERSION};
use super::task::{Task, Wanted};

/// Why a change can't be rolled back.
const KEY_CHANGED: &str =
    "the change set the pre-shared key, and the old one is stored nowhere: it can't be put back";
const LOST: &str = "the change may or may not have been accepted: see the tunnel's operations";

/// The tunnels of a rollout, in their order.
pub(super) struct Prepared {
    pub(super) tasks: Vec<Task>,
    /// The state of an interrupted run.
    pub(super) store: Option<Store>,
    pub(super) state_path: PathBuf,
    pub(super) is_rollback: bool,
    plan: Option<PlanMark>,
    /// Who makes the calls.
    pub(super) caller: Caller,
    /// Operations of an interrupted run that another caller began.
    pub(super) adopted: Adopted,
    /// Tunnels that can't be rolled back.
    pub(super) irreversible: Vec<(String, &'static str)>,
    /// The state of the rollout that is rolled back: locked, so that no other process continues the rollout.
    _rolled_back: Option<Store>,
}

/// Reads the plan and the state.
pub(super) async fn prepare(client: &Client, job: &Job, world: &World) -> Result<Prepared, RolloutError> {
    match &job.source {
        Source::Start { plan, state } => {
            if !job.is_dry_run && std::fs::symlink_metadata(state).is_ok() {
                return Err(StateError::Exists(state.clone()).into());
            }
            let rollback = rollback_of(state);
            if !job.is_dry_run && std::fs::symlink_metadata(&rollback).is_ok() {
                return Err(StateError::Exists(rollback).into());
            }
            let (bytes, plan) = read_plan(plan)?;
            let caller = caller(client).await?;
            let tasks = tasks_of(client, plan).await?;
            let mark = PlanMark::new(&bytes, &*world.chance);
            Ok(Prepared { plan: Some(mark), ..Prepared::new(caller, tasks, state.clone()) })
        }
        Source::Resume { plan: path, state } => {
            let store = Store::open(state)?;
            check(client, job, &store)?;
            let rollback = rollback_of(state);
            if std::fs::symlink_metadata(&rollback).is_ok() {
                return Err(RolloutError::RolledBack { state: state.clone(), rollback });
            }
            let (bytes, plan) = read_plan(path)?;
            let other = || RolloutError::OtherPlan(path.clone());
            if !store.look(|state| state.plan.as_ref().is_some_and(|mark| mark.is_of(&bytes))) {
                return Err(other());
            }
            let changes: HashMap<TunnelPath, Change> = match &plan {
                Plan::Listed(tunnels) => tunnels.iter().cloned().collect(),
                Plan::Selected { .. } => HashMap::new(),
            };
            let task = |entry: &Entry| {
                let path = entry.path()?;
                let change = match &plan {
                    Plan::Listed(_) => changes.get(&path).cloned()?,
                    Plan::Selected { change, .. } => Change::clone(change),
                };
                Some(Task { path, wanted: Wanted::Patch(change) })
            };
            let tasks = store.look(|state| state.tunnels.iter().map(task).collect::<Option<Vec<_>>>());
            let prepared = Prepared::new(caller(client).await?, tasks.ok_or_else(other)?, state.clone());
            prepared.resume(client, store).await
        }
        Source::Rollback { state } => rollback(client, job, state).await,
    }
}

/// Rolls back what the operations of a rollout changed, or goes on with that.
async fn rollback(client: &Client, job: &Job, path: &Path) -> Result<Prepared, RolloutError> {
    let of = Store::open(path)?;
    if of.look(|state| state.plan.is_none()) {
        return Err(RolloutError::NotARollout(path.to_owned()));
    }
    check_gateway(client, &of)?;
    let is_open = |entry: &Entry| matches!(entry.step, Step::Sending { .. } | Step::Running { .. });
    if of.look(|state| state.tunnels.iter().any(is_open)) {
        return Err(RolloutError::UnderWay(path.to_owned()));
    }
    let mut irreversible = Vec::new();
    let mut tasks = Vec::new();
    of.look(|state| {
        for entry in &state.tunnels {
            if matches!(entry.step, Step::Lost { .. }) {
                irreversible.push((entry.shown(), LOST));
            }
            let (Step::Done { operation_id: Some(operation) } | Step::After { operation_id: operation, .. }) =
                &entry.step
            else {
                continue;
            };
            match entry.path() {
                Some(path) if !entry.changes_key => {
                    tasks.push(Task { path, wanted: Wanted::Rollback(*operation) });
                }
                _ => irreversible.push((entry.shown(), KEY_CHANGED)),
            }
        }
    });
    let own = job.source.state();
    let store = if std::fs::symlink_metadata(&own).is_ok() { Some(Store::open(&own)?) } else { None };
    if let Some(store) = &store {
        check(client, job, store)?;
        let task =
            |entry: &Entry| Some(Task { path: entry.path()?, wanted: Wanted::Rollback(entry.rollback_of?) });
        let known = store.look(|state| state.tunnels.iter().map(task).collect::<Option<Vec<_>>>());
        let known = known.ok_or_else(|| RolloutError::NotARollout(own.clone()))?;
        let operations = |tasks: &[Task]| tasks.iter().filter_map(Task::rollback_of).collect::<HashSet<_>>();
        if operations(&known) != operations(&tasks) {
            return Err(RolloutError::OtherRollback { state: path.to_owned(), rollback: own });
        }
        tasks = known;
    }
    let prepared = Prepared::new(caller(client).await?, tasks, own);
    let prepared = Prepared { is_rollback: true, irreversible, _rolled_back: Some(of), ..prepared };
    match store {
        Some(store) => prepared.resume(client, store).await,
        None => Ok(prepared),
    }
}

async fn caller(client: &Client) -> Result<Caller, RolloutError> {
    client.caller().await.map_err(|error| RolloutError::NoCaller(error.to_string()))
}

fn read_plan(path: &Path) -> Result<(Vec<u8>, Plan), RolloutError> {
    let bytes = std::fs::read(path).map_err(|source| RolloutError::Plan { path: path.to_owned(), source })?;
    let plan = Plan::read(&bytes, Format::of(path))
        .map_err(|faults| RolloutError::InvalidPlan { path: path.to_owned(), faults })?;
    Ok((bytes, plan))
}

async fn tasks_of(client: &Client, plan: Plan) -> Result<Vec<Task>, RolloutError> {
    let (vpc, gateways, change) = match plan {
        Plan::Listed(tunnels) => {
            let task = |(path, change)| Task { path, wanted: Wanted::Patch(change) };
            return Ok(tunnels.into_iter().map(task).collect());
        }
        Plan::Selected { vpc, gateways, change } => (vpc, gateways, change),
    };
    let mut tasks = Vec::new();
    for gateway in gateways {
        let tunnels = client.tunnels(&vpc, &gateway).await;
        let failed = |error: String| RolloutError::Selector { gateway: format!("{vpc}/{gateway}"), error };
        for tunnel in tunnels.map_err(|error| failed(error.to_string()))? {
            let tunnel_id =
                tunnel.tunnel_id.parse().map_err(|_| failed("a tunnel has no valid id".into()))?;
            let path = TunnelPath { vpc_id: vpc.clone(), gateway_id: gateway.clone(), tunnel_id };
            tasks.push(Task { path, wanted: Wanted::Patch(Change::clone(&change)) });
        }
    }
    if tasks.is_empty() || tasks.len() > MAX_TUNNELS {
        return Err(RolloutError::Selected(tasks.len()));
    }
    Ok(tasks)
}

/// Checks that a state belongs to the same gateway, and that its changes are sent with the same reason: requests that may
/// have arrived are repeated as they were.
fn check(client: &Client, job: &Job, store: &Store) -> Result<(), RolloutError> {
    check_gateway(client, store)?;
    match (store.look(|state| state.reason.clone()), &job.reason) {
        (known, Some(given)) if known.as_ref() != Some(given) => {
            Err(RolloutError::OtherReason(known.unwrap_or_else(|| "none was given".into())))
        }
        _ => Ok(()),
    }
}

fn check_gateway(client: &Client, store: &Store) -> Result<(), RolloutError> {
    let (known, given) = (store.look(|state| state.url.clone()), client.base().as_str().to_owned());
    if known == given { Ok(()) } else { Err(RolloutError::OtherGateway { known, given }) }
}

impl Prepared {
    fn new(caller: Caller, tasks: Vec<Task>, state_path: PathBuf) -> Self {
        let (irreversible, adopted) = (Vec::new(), Adopted::default());
        Self {
            tasks,
            store: None,
            state_path,
            is_rollback: false,
            plan: None,
            caller,
            adopted,
            irreversible,
            _rolled_back: None,
        }
    }

    /// Goes on with the state of an interrupted run.
    async fn resume(mut self, client: &Client, store: Store) -> Result<Self, RolloutError> {
        self.adopted = Adopted::find(client, &store, &self.caller).await?;
        self.store = Some(store);
        Ok(self)
    }

    /// The entry of a task in the state of an interrupted run.
    pub(super) fn entry(&self, index: usize) -> Option<Entry> {
        self.store.as_ref()?.entry(index)
    }

    pub(super) fn is_to_do(&self, index: usize) -> bool {
        self.entry(index).is_none_or(|entry| entry.step.is_to_do())
    }

    /// The number of tunnels whose change an interrupted run has begun.
    pub(super) fn under_way(&self) -> usize {
        let is_under_way = |entry: &&Entry| entry.step.is_under_way();
        self.store
            .as_ref()
            .map_or(0, |store| store.look(|state| state.tunnels.iter().filter(is_under_way).count()))
    }

    /// The reason that is sent with every change.
    pub(super) fn reason(&self, job: &Job) -> Option<String> {
        match &self.store {
            Some(store) => store.look(|state| state.reason.clone()),
            None => job.reason.clone(),
        }
    }

    /// A new state without tunnels.
    pub(super) fn new_state(&self, client: &Client, job: &Job, world: &World) -> State {
        State {
            version: VERSION,
            url: client.base().as_str().to_owned(),
            created_at: world.clock.now(),
            caller: self.caller.clone(),
            reason: job.reason.clone(),
            plan: self.plan.clone(),
            tunnels: Vec::new(),
        }
    }

    /// True if nothing may be sent, because a change would be refused. A rollback goes on without that tunnel, and so does a
    /// rollout that was begun: what is under way must be followed.
    pub(super) fn refuses_all(&self, has_refusals: bool) -> bool {
        !self.is_rollback && self.store.is_none() && has_refusals
    }
}
