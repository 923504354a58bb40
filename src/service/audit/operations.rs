//! Comparing operations with their events, in one pass over each table.
//!
//! The columns of an operation come from its `requested` event and from its newest event. Both passes hash these columns
//! with a random key and add the hashes up: two equal sums mean that the tables agree, except with a probability of 2^-64.
//! Memory grows with the operations that are unfinished at the same time, not with the log. If the sums differ,
//! [`super::search`] finds the row.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use crate::domain::canonical::NotCanonical;
use crate::domain::operation::{OperationId, Status};
use crate::domain::stored::{CanonicalEvent, CanonicalOperation, StoredEvent, StoredOperation};
use crate::service::ledger::OperationBlock;

use super::columns::{Latest, Request, status_after};
use super::leftovers::{Leftovers, is_leftover};
use super::verdict::{Break, Row};

/// The sum over the operations that the events describe.
#[derive(Debug)]
pub(super) struct FromEvents {
    key: RandomState,
    /// Operations that are not final yet, with the hashes of their request and of their newest event.
    unfinished: HashMap<OperationId, (u64, u64)>,
    /// True if the events before the first are archived: operations may have begun there.
    is_cut: bool,
    /// Operations that began in the archived part.
    partly: HashSet<OperationId>,
    sum: u64,
}

/// In the place of the request's hash, for an operation whose `requested` event is archived.
const ARCHIVED: u64 = 0;

impl FromEvents {
    pub(super) fn new(key: RandomState, is_cut: bool) -> Self {
        Self { key, unfinished: HashMap::new(), is_cut, partly: HashSet::new(), sum: 0 }
    }

    /// The operations whose first events are archived.
    pub(super) fn take_partly(&mut self) -> HashSet<OperationId> {
        std::mem::take(&mut self.partly)
    }

    /// Follows an event.
    ///
    /// # Errors
    /// If an operation can't take this step.
    pub(super) fn step(&mut self, event: &StoredEvent<'_>, canonical: &CanonicalEvent) -> Result<(), Break> {
        let (Some(id), Some(status)) = (event.operation_id, status_after(event)) else { return Ok(()) };
        let latest = self.key.hash_one(Latest::of_event(event, status, canonical));
        if status == Status::Pending {
            let request = self.key.hash_one(Request::of_event(event, canonical));
            return match self.unfinished.insert(id, (request, latest)) {
                Some(_) => Err(Break::Step),
                None => Ok(()),
            };
        }
        if self.is_cut && !self.unfinished.contains_key(&id) {
            self.partly.insert(id);
            self.unfinished.insert(id, (ARCHIVED, latest));
        }
        if status.is_final() {
            let (request, _) = self.unfinished.remove(&id).ok_or(Break::Step)?;
            self.sum = self.sum.wrapping_add(self.key.hash_one((id, request, latest)));
        } else {
            self.unfinished.get_mut(&id).ok_or(Break::Step)?.1 = latest;
        }
        Ok(())
    }

    /// The sum, after the last event.
    pub(super) fn sum(self) -> u64 {
        let Self { key, unfinished, sum, .. } = self;
        unfinished
            .into_iter()
            .fold(sum, |sum, (id, (request, latest))| sum.wrapping_add(key.hash_one((id, request, latest))))
    }
}

/// Where rows of operations come from.
#[derive(Debug)]
enum Source {
    Files,
    /// With the last archived event.
    Ledger {
        archived_to: i64,
    },
}

/// The sum over the rows of `operations`.
#[derive(Debug)]
pub(super) struct FromRows {
    key: RandomState,
    canonical: CanonicalOperation,
    source: Source,
    /// Operations of which only the newest event is compared.
    partly: HashSet<OperationId>,
    /// Rows of the ledger whose events are all archived: how many, and with files which.
    leftover: u64,
    leftovers: Option<Leftovers>,
    sum: u64,
}

impl FromRows {
    /// For the rows of the ledger, where the events up to `archived_to` are archived. Of operations in `partly` only the
    /// newest event is compared.
    pub(super) fn new(key: RandomState, archived_to: i64, partly: HashSet<OperationId>) -> Self {
        Self {
            key,
            canonical: CanonicalOperation::default(),
            source: Source::Ledger { archived_to },
            partly,
            leftover: 0,
            leftovers: None,
            sum: 0,
        }
    }

    /// Keeps the leftover rows, to compare them with those of the files.
    pub(super) fn before_files(self) -> Self {
        Self { leftovers: Some(Leftovers::new(self.key.clone())), ..self }
    }

    /// From here on the rows are those of the files.
    pub(super) fn of_files(self) -> Self {
        Self { source: Source::Files, ..self }
    }

    /// Rows whose events are all archived, and which were compared with nothing.
    pub(super) const fn not_compared(&self) -> u64 {
        if self.leftovers.is_some() { 0 } else { self.leftover }
    }

    /// A leftover row that is not what the files say.
    pub(super) fn wrong_leftover(&self) -> Option<(Row, Break)> {
        self.leftovers.as_ref()?.wrong()
    }

    /// Adds the rows of a block. The error is the id of an unreadable row.
    pub(super) fn add_all(mut self, block: &dyn OperationBlock) -> Result<Self, String> {
        for index in 0..block.count() {
            let operation = block.operation(index)?;
            self.add(&operation).map_err(|_| operation.id.to_string())?;
        }
        Ok(self)
    }

    fn add(&mut self, operation: &StoredOperation<'_>) -> Result<(), NotCanonical> {
        self.canonical.write(operation)?;
        match (&self.source, &mut self.leftovers) {
            (Source::Ledger { archived_to }, leftovers) if is_leftover(operation.last_seq, *archived_to) => {
                self.leftover += 1;
                if let Some(leftovers) = leftovers {
                    leftovers.note(operation, &self.canonical);
                }
                return Ok(());
            }
            (Source::Files, Some(leftovers)) => leftovers.compare(operation, &self.canonical),
            _ => {}
        }
        let request = match self.partly.contains(&operation.id) {
            true => ARCHIVED,
            false => self.key.hash_one(Request::of_operation(operation, &self.canonical)),
        };
        let latest = self.key.hash_one(Latest::of_operation(operation, &self.canonical));
        self.sum = self.sum.wrapping_add(self.key.hash_one((operation.id, request, latest)));
        Ok(())
    }

    pub(super) const fn sum(&self) -> u64 {
        self.sum
    }
}
