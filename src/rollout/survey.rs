//! The dry run of a rollout: reads every tunnel, and asks the gateway what each change would do.

use std::collections::{BTreeMap, HashMap};

use futures_util::stream::{self, StreamExt};

use crate::chance::Chance;
use crate::domain::ids::{GatewayId, TunnelPath, VpcId};

use super::client::Client;
use super::gateway::{Field, TunnelNow};
use super::problem::CallError;
use super::task::{Task, Wanted, generate_key, peers_in};

/// Calls at the same time.
const AT_ONCE: usize = 8;

/// What a change would do to a tunnel.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// Each field of the change.
    pub(super) fields: Vec<Field>,
    /// The ranges that the change gives the tunnel on the peer's side.
    pub(super) peer_ranges: Vec<String>,
}

impl Seen {
    /// True if the tunnel has all values already.
    pub(super) fn is_as_asked(&self) -> bool {
        self.fields.iter().all(|field| field.differs == Some(false))
    }
}

/// Why a change would be refused.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    /// The line of the plan.
    pub(super) line: Option<u64>,
    pub(super) detail: String,
}

impl Refusal {
    pub(super) fn new(task: &Task, detail: impl Into<String>) -> Self {
        let line = match &task.wanted {
            Wanted::Patch(change) => Some(change.line_of("")),
            Wanted::Rollback(_) => None,
        };
        Self { line, detail: detail.into() }
    }

    /// One refusal for each fault of the patch, with its line.
    fn of(task: &Task, error: &CallError) -> Vec<Self> {
        match (error, &task.wanted) {
            (CallError::Refused(problem), Wanted::Patch(change)) if !problem.errors.is_empty() => problem
                .errors
                .iter()
                .map(|fault| {
                    let member = fault.pointer.trim_start_matches('/').replace('/', ".");
                    let separator = if member.is_empty() { "" } else { ": " };
                    let detail = format!("{member}{separator}{}", fault.detail);
                    Self { line: Some(change.line_of(&fault.pointer)), detail }
                })
                .collect(),
            _ => vec![Self::new(task, error.to_string())],
        }
    }
}

/// The tunnels as they are now, in the order of the paths.
pub(super) async fn read_all(client: &Client, paths: &[&TunnelPath]) -> Vec<Result<TunnelNow, CallError>> {
    let mut gateways: BTreeMap<(&VpcId, &GatewayId), usize> = BTreeMap::new();
    for path in paths {
        *gateways.entry((&path.vpc_id, &path.gateway_id)).or_default() += 1;
    }
    // One list for all tunnels of a gateway spares the cloud.
    let lists = gateways.into_iter().filter(|(_, tunnels)| *tunnels > 1);
    let lists = lists.map(|((vpc, gateway), _)| async move {
        let by_id = |tunnels: Vec<TunnelNow>| {
            tunnels.into_iter().map(|tunnel| (tunnel.tunnel_id.clone(), tunnel)).collect::<HashMap<_, _>>()
        };
        ((vpc, gateway), client.tunnels(vpc, gateway).await.map(by_id))
    });
    let lists = stream::iter(lists.collect::<Vec<_>>()).buffered(AT_ONCE);
    let lists: BTreeMap<_, _> = lists.collect().await;
    let listed = |path: &TunnelPath| match lists.get(&(&path.vpc_id, &path.gateway_id))? {
        Ok(tunnels) => tunnels.get(path.tunnel_id.as_str()).cloned().map(Ok),
        Err(error) => Some(Err(error.clone())),
    };
    // A list has unified ids; a path may have an older one.
    let reads = paths.iter().copied().map(|path| {
        let listed = listed(path);
        async move {
            match listed {
                Some(listed) => listed,
                None => client.tunnel(path).await.map(|(tunnel, _)| tunnel),
            }
        }
    });
    stream::iter(reads.collect::<Vec<_>>()).buffered(AT_ONCE).collect().await
}

/// What the change of a tunnel would do.
pub(super) async fn look(
    client: &Client,
    chance: &dyn Chance,
    task: &Task,
    now: &Result<TunnelNow, CallError>,
    reason: Option<&str>,
) -> Result<Seen, Vec<Refusal>> {
    let now = now.as_ref().map_err(|error| Refusal::of(task, error))?;
    let ranges = task.repeated_ranges(now).map_err(|why| vec![Refusal::new(task, why)])?;
    // A dry run shows no key, so any will do.
    let any = if task.generates_key() { generate_key(chance) } else { None };
    let body = task.body(ranges.as_deref(), any.as_ref());
    let dry_run =
        client.dry_run(task.target(), body, reason).await.map_err(|error| Refusal::of(task, &error))?;
    if let Some(operation) = dry_run.operation_in_progress {
        let detail = format!("another change of this tunnel is in progress: operation {operation}");
        return Err(vec![Refusal::new(task, detail)]);
    }
    let mut fields = dry_run.fields;
    let peer_ranges = fields.iter().flat_map(|field| peers_in(&field.pointer, &field.wanted)).collect();
    if ranges.is_some() {
        // Repeated, not asked for.
        fields.retain(|field| field.pointer != "/peer_cidrs");
    }
    Ok(Seen { fields, peer_ranges })
}

/// Looks at all changes; the answers have the order of the tasks. `looked` is called after each.
pub(super) async fn look_at_all(
    client: &Client,
    chance: &dyn Chance,
    tasks: &[(&Task, &Result<TunnelNow, CallError>)],
    reason: Option<&str>,
    looked: impl Fn(),
) -> Vec<Result<Seen, Vec<Refusal>>> {
    let looked = &looked;
    let looks = tasks.iter().map(|(task, now)| async move {
        let seen = look(client, chance, task, now, reason).await;
        looked();
        seen
    });
    stream::iter(looks.collect::<Vec<_>>()).buffered(AT_ONCE).collect().await
}
