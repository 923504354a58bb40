//! `GET /audit-events/counts`.

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::bucket::Bucket;
use crate::domain::principal::Scope;
use crate::domain::timestamp::Timestamp;
use crate::service::ledger;

use super::filter::filter;
use crate::http::call::Call;
use crate::http::problem::Problem;

/// The maximum number of buckets in an answer.
pub const MAX_BUCKETS: u64 = 1000;
/// The default of `created_after`, in buckets before `created_before`.
pub const DEFAULT_BUCKETS: u32 = 24;

/// The number of events of one kind in one bucket.
#[derive(Serialize, ToSchema)]
#[schema(as = EventCount)]
pub struct CountView {
    /// The start of the bucket: a multiple of its length since 1970-01-01T00:00:00Z.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    #[schema(value_type = crate::domain::event::EventKind)]
    event: String,
    #[schema(minimum = 1, example = 3)]
    count: u64,
}

/// Events counted by time and kind.
#[derive(Serialize, ToSchema)]
#[schema(as = EventCounts)]
pub struct CountsView {
    bucket: Bucket,
    /// Inclusive; can fall inside the first bucket.
    #[schema(value_type = String, format = DateTime)]
    created_after: Timestamp,
    /// Exclusive; can fall inside the last bucket.
    #[schema(value_type = String, format = DateTime)]
    created_before: Timestamp,
    /// Oldest first; a bucket without events of a kind is omitted.
    items: Vec<CountView>,
}

impl From<ledger::EventCount> for CountView {
    fn from(count: ledger::EventCount) -> Self {
        Self { from: count.from, event: count.event, count: count.count }
    }
}

pub async fn counts(call: Call) -> Result<HttpResponse, Problem> {
    let vpcs = call.vpcs(Scope::AuditRead)?;
    let mut query = call.query();
    let mut filter = filter(&mut query);
    let bucket =
        query.value("bucket", || format!("must be one of {}", Bucket::WORDS.join(", ")), Bucket::from_word);
    let bucket = bucket.unwrap_or(Bucket::Hour);
    let before = filter.created_before.unwrap_or_else(|| call.state.clock.now());
    let after = filter.created_after.unwrap_or_else(|| before.minus(bucket.length() * DEFAULT_BUCKETS));
    if after >= before {
        query.fault("created_before", "out_of_range", "must be after created_after");
    }
    if before.since(after).as_secs() / bucket.length().as_secs() > MAX_BUCKETS {
        let detail = format!(
            "would return more than {MAX_BUCKETS} buckets: choose longer buckets or a shorter time range"
        );
        query.fault("bucket", "out_of_range", detail);
    }
    query.finish()?;
    (filter.created_after, filter.created_before) = (Some(after), Some(before));
    let counted =
        call.state.ask(|service| async move { service.event_counts(&vpcs, &filter, bucket).await }).await?;
    let items = counted.into_iter().map(CountView::from).collect();
    Ok(HttpResponse::Ok().json(CountsView { bucket, created_after: after, created_before: before, items }))
}
