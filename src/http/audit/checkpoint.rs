//! `GET /audit-events/checkpoint`.

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::fingerprint::hex;
use crate::domain::principal::Scope;
use crate::domain::timestamp::Timestamp;
use crate::service::ledger;

use crate::http::call::Call;
use crate::http::problem::Problem;

/// An event's position in the hash chain.
#[derive(Serialize, ToSchema)]
pub struct Checkpoint {
    #[schema(example = 4)]
    seq: i64,
    /// The event's hash, in hex.
    hash: String,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl From<ledger::Checkpoint> for Checkpoint {
    fn from(place: ledger::Checkpoint) -> Self {
        Self { seq: place.seq, hash: hex(&place.hash), at: place.at }
    }
}

pub async fn checkpoint(call: Call) -> Result<HttpResponse, Problem> {
    // A checkpoint shows the activity in all VPCs.
    call.require_all_vpcs(Scope::AuditRead)?;
    call.query().finish()?;
    let newest = call.state.ask(|service| async move { service.checkpoint().await }).await?;
    let newest = newest.ok_or_else(Problem::not_found)?;
    Ok(HttpResponse::Ok().json(Checkpoint::from(newest)))
}
