//! `GET /audit-events/verification`.

use std::time::Duration;

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::fingerprint;
use crate::domain::principal::Scope;
use crate::service::Service;
use crate::service::audit::{Checked, Segment};

use super::checkpoint::Checkpoint;
use crate::http::call::Call;
use crate::http::missing;
use crate::http::problem::{Problem, ProblemType};

/// The default of `max_events`.
pub const DEFAULT_EVENTS: u32 = 10_000;
/// The maximum of `max_events`.
pub const MAX_EVENTS: u32 = 100_000;
/// The time limit of one call; the next call verifies the remaining events.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// The result of verifying a segment of the chain.
#[derive(Serialize, ToSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
#[schema(as = ChainVerification)]
pub enum VerificationView {
    /// Every event of the segment is present, and every hash is correct.
    Whole {
        /// The number of verified events.
        #[schema(example = 1200)]
        events: u64,
        /// The last verified event: continue with its `seq` and `hash`. `null` if the log is empty.
        last: Option<Checkpoint>,
        /// True if `last` is the newest event of the log.
        complete: bool,
    },
    /// The log was tampered with.
    Broken {
        /// The first bad row.
        #[schema(example = 42)]
        seq: i64,
        /// The fault of that row.
        why: String,
    },
}

impl TryFrom<Checked> for VerificationView {
    type Error = Problem;

    fn try_from(checked: Checked) -> Result<Self, Problem> {
        match checked {
            Checked::Whole { events, last, is_end } => {
                Ok(Self::Whole { events, last: last.map(Checkpoint::from), complete: is_end })
            }
            Checked::Broken { seq, why } => Ok(Self::Broken { seq, why: why.to_string() }),
            Checked::Archived { to } => Err(missing::up_to(to)),
        }
    }
}

pub async fn verify(call: Call) -> Result<HttpResponse, Problem> {
    call.require_all_vpcs(Scope::AuditRead)?;
    let mut query = call.query();
    // Neither parameter is valid without the other.
    match (query.has("after_seq"), query.has("after_hash")) {
        (true, false) => query.fault("after_hash", "required", "is required with after_seq"),
        (false, true) => query.fault("after_seq", "required", "is required with after_hash"),
        _ => {}
    }
    let seq = query.value(
        "after_seq",
        || "must be an event's seq: a whole number from 1".into(),
        |text| text.parse().ok().filter(|seq: &i64| *seq >= 1),
    );
    let hash = query.value("after_hash", || "must be 64 hex digits".into(), fingerprint::from_hex);
    let limit = query.value(
        "max_events",
        || format!("must be a whole number from 1 to {MAX_EVENTS}"),
        |text| text.parse().ok().filter(|limit| (1..=MAX_EVENTS).contains(limit)),
    );
    query.finish()?;
    let Ok(permit) = call.state.verifying.clone().try_acquire_owned() else {
        return Err(Problem::of(ProblemType::VerificationInProgress).with_retry_after(1));
    };
    let segment =
        Segment { after: seq.zip(hash), limit: limit.unwrap_or(DEFAULT_EVENTS), time_limit: TIME_LIMIT };
    let check = |service: Service| async move {
        // The work holds the permit, because it continues when the caller disconnects.
        let _permit = permit;
        service.verify_segment(segment).await
    };
    let checked = call.state.ask(check).await?;
    Ok(HttpResponse::Ok().json(VerificationView::try_from(checked)?))
}
