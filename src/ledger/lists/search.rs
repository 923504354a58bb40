//! A search for events.

use crate::domain::event::EventKind;
use crate::domain::operation::OperationId;
use crate::domain::timestamp::Timestamp;
use crate::service::ledger::{EventFilter, Order};

use super::reach::Reach;

/// A search for events.
#[derive(Clone, Copy)]
pub(super) struct Search<'a> {
    pub(super) reach: Reach<'a>,
    /// The search ignores `vpc_id`, which `reach` contains, and `status`.
    pub(super) filter: &'a EventFilter,
    /// Only events of these operations.
    pub(super) within: Option<&'a [OperationId]>,
    pub(super) order: Order,
    pub(super) after: Option<i64>,
    /// Range of `seq`, inclusive, that contains all events between `created_after` and `created_before`, and perhaps
    /// others.
    pub(super) seqs: (i64, i64),
    pub(super) limit: u32,
}

impl Search<'_> {
    /// True if an index that begins with the VPC should serve each VPC separately.
    pub(super) fn is_by_vpc(&self) -> bool {
        let filter = self.filter;
        let is_rare = |kind| {
            use EventKind::{Requested, Submitted, Succeeded};
            !matches!(kind, Requested | Submitted | Succeeded)
        };
        matches!(self.reach, Reach::Matching(_))
            && self.within.is_none()
            && filter.tunnel_id.is_none()
            && filter.operation_id.is_none()
            && (filter.requested_by.is_some() || !filter.event.is_some_and(is_rare))
    }
}

/// An event that a search found.
pub(super) struct Found {
    pub(super) seq: i64,
    /// True if the operation has the wanted status, or none was wanted.
    pub(super) fits: bool,
}

/// Where a page begins, unless it begins at the newest event.
#[derive(Debug, Clone, Copy)]
pub(super) enum Edge {
    Seq(i64),
    Time(Timestamp),
}
