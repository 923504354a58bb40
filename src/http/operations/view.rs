//! An operation, as every call shows it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::changes::Changes;
use crate::domain::operation::{Operation, OperationError, OperationId, Status};
use crate::domain::timestamp::Timestamp;
use crate::domain::verification::Verification;
use crate::http::tunnels::path::PathView;

/// One accepted patch on its way from request to a final status.
#[derive(Serialize, ToSchema)]
#[schema(as = Operation)]
pub struct OperationView<'a> {
    #[schema(value_type = Uuid)]
    id: OperationId,
    status: Status,
    tunnel: PathView<'a>,
    /// The cloud's own asynchronous job, once there is one.
    #[schema(example = "12614")]
    task_id: Option<&'a str>,
    /// What was asked for; a secret stands as its keyed fingerprint.
    #[schema(value_type = Object)]
    changes: &'a Changes,
    /// The API key's name.
    #[schema(example = "netops-ci")]
    requested_by: &'a str,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// `null` while it is under way.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// Why it did not succeed, or why nobody knows yet.
    error: Option<&'a OperationError>,
    /// What reading the tunnel back showed, once it has succeeded.
    verification: Option<&'a Verification>,
}

impl<'a> From<&'a Operation> for OperationView<'a> {
    fn from(operation: &'a Operation) -> Self {
        Self {
            id: operation.id,
            status: operation.status(),
            tunnel: PathView::from(&operation.tunnel),
            task_id: operation.state.task_id(),
            changes: &operation.changes,
            requested_by: &operation.requested_by.name,
            created_at: operation.created_at,
            updated_at: operation.updated_at,
            finished_at: operation.finished_at,
            error: operation.state.error(),
            verification: operation.state.verification(),
        }
    }
}
