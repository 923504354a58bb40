//! Decides a batch of steps. Both stores load the [`Context`] that a batch [`needs`], call [`decide`], a pure function, and
//! write the result. The store holds the lock of the chain head meanwhile, or its statement checks the assumed context.

use std::collections::HashMap;

use tracing::warn;

use crate::domain::chain;
use crate::domain::event::{Event, EventKind, EventRow, FORMAT, NewEvent, Route};
use crate::domain::operation::{Operation, OperationId, Status};
use crate::domain::timestamp::Timestamp;
use crate::service::ledger::{
    Advance, FirstRequest, IDEMPOTENCY_WINDOW, Idempotency, LedgerError, Opening, Step, Written, event_of,
};

/// Position and hash of the newest event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) seq: i64,
    pub(super) hash: [u8; 32],
}

/// An earlier request with an `Idempotency-Key`.
#[derive(Debug, Clone)]
pub(super) struct UsedKey {
    pub(super) first: FirstRequest,
    pub(super) created_at: Timestamp,
}

/// The keys of the rows that a batch depends on.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// Locks of the operations to open.
    pub(super) locks: Vec<String>,
    /// `(principal_id, key)`.
    pub(super) keys: Vec<(String, String)>,
    /// Operations to advance.
    pub(super) operations: Vec<OperationId>,
}

/// The rows that a batch depends on.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) head: Head,
    /// Locks with the operation that holds each.
    pub(super) busy: HashMap<String, OperationId>,
    /// Locks with the `seq` of the newest event of any operation that held the lock.
    pub(super) last_seqs: HashMap<String, i64>,
    pub(super) keys: HashMap<(String, String), UsedKey>,
    /// Unfinished operations with their status and the fencing token of their lease.
    pub(super) tracked: HashMap<OperationId, (Status, i64)>,
}

impl Context {
    /// A context that contains the head only.
    pub(super) fn at(head: Head) -> Self {
        Self {
            head,
            busy: HashMap::new(),
            last_seqs: HashMap::new(),
            keys: HashMap::new(),
            tracked: HashMap::new(),
        }
    }

    /// The context that makes every step succeed: all locks are free, all idempotency keys are new, and each operation is
    /// as its caller knows it.
    pub(super) fn assumed(head: Head, steps: &[Step]) -> Self {
        let advances = steps.iter().filter_map(|step| match step {
            Step::Advance(advance) => Some(advance),
            Step::Open(_) | Step::Record(_) => None,
        });
        let tracked = advances.map(|a| (a.operation.id, (a.operation.status(), a.fence))).collect();
        Self { tracked, ..Self::at(head) }
    }
}

/// An operation to insert.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) operation: Operation,
    pub(super) lock_id: String,
    /// Guard: no operation that held the lock has a newer event.
    pub(super) read_seq: Option<i64>,
    pub(super) lease_until: Timestamp,
    /// `seq` of the event.
    pub(super) last_seq: i64,
    pub(super) idempotency: Option<Idempotency>,
}

/// An operation to update.
#[derive(Debug)]
pub(super) struct Moved {
    /// In its new state.
    pub(super) operation: Operation,
    /// Guard: the status before.
    pub(super) from: Status,
    /// Guard: the fencing token.
    pub(super) fence: i64,
    /// `None` if the operation is final: the tracker no longer polls it.
    pub(super) due_at: Option<Timestamp>,
    /// `seq` of the event.
    pub(super) last_seq: i64,
}

/// The writes that a batch results in.
#[derive(Debug)]
pub(super) struct Writes {
    pub(super) opened: Vec<Opened>,
    pub(super) moved: Vec<Moved>,
    pub(super) events: Vec<Event>,
    pub(super) head: Head,
    /// The outcome of each step, in order.
    pub(super) written: Vec<Written>,
}

impl Writes {
    /// The ids of the operations that took a step.
    pub(super) fn operations(&self) -> Vec<OperationId> {
        let opened = self.opened.iter().map(|opened| opened.operation.id);
        opened.chain(self.moved.iter().map(|moved| moved.operation.id)).collect()
    }
}

/// The keys of the rows that these steps depend on.
pub(super) fn needs(steps: &[Step]) -> Needs {
    let mut needs = Needs::default();
    for step in steps {
        match step {
            Step::Open(opening) => {
                needs.locks.push(opening.lock_id.clone());
                if let Some(idempotency) = &opening.idempotency {
                    needs.keys.push((idempotency.principal_id.clone(), idempotency.key.clone()));
                }
            }
            Step::Advance(advance) => needs.operations.push(advance.operation.id),
            Step::Record(_) => {}
        }
    }
    needs
}

/// Decides the steps in order. Each step sees the results of the steps before it.
pub(super) fn decide(steps: &[Step], context: Context) -> Result<Writes, LedgerError> {
    let mut deciding = Deciding {
        writes: Writes {
            opened: Vec::new(),
            moved: Vec::new(),
            events: Vec::with_capacity(steps.len() * 2),
            head: context.head,
            written: Vec::with_capacity(steps.len()),
        },
        context,
    };
    for step in steps {
        let written = match step {
            Step::Open(opening) => deciding.open(opening)?,
            Step::Advance(advance) => deciding.advance(advance)?,
            Step::Record(event) => {
                deciding.chain(NewEvent::clone(event))?;
                Written::Recorded
            }
        };
        deciding.writes.written.push(written);
    }
    Ok(deciding.writes)
}

struct Deciding {
    context: Context,
    writes: Writes,
}

impl Deciding {
    fn open(&mut self, opening: &Opening) -> Result<Written, LedgerError> {
        let operation = &opening.operation;
        let now = operation.created_at;
        let key = opening.idempotency.as_ref().map(|i| (i.principal_id.clone(), i.key.clone()));
        if let (Some(key), Some(asked)) = (&key, &opening.idempotency)
            && let Some(known) = self.context.keys.get(key)
            && now.since(known.created_at) < IDEMPOTENCY_WINDOW
            && !known.first.operation.leaves_key_unused()
        {
            return Ok(known.first.answer(asked));
        }
        if let Some(other) = self.context.busy.get(&opening.lock_id) {
            return Ok(Written::InProgress(*other));
        }
        let last_seq = self.context.last_seqs.get(&opening.lock_id).copied();
        if opening.read_seq.zip(last_seq).is_some_and(|(read_seq, last_seq)| last_seq > read_seq) {
            return Ok(Written::ReadStale);
        }
        let seq = self.chain(NewEvent {
            origin: opening.origin.clone(),
            changes: super::columns::json_of(Some(&operation.changes)),
            before: operation.before.clone(),
            ..event_of(operation, opening.event_id, EventKind::Requested, now)
        })?;
        self.context.busy.insert(opening.lock_id.clone(), operation.id);
        self.context.tracked.insert(operation.id, (operation.status(), 0));
        if let (Some(key), Some(asked)) = (key, &opening.idempotency) {
            let first = FirstRequest { request: asked.request.clone(), operation: operation.clone() };
            self.context.keys.insert(key, UsedKey { first, created_at: now });
        }
        self.writes.opened.push(Opened {
            operation: operation.clone(),
            lock_id: opening.lock_id.clone(),
            read_seq: opening.read_seq,
            lease_until: opening.lease_until,
            last_seq: seq,
            idempotency: opening.idempotency.clone(),
        });
        Ok(Written::Opened)
    }

    fn advance(&mut self, advance: &Advance) -> Result<Written, LedgerError> {
        let id = advance.operation.id;
        let from = advance.operation.status();
        if self.context.tracked.get(&id) != Some(&(from, advance.fence)) {
            return Ok(Written::Stale);
        }
        let (operation, kind) = match advance.operation.clone().step(advance.transition.clone(), advance.now)
        {
            Ok(stepped) => stepped,
            Err(illegal) => {
                warn!(operation_id = %id, error = %illegal, "an illegal transition was refused");
                return Ok(Written::Stale);
            }
        };
        let mut event = event_of(&operation, advance.event_id, kind, advance.now);
        event.origin.source_ip = advance.origin.source_ip;
        event.origin.user_agent.clone_from(&advance.origin.user_agent);
        event.sent.clone_from(&advance.sent);
        event.upstream.clone_from(&advance.upstream);
        let seq = self.chain(event)?;
        let status = operation.status();
        let due_at = (!status.is_final()).then_some(advance.due_at);
        match due_at {
            Some(_) => self.context.tracked.insert(id, (status, advance.fence)),
            None => {
                let lock = self.context.busy.iter().find(|(_, holder)| **holder == id);
                if let Some(lock) = lock.map(|(lock, _)| lock.clone()) {
                    self.context.busy.remove(&lock);
                    self.context.last_seqs.insert(lock, seq);
                }
                self.context.tracked.remove(&id)
            }
        };
        let moved = Moved { operation: operation.clone(), from, fence: advance.fence, due_at, last_seq: seq };
        self.writes.moved.push(moved);
        Ok(Written::Advanced(Box::new(operation)))
    }

    /// Appends an event to the chain; returns its `seq`.
    fn chain(&mut self, event: NewEvent) -> Result<i64, LedgerError> {
        let prev_hash = self.writes.head.hash;
        let (vpc_id, gateway_id, tunnel_id) = match event.tunnel {
            Some(path) => (
                Some(path.vpc_id.as_str().to_owned()),
                Some(path.gateway_id.as_str().to_owned()),
                Some(path.tunnel_id.as_str().to_owned()),
            ),
            None => (None, None, None),
        };
        let (account, region, api) = match event.route {
            Some(Route { account, region, api }) => (Some(account), Some(region), Some(api)),
            None => (None, None, None),
        };
        let row = EventRow {
            format: FORMAT,
            seq: self.writes.head.seq + 1,
            id: event.id,
            occurred_at: event.occurred_at,
            event: event.event.as_str().to_owned(),
            operation_id: event.operation_id,
            actor: event.actor.name,
            actor_id: event.actor.id,
            actor_kind: event.actor.kind.as_str().to_owned(),
            source_ip: event.origin.source_ip,
            user_agent: event.origin.user_agent,
            request_id: event.origin.request_id,
            trace_id: event.origin.trace_id,
            vpc_id,
            gateway_id,
            tunnel_id,
            account,
            region,
            api,
            changes: event.changes,
            before: super::columns::json_of(event.before.as_ref()),
            sent: event.sent,
            outcome: super::columns::json_of(event.outcome.as_ref()),
            reason: event.reason,
            rollback_of: event.rollback_of,
            upstream: super::columns::json_of(event.upstream.as_ref()),
        };
        let hash = chain::hash(&prev_hash, &row)
            .ok_or_else(|| LedgerError::Corrupt(format!("event {} has no canonical form", row.seq)))?;
        let seq = row.seq;
        self.writes.head = Head { seq, hash };
        self.writes.events.push(Event { row, prev_hash, hash });
        Ok(seq)
    }
}
