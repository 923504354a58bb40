//! The filter of events.

use crate::domain::event::EventKind;
use crate::domain::operation::Status;
use crate::service::ledger::EventFilter;

use crate::http::input::query::Query;

/// Reads the filter from a query.
pub fn filter(query: &mut Query) -> EventFilter {
    EventFilter {
        operation_id: query.value(
            "operation_id",
            || "must be the id of an operation".into(),
            |text| text.parse().ok(),
        ),
        event: query.value(
            "event",
            || format!("must be one of {}", EventKind::WORDS.join(", ")),
            EventKind::from_word,
        ),
        vpc_id: query.text("vpc_id"),
        tunnel_id: query.text("tunnel_id"),
        status: query.value(
            "status",
            || format!("must be one of {}", Status::WORDS.join(", ")),
            Status::from_word,
        ),
        requested_by: query.text("requested_by"),
        account: query.text("account"),
        created_after: query.moment("created_after"),
        created_before: query.moment("created_before"),
    }
}
