//! Operations that are still in the ledger although all of their events are archived: the rows of the files say what they
//! must be.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::domain::operation::OperationId;
use crate::domain::stored::{CanonicalOperation, StoredOperation};

use super::columns::{Latest, Request};
use super::verdict::{Break, Row};

/// True if all events of an operation are archived, by its `last_seq` and the last archived event.
pub(super) fn is_leftover(last_seq: i64, archived_to: i64) -> bool {
    (1..=archived_to).contains(&last_seq)
}

/// The leftover operations of a ledger, with the hashes of all of their columns.
#[derive(Debug)]
pub(super) struct Leftovers {
    key: RandomState,
    not_found: HashMap<OperationId, u64>,
    /// The first one that is not what its file says.
    changed: Option<OperationId>,
}

impl Leftovers {
    pub(super) fn new(key: RandomState) -> Self {
        Self { key, not_found: HashMap::new(), changed: None }
    }

    fn hash(&self, row: &StoredOperation<'_>, canonical: &CanonicalOperation) -> u64 {
        let request = Request::of_operation(row, canonical);
        self.key.hash_one((request, row.fingerprint_key_id, Latest::of_operation(row, canonical)))
    }

    /// Notes a row of the ledger.
    pub(super) fn note(&mut self, row: &StoredOperation<'_>, canonical: &CanonicalOperation) {
        let hash = self.hash(row, canonical);
        self.not_found.insert(row.id, hash);
    }

    /// Compares a row of a file with the ledger's, if it is there.
    pub(super) fn compare(&mut self, row: &StoredOperation<'_>, canonical: &CanonicalOperation) {
        if let Some(hash) = self.not_found.remove(&row.id)
            && hash != self.hash(row, canonical)
        {
            self.changed.get_or_insert(row.id);
        }
    }

    /// A row that is in no file, or another one there.
    pub(super) fn wrong(&self) -> Option<(Row, Break)> {
        let changed = self.changed.map(|id| (id, Break::OperationArchived));
        let invented = || self.not_found.keys().min().map(|id| (*id, Break::OperationInNoFile));
        let (id, why) = changed.or_else(invented)?;
        Some((Row::Operation(id.to_string()), why))
    }
}
