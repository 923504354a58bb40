//! The reads of tunnels that wait for a slot.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::domain::ids::{GatewayId, TunnelPath, VpcId};
use crate::domain::tunnel::Tunnel;
use crate::service::cloud::{Priority, ReadError};

/// The reads that wait for the same slot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Group {
    pub vpc: VpcId,
    pub gateway: GatewayId,
    pub priority: Priority,
    /// Whose turn the slot takes.
    pub principal: String,
}

/// `None` if the cloud's answer does not show the tunnel.
pub(super) type Shared = Result<Option<Tunnel>, ReadError>;

/// A read that waits.
#[derive(Debug)]
pub(super) struct Waiter {
    pub path: TunnelPath,
    pub answer: oneshot::Sender<Shared>,
}

/// The reads that wait for a slot.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    groups: HashMap<Group, Waiters>,
    /// Groups begun so far.
    begun: u64,
}

#[derive(Debug)]
struct Waiters {
    /// The task that waits for their slot.
    task: u64,
    waiters: Vec<Waiter>,
}

impl Waiting {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a read. Returns the number of the task to start if it is the first of its group.
    pub(super) fn add(&self, group: &Group, waiter: Waiter) -> Option<u64> {
        let mut state = self.state();
        if let Some(waiting) = state.groups.get_mut(group) {
            waiting.waiters.push(waiter);
            return None;
        }
        state.begun += 1;
        let task = state.begun;
        state.groups.insert(group.clone(), Waiters { task, waiters: vec![waiter] });
        Some(task)
    }

    /// Takes the reads that wait for this task.
    pub(super) fn take(&self, group: &Group, task: u64) -> Vec<Waiter> {
        let mut state = self.state();
        if state.groups.get(group).is_none_or(|waiting| waiting.task != task) {
            return Vec::new();
        }
        state.groups.remove(group).map(|waiting| waiting.waiters).unwrap_or_default()
    }

    /// Takes all reads of a gateway whose callers still wait.
    pub(super) fn take_all(&self, vpc: &VpcId, gateway: &GatewayId) -> Vec<Waiter> {
        let mut state = self.state();
        let taken = state.groups.extract_if(|group, _| group.vpc == *vpc && group.gateway == *gateway);
        taken.flat_map(|(_, waiting)| waiting.waiters).filter(|waiter| !waiter.answer.is_closed()).collect()
    }
}

/// Takes the task's reads when it is dropped, so that a panic leaves none waiting for ever.
pub(super) struct Cleanup<'a> {
    pub waiting: &'a Waiting,
    pub group: &'a Group,
    pub task: u64,
}

impl Drop for Cleanup<'_> {
    fn drop(&mut self) {
        drop(self.waiting.take(self.group, self.task));
    }
}
