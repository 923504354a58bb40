//! The change of one tunnel, from the command before it to the command after it. Each step is on the disk before the next
//! one begins, so that a process that dies at any point is followed by one that goes on from there.

use std::time::Duration;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::failpoint;

use super::client::Client;
use super::gateway::{Operation, Sending};
use super::hook::{self, Hooks, Told};
use super::output::Output;
use super::problem::CallError;
use super::state::{Entry, Request, StateError, Step, Store};
use super::task::{Task, generate_key};

/// Gateways keep idempotency keys for 24 hours. A request that is older is not repeated: it could be carried out twice.
const KEY_LIFETIME: Duration = Duration::from_secs(23 * 3600);
/// How often a change with repeated ranges is prepared again because the tunnel has changed in between.
const PREPARATIONS: u32 = 4;

/// Carries changes out.
pub(super) struct Worker<'a> {
    pub(super) client: &'a Client,
    pub(super) store: &'a Store,
    pub(super) hooks: &'a Hooks,
    pub(super) reason: Option<&'a str>,
    pub(super) output: &'a Output,
    pub(super) clock: &'a dyn Clock,
    pub(super) chance: &'a dyn Chance,
}

impl Worker<'_> {
    /// Takes a tunnel from where it is to its end. The entry says how it ended; one that is still under way could not be
    /// followed.
    ///
    /// # Errors
    /// If the state can't be written. Nothing goes on without it.
    pub(super) async fn carry_out(&self, index: usize, task: &Task) -> Result<(), StateError> {
        // A request that an earlier process prepared may have arrived.
        let mut is_repeated = true;
        let mut preparations = 0;
        while let Some(entry) = self.store.entry(index) {
            let goes_on = match &entry.step {
                Step::Waiting
                | Step::Before
                | Step::BeforeFailed { .. }
                | Step::Refused { .. }
                | Step::NotSent { .. } => {
                    is_repeated = false;
                    self.begin(index, task).await?
                }
                Step::Sending { .. } if preparations > PREPARATIONS => {
                    let detail = "the tunnel changed each time before the change was sent".to_owned();
                    self.step(index, task, Step::NotSent { detail }).await?;
                    false
                }
                Step::Sending { request } => {
                    preparations += 1;
                    self.send(index, task, &entry, request, is_repeated).await?
                }
                Step::Running { operation_id } => match self.client.ended(*operation_id).await {
                    Ok(operation) => self.end(index, task, &operation).await?,
                    Err(error) => {
                        self.output.trouble(&entry.shown(), &error.to_string());
                        false
                    }
                },
                Step::After { operation_id, .. } => {
                    self.finish(index, task, &entry, *operation_id).await?;
                    false
                }
                Step::Done { .. } | Step::Ended { .. } | Step::Lost { .. } => false,
            };
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    async fn step(&self, index: usize, task: &Task, step: Step) -> Result<(), StateError> {
        self.output.step(&task.path, &step);
        self.store
            .change(index, |entry| {
                if matches!(step, Step::Done { .. }) {
                    // Both ends have the key: the state does not need it any more.
                    entry.key = None;
                    entry.is_peer_told = false;
                }
                entry.step = step;
            })
            .await
    }

    /// Runs the command before the change, and prepares the request. True if the change is to be sent.
    async fn begin(&self, index: usize, task: &Task) -> Result<bool, StateError> {
        let mut key = self.store.entry(index).and_then(|entry| entry.key);
        if task.generates_key() && key.is_none() {
            key = generate_key(self.chance);
        }
        if self.hooks.before.is_some() || key.is_some() {
            self.output.step(&task.path, &Step::Before);
            let (key, is_peer_told) = (key.clone(), self.hooks.before.is_some());
            self.store
                .change(index, |entry| {
                    entry.key = key;
                    entry.is_peer_told |= is_peer_told;
                    entry.step = Step::Before;
                })
                .await?;
        }
        failpoint::at!("rollout.prepared");
        if let Some(command) = &self.hooks.before {
            let told = Told {
                path: &task.path,
                operation_id: None,
                rollback_of: task.rollback_of(),
                key: task.key(key.as_ref()),
            };
            if let Err(why) = hook::run(command, &told, self.hooks.limit).await {
                self.step(index, task, Step::BeforeFailed { detail: format!("--before {why}") }).await?;
                return Ok(false);
            }
        }
        self.prepare(index, task).await
    }

    /// Writes down the request that is sent next. False if the tunnel can't be read.
    async fn prepare(&self, index: usize, task: &Task) -> Result<bool, StateError> {
        let ranges = match self.ranges(task).await {
            Ok(ranges) => ranges,
            Err(detail) => {
                self.step(index, task, Step::NotSent { detail }).await?;
                return Ok(false);
            }
        };
        let (peer_cidrs, if_match) = ranges.unzip();
        let at = self.clock.now();
        let request = Request { idempotency_key: self.chance.id(at), at, peer_cidrs, if_match };
        self.step(index, task, Step::Sending { request }).await?;
        Ok(true)
    }

    /// The ranges that the change repeats, with the tag of the tunnel that has them.
    async fn ranges(&self, task: &Task) -> Result<Option<(Vec<String>, String)>, String> {
        if !task.may_repeat_ranges() {
            return Ok(None);
        }
        let (now, tag) = self.client.tunnel(&task.path).await.map_err(|error| error.to_string())?;
        match (task.repeated_ranges(&now)?, tag) {
            (None, _) => Ok(None),
            (Some(ranges), Some(tag)) => Ok(Some((ranges, tag))),
            (Some(_), None) => Err("the gateway's answer has no ETag".into()),
        }
    }

    /// Sends the change. True if there is more to do.
    async fn send(
        &self,
        index: usize,
        task: &Task,
        entry: &Entry,
        request: &Request,
        is_repeated: bool,
    ) -> Result<bool, StateError> {
        let age = self.clock.now().since(request.at);
        if age > KEY_LIFETIME {
            return self.search(index, task, entry, request).await;
        }
        failpoint::at!("rollout.sending");
        let body = task.body(request.peer_cidrs.as_deref(), entry.key.as_ref());
        let sending = Sending {
            idempotency_key: request.idempotency_key,
            if_match: request.if_match.as_deref(),
            reason: self.reason,
            is_repeated,
            repeat_for: KEY_LIFETIME.saturating_sub(age),
        };
        let answer = self.client.change(task.target(), body, sending).await;
        failpoint::at!("rollout.answered");
        match answer {
            Ok(operation) => {
                self.step(index, task, Step::Running { operation_id: operation.id }).await?;
                Ok(true)
            }
            Err(CallError::NotSent(detail)) => {
                self.step(index, task, Step::NotSent { detail }).await?;
                Ok(false)
            }
            Err(CallError::Doubt(cause)) => {
                self.output.trouble(&entry.shown(), &cause);
                Ok(false)
            }
            Err(CallError::Refused(problem)) => match (problem.code.as_str(), problem.operation_id) {
                // It is the operation of this request: no other client uses the key.
                ("idempotency_key_unverifiable", Some(operation_id)) => {
                    self.step(index, task, Step::Running { operation_id }).await?;
                    Ok(true)
                }
                // The change that is in progress may be this one: a database that was restored forgets keys.
                ("operation_in_progress", _) if is_repeated => {
                    let detail =
                        format!("sent by an interrupted run, and repeated: {problem}; see the operations");
                    self.step(index, task, Step::Lost { detail }).await?;
                    Ok(false)
                }
                ("precondition_failed", _) if request.if_match.is_some() => self.prepare(index, task).await,
                _ => {
                    self.step(index, task, Step::Refused { detail: problem.to_string() }).await?;
                    Ok(false)
                }
            },
        }
    }

    /// Looks for the operation of a request that is too old to be repeated. True if there is one.
    async fn search(
        &self,
        index: usize,
        task: &Task,
        entry: &Entry,
        request: &Request,
    ) -> Result<bool, StateError> {
        match self.client.operation_of(&task.path, request).await {
            Ok(Some(operation_id)) => {
                self.step(index, task, Step::Running { operation_id }).await?;
                Ok(true)
            }
            Ok(None) => {
                let detail = format!(
                    "the change was being sent at {}, too long ago to repeat it safely, and has no operation",
                    request.at
                );
                self.step(index, task, Step::Lost { detail }).await?;
                Ok(false)
            }
            Err(error) => {
                self.output.trouble(&entry.shown(), &error.to_string());
                Ok(false)
            }
        }
    }

    /// Records the end of the operation. True if there is more to do.
    async fn end(&self, index: usize, task: &Task, operation: &Operation) -> Result<bool, StateError> {
        failpoint::at!("rollout.ended");
        let operation_id = operation.id;
        let step = match (operation.status.as_str(), &self.hooks.after) {
            ("succeeded", Some(_)) => Step::After { operation_id, failed: None },
            ("succeeded", None) => Step::Done { operation_id: Some(operation_id) },
            ("rejected", _) => Step::Refused { detail: operation.reason() },
            (status, _) => {
                Step::Ended { operation_id, status: status.to_owned(), detail: operation.reason() }
            }
        };
        let has_more = matches!(step, Step::After { .. });
        self.step(index, task, step).await?;
        Ok(has_more)
    }

    /// Runs the command after the change.
    async fn finish(
        &self,
        index: usize,
        task: &Task,
        entry: &Entry,
        id: uuid::Uuid,
    ) -> Result<(), StateError> {
        let mut ended = Ok(());
        if let Some(command) = &self.hooks.after {
            let told = Told {
                path: &task.path,
                operation_id: Some(id),
                rollback_of: task.rollback_of(),
                key: task.key(entry.key.as_ref()),
            };
            ended = hook::run(command, &told, self.hooks.limit).await;
        }
        let step = match ended {
            Ok(()) => Step::Done { operation_id: Some(id) },
            Err(why) => Step::After { operation_id: id, failed: Some(format!("--after {why}")) },
        };
        self.step(index, task, step).await
    }
}
