//! Why a rollout was not begun, or stopped without a report.

use std::path::PathBuf;

use super::caller::Caller;
use super::plan::{MAX_TUNNELS, PlanFault};
use super::state::StateError;

/// How many tunnels an error names.
const MAX_NAMED: usize = 5;

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
    #[error("can't learn from the gateway who the token belongs to: {0}")]
    NoCaller(String),
    #[error("can't search the operations of {tunnel}: {error}")]
    Search { tunnel: String, error: String },
    #[error(
        "{} of this rollout may have been sent by {known}, and no operation shows that it arrived. The token \
         belongs to {given}, whose requests could be carried out a second time. Go on with a token of {known}; \
         `tunnelgate keys rotate` gives a key a new one. If that is not possible: wait until no change of these tunnels is in \
         progress, see their operations, and begin a new rollout with another --state",
        shown(tunnels)
    )]
    OtherCaller { known: Box<Caller>, given: Box<Caller>, tunnels: Vec<String> },
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

/// The names of the first tunnels, and how many there are.
fn shown(tunnels: &[String]) -> String {
    let named: Vec<&str> = tunnels.iter().take(MAX_NAMED).map(String::as_str).collect();
    let more = match tunnels.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let one = if tunnels.len() == 1 { "the change of" } else { "the changes of" };
    format!("{one} {}{more}", named.join(", "))
}
