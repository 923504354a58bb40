//! What a rollout knows before it begins: the tasks of the plan or of the state, and what the gateway says about them.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::domain::ids::TunnelPath;

use super::client::{CallError, Client};
use super::gateway::TunnelNow;
use super::job::{Job, Source, World, rollback_of};
use super::order::{Member, paired_with};
use super::output::{Output, shown_path};
use super::plan::{Change, Format, MAX_TUNNELS, Plan, PlanFault};
use super::state::{Entry, PlanMark, State, StateError, Step, Store, VERSION};
use super::survey::{self, Refusal, Seen};
use super::task::{Task, Wanted};

/// Why a change can't be rolled back.
const KEY_CHANGED: &str =
    "the change set the pre-shared key, and the old one is stored nowhere: it can't be put back";
const LOST: &str = "the change may or may not have been accepted: see the tunnel's operations";

/// Why nothing was begun, or why a rollout stopped without a report.
#[derive(Debug, thiserror::Error)]
pub enum RolloutError {
    #[error("can't read {}", path.display())]
    Plan { path: PathBuf, source: std::io::Error },
    #[error("{} has {} faults", path.display(), faults.len())]
    InvalidPlan { path: PathBuf, faults: Vec<PlanFault> },
    #[error("can't list the tunnels of {gateway}: {error}")]
    Selector { gateway: String, error: String },
    #[error("the selector finds {0} tunnels; a rollout has 1 to {MAX_TUNNELS}")]
    Selected(usize),
    #[error("{} is not the plan that the state belongs to, or was changed since", .0.display())]
    OtherPlan(PathBuf),
    #[error("the state belongs to the gateway {known}, not {given}")]
    OtherGateway { known: String, given: String },
    #[error("--reason must stay what it was: {0}")]
    OtherReason(String),
    #[error("{} is the state of a rollback, which can't be rolled back; roll out a plan instead", .0.display())]
    NotARollout(PathBuf),
    #[error("{} has changes under way: finish them with --resume first", .0.display())]
    UnderWay(PathBuf),
    #[error(
        "{} is being rolled back, or was, as {} says: to change the tunnels again, begin a new rollout with another --state",
        state.display(), rollback.display()
    )]
    RolledBack { state: PathBuf, rollback: PathBuf },
    #[error(
        "{} is not the rollback of all changes of {}: move it away to roll back the changes again",
        rollback.display(), state.display()
    )]
    OtherRollback { state: PathBuf, rollback: PathBuf },
    #[error("can't ask for confirmation: standard input is no terminal. Add --yes to go on without asking")]
    NobodyToAsk,
    #[error(transparent)]
    State(#[from] StateError),
    /// After the beginning.
    #[error("the rollout stopped, and can go on with --resume or --rollback")]
    Stopped(#[source] StateError),
}

/// The tunnels of a rollout, in their order.
pub(super) struct Prepared {
    pub(super) tasks: Vec<Task>,
    /// The state of an interrupted run.
    pub(super) store: Option<Store>,
    pub(super) state_path: PathBuf,
    pub(super) is_rollback: bool,
    plan: Option<PlanMark>,
    /// Tunnels that can't be rolled back.
    pub(super) irreversible: Vec<(String, &'static str)>,
    /// The state of the rollout that is rolled back: locked, so that no other process continues the rollout.
    _rolled_back: Option<Store>,
}

/// What the gateway says.
pub(super) struct Surveyed {
    /// For each task.
    pub(super) members: Vec<Member>,
    looks: Vec<(usize, Result<Seen, Vec<Refusal>>)>,
    /// The tunnels whose change is to be begun.
    pub(super) queue: Vec<usize>,
    /// The tunnels that have all values already.
    pub(super) as_asked: Vec<usize>,
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
            let tasks = tasks_of(client, plan).await?;
            let mark = PlanMark::new(&bytes, &*world.chance);
            Ok(Prepared::new(tasks, None, state.clone(), Some(mark)))
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
            Ok(Prepared::new(tasks.ok_or_else(other)?, Some(store), state.clone(), None))
        }
        Source::Rollback { state } => rollback(client, job, state),
    }
}

/// Rolls back what the operations of a rollout changed, or goes on with that.
fn rollback(client: &Client, job: &Job, path: &Path) -> Result<Prepared, RolloutError> {
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
    let prepared = Prepared::new(tasks, store, own, None);
    Ok(Prepared { is_rollback: true, irreversible, _rolled_back: Some(of), ..prepared })
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
    fn new(tasks: Vec<Task>, store: Option<Store>, state_path: PathBuf, plan: Option<PlanMark>) -> Self {
        let irreversible = Vec::new();
        Self { tasks, store, state_path, is_rollback: false, plan, irreversible, _rolled_back: None }
    }

    /// The entry of a task in the state of an interrupted run.
    fn entry(&self, index: usize) -> Option<Entry> {
        self.store.as_ref()?.entry(index)
    }

    fn is_to_do(&self, index: usize) -> bool {
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
            reason: job.reason.clone(),
            plan: self.plan.clone(),
            tunnels: Vec::new(),
        }
    }

    /// True if nothing may be sent, because a change would be refused. A rollback goes on without that tunnel, and so does a
    /// rollout that was begun: what is under way must be followed.
    pub(super) fn refuses_all(&self, surveyed: &Surveyed) -> bool {
        !self.is_rollback && self.store.is_none() && surveyed.has_refusals()
    }

    /// The tunnels that are left out because their change would be refused.
    pub(super) fn skipped(&self, surveyed: &Surveyed) -> Vec<(usize, String)> {
        let refused = |(index, look): &(usize, Result<Seen, Vec<Refusal>>)| {
            let refusals = look.as_ref().err()?;
            let details: Vec<&str> = refusals.iter().map(|refusal| refusal.detail.as_str()).collect();
            Some((*index, format!("would be refused: {}", details.join("; "))))
        };
        surveyed.looks.iter().filter_map(refused).collect()
    }
}

/// Reads all tunnels, and looks at all changes that are still to be begun.
pub(super) async fn survey(
    client: &Client,
    prepared: &Prepared,
    world: &World,
    reason: Option<&str>,
) -> Surveyed {
    let paths: Vec<&TunnelPath> = prepared.tasks.iter().map(|task| &task.path).collect();
    let now = survey::read_all(client, &paths).await;
    let asked: Vec<usize> = (0..prepared.tasks.len()).filter(|index| prepared.is_to_do(*index)).collect();
    let tasks: Vec<(&Task, &Result<TunnelNow, CallError>)> =
        asked.iter().filter_map(|index| Some((prepared.tasks.get(*index)?, now.get(*index)?))).collect();
    let looks = survey::look_at_all(client, &*world.chance, &tasks, reason).await;
    let mut looks: Vec<(usize, Result<Seen, Vec<Refusal>>)> = asked.into_iter().zip(looks).collect();
    refuse_twins(prepared, &now, &mut looks);
    let seen = |index: usize| {
        let (_, look) = looks.iter().find(|(other, _)| *other == index)?;
        look.as_ref().ok()
    };
    let member = |(index, now): (usize, &Result<TunnelNow, CallError>)| match now {
        Ok(tunnel) => {
            let entry = prepared.entry(index);
            let planned = entry.iter().flat_map(|entry| &entry.peer_ranges);
            let asked = seen(index).into_iter().flat_map(|seen| &seen.peer_ranges);
            let all = tunnel
                .peers()
                .into_iter()
                .chain(planned.map(String::as_str))
                .chain(asked.map(String::as_str));
            if tunnel.peers().is_empty() {
                Member::unknown_of(&tunnel.vpc_id)
            } else {
                Member::new(&tunnel.vpc_id, all)
            }
        }
        Err(_) => Member::unknown(),
    };
    let members = now.iter().enumerate().map(member).collect();
    let of = |is_as_asked: bool| {
        let matching = looks
            .iter()
            .filter(|(_, look)| look.as_ref().is_ok_and(|seen| seen.is_as_asked() == is_as_asked));
        matching.map(|(index, _)| *index).collect()
    };
    Surveyed { queue: of(false), as_asked: of(true), members, looks }
}

/// Refuses a tunnel that the plan has twice, by its older and its unified ids.
fn refuse_twins(
    prepared: &Prepared,
    now: &[Result<TunnelNow, CallError>],
    looks: &mut [(usize, Result<Seen, Vec<Refusal>>)],
) {
    let mut first: HashMap<(&str, &str), usize> = HashMap::new();
    for (index, tunnel) in now.iter().enumerate() {
        let Ok(tunnel) = tunnel else { continue };
        let other = *first.entry((&tunnel.vpc_id, &tunnel.tunnel_id)).or_insert(index);
        if other == index {
            continue;
        }
        let path = prepared.tasks.get(other).map(|task| shown_path(&task.path)).unwrap_or_default();
        let twin = prepared.tasks.get(index);
        if let (Some((_, look)), Some(task)) = (looks.iter_mut().find(|(twin, _)| *twin == index), twin) {
            *look = Err(vec![Refusal::new(task, format!("is the same tunnel as {path}"))]);
        }
    }
}

impl Surveyed {
    /// True if a change would be refused.
    pub(super) fn has_refusals(&self) -> bool {
        self.looks.iter().any(|(_, look)| look.is_err())
    }

    /// New entries for all tasks.
    pub(super) fn entries(&self, prepared: &Prepared) -> Vec<Entry> {
        let entry = |(index, task): (usize, &Task)| {
            let mut entry = Entry::new(&task.path, task.changes_key(), task.rollback_of());
            if let Some((_, Ok(seen))) = self.looks.iter().find(|(other, _)| *other == index) {
                entry.peer_ranges.clone_from(&seen.peer_ranges);
            }
            if self.as_asked.contains(&index) {
                entry.step = Step::Done { operation_id: None };
            }
            entry
        };
        prepared.tasks.iter().enumerate().map(entry).collect()
    }

    /// Shows what would change, and what would be refused.
    pub(super) fn show(&self, prepared: &Prepared, output: &Output) {
        let path = |index: usize| prepared.tasks.get(index).map(|task| &task.path);
        let rows = self.looks.iter().filter_map(|(index, look)| Some((path(*index)?, look.as_ref().ok()?)));
        output.table(rows);
        for (index, look) in &self.looks {
            if let (Some(path), Err(refusals)) = (path(*index), look) {
                output.refused(path, refusals);
            }
        }
        for (tunnel, why) in &prepared.irreversible {
            output.irreversible(tunnel, why);
        }
        let is_pair = |index: &&usize| paired_with(**index, &self.queue, &self.members).is_some();
        let pairs = self.queue.iter().filter(is_pair).count();
        if pairs > 0 {
            output.note(&format!(
                "{pairs} tunnels share a peer range with another one; of those that share, one at a time is changed"
            ));
        }
    }
}
