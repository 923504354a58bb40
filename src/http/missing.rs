//! Answers about what is archived.

use std::time::Duration;

use actix_web::web;

use crate::domain::operation::OperationId;
use crate::domain::timestamp::Timestamp;
use crate::service::ledger::ArchivedSegment;

use super::problem::{Problem, ProblemType};
use super::state::HttpState;

/// An operation that began this much later than the newest archived event is not archived, whatever the clocks did.
const SKEW: Duration = Duration::from_secs(60 * 60);

async fn newest(state: &web::Data<HttpState>) -> Result<Option<ArchivedSegment>, Problem> {
    state.ask(|service| async move { service.newest_archived().await }).await
}

/// Why there is no event at this place.
pub async fn no_event(state: &web::Data<HttpState>, seq: i64) -> Problem {
    match newest(state).await {
        Ok(Some(archived)) if (1..=archived.last_seq).contains(&seq) => up_to(archived.last_seq),
        Ok(_) => Problem::not_found(),
        Err(problem) => problem,
    }
}

/// Fails if events after `seq` are archived: a stream that begins there would leave them out.
pub async fn check_after(state: &web::Data<HttpState>, seq: i64) -> Result<(), Problem> {
    match newest(state).await? {
        Some(archived) if archived.last_seq > seq => Err(up_to(archived.last_seq)),
        _ => Ok(()),
    }
}

/// 410: the events up to `last` are archived.
pub fn up_to(last: i64) -> Problem {
    let first = last.saturating_add(1);
    Problem::new(
        ProblemType::Archived,
        format!("the events up to seq {last} are archived; the log begins at seq {first}"),
    )
}

/// Why there is no operation with this id. Ids contain the time at which the operation began.
pub async fn no_operation(state: &web::Data<HttpState>, id: OperationId) -> Problem {
    let began = id.get_timestamp().map(|at| {
        let (seconds, nanos) = at.to_unix();
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        Timestamp::from_micros(seconds.saturating_mul(1_000_000).saturating_add(i64::from(nanos) / 1000))
    });
    match (newest(state).await, began) {
        (Ok(Some(archived)), Some(began)) if began <= archived.last_at.plus(SKEW) => Problem::new(
            ProblemType::MaybeArchived,
            format!("operations that ended up to {} are archived", archived.last_at),
        ),
        (Ok(_), _) => Problem::not_found(),
        (Err(problem), _) => problem,
    }
}
