//! What the command line asks for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::shutdown::Shutdown;

use super::hook::Hooks;
use super::order::BatchSizes;

/// Where the tunnels and their changes come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A plan; the state is kept in a new file.
    Start { plan: PathBuf, state: PathBuf },
    /// A plan with the state of an interrupted rollout of it.
    Resume { plan: PathBuf, state: PathBuf },
    /// The state of a rollout that is rolled back. The rollback has a state file of its own beside it.
    Rollback { state: PathBuf },
}

impl Source {
    /// The state file of what is done.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        match self {
            Self::Start { state, .. } | Self::Resume { state, .. } => state.clone(),
            Self::Rollback { state } => rollback_of(state),
        }
    }

    /// A sentence for a rollout that is not at its end.
    pub(super) fn how_to_go_on(&self, state: &Path) -> String {
        match self {
            Self::Start { plan, .. } | Self::Resume { plan, .. } => {
                format!(
                    "to go on: the same command with --resume {} and the plan {}",
                    state.display(),
                    plan.display()
                )
            }
            Self::Rollback { state } => {
                format!("to go on: the same command with --rollback {}", state.display())
            }
        }
    }
}

/// The state file of the rollback of a state.
pub(super) fn rollback_of(state: &Path) -> PathBuf {
    let mut name = state.file_name().unwrap_or_default().to_owned();
    name.push(".rollback");
    state.with_file_name(name)
}

/// What to do, and how.
#[derive(Debug)]
pub struct Job {
    pub source: Source,
    pub sizes: BatchSizes,
    /// The number of tunnels that are not as asked after which no change begins.
    pub max_failures: usize,
    pub hooks: Hooks,
    /// The reason that is sent with every change.
    pub reason: Option<String>,
    pub is_dry_run: bool,
    /// Nobody is asked.
    pub is_confirmed: bool,
    pub is_json: bool,
}

/// What comes from outside.
pub struct World {
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<dyn Chance>,
    pub shutdown: Shutdown,
}
