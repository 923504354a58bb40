//! What the gateway says about the tunnels and the changes of a rollout, before it begins.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::domain::ids::TunnelPath;

use super::client::Client;
use super::gateway::TunnelNow;
use super::job::World;
use super::output::{Output, shown_path};
use super::pairs::{Member, count_paired};
use super::prepare::Prepared;
use super::problem::CallError;
use super::state::{Entry, Step};
use super::survey::{self, Refusal, Seen};
use super::task::Task;

/// What the gateway says.
pub(super) struct Surveyed {
    /// For each task.
    pub(super) members: Vec<Member>,
    /// What each change that may still be begun would do, by task.
    looks: BTreeMap<usize, Result<Seen, Vec<Refusal>>>,
    /// The tunnels whose change is to be begun.
    pub(super) queue: Vec<usize>,
    /// The tunnels that have all values already.
    pub(super) as_asked: Vec<usize>,
}

/// Reads all tunnels, and looks at all changes that are still to be begun.
pub(super) async fn survey(
    client: &Client,
    prepared: &Prepared,
    world: &World,
    reason: Option<&str>,
    output: &Output,
) -> Surveyed {
    let paths: Vec<&TunnelPath> = prepared.tasks.iter().map(|task| &task.path).collect();
    let now = survey::read_all(client, &paths).await;
    let asked: Vec<usize> = (0..prepared.tasks.len()).filter(|index| prepared.is_to_do(*index)).collect();
    let tasks: Vec<(&Task, &Result<TunnelNow, CallError>)> =
        asked.iter().filter_map(|index| Some((prepared.tasks.get(*index)?, now.get(*index)?))).collect();
    output.begin_dry_run(tasks.len());
    let looks = survey::look_at_all(client, &*world.chance, &tasks, reason, || output.looked()).await;
    output.end();
    let mut looks: BTreeMap<usize, Result<Seen, Vec<Refusal>>> = asked.into_iter().zip(looks).collect();
    refuse_twins(prepared, &now, &mut looks);
    let seen = |index: usize| looks.get(&index)?.as_ref().ok();
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
        Err(_) => Member::Unknown,
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
    looks: &mut BTreeMap<usize, Result<Seen, Vec<Refusal>>>,
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
        if let (Some(look), Some(task)) = (looks.get_mut(&index), twin) {
            *look = Err(vec![Refusal::new(task, format!("is the same tunnel as {path}"))]);
        }
    }
}

impl Surveyed {
    /// True if a change would be refused.
    pub(super) fn has_refusals(&self) -> bool {
        self.looks.values().any(Result::is_err)
    }

    /// The tunnels that are left out because their change would be refused.
    pub(super) fn skipped(&self) -> Vec<(usize, String)> {
        let refused = |(index, look): (&usize, &Result<Seen, Vec<Refusal>>)| {
            let refusals = look.as_ref().err()?;
            let details: Vec<&str> = refusals.iter().map(|refusal| refusal.detail.as_str()).collect();
            Some((*index, format!("would be refused: {}", details.join("; "))))
        };
        self.looks.iter().filter_map(refused).collect()
    }

    /// New entries for all tasks.
    pub(super) fn entries(&self, prepared: &Prepared) -> Vec<Entry> {
        let as_asked: HashSet<usize> = self.as_asked.iter().copied().collect();
        let entry = |(index, task): (usize, &Task)| {
            let mut entry = Entry::new(&task.path, task.changes_key(), task.rollback_of());
            if let Some(Ok(seen)) = self.looks.get(&index) {
                entry.peer_ranges.clone_from(&seen.peer_ranges);
            }
            if as_asked.contains(&index) {
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
        let pairs = count_paired(&self.queue, &self.members);
        if pairs > 0 {
            output.note(&format!(
                "{pairs} tunnels share a peer range with another one; of those that share, one at a time is changed"
            ));
        }
    }
}
