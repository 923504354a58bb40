//! An operation, as every call shows it.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::domain::changes::Changes;
use crate::domain::operation::{Operation, OperationError, OperationId, Status};
use crate::domain::timestamp::Timestamp;
use crate::domain::verification::Verification;
use crate::http::tunnels::path::{PathView, peer_config};

/// One accepted patch on its way from request to a final status.
#[derive(Serialize, ToSchema)]
#[schema(as = Operation)]
pub struct OperationView<'a> {
    #[schema(value_type = Uuid)]
    id: OperationId,
    status: Status,
    tunnel: PathView<'a>,
    /// The id of the cloud's task, once the cloud has accepted the change.
    #[schema(example = "12614")]
    task_id: Option<&'a str>,
    /// The cloud account of the tunnel.
    #[schema(example = "default")]
    account: &'a str,
    #[schema(example = "ap-guangzhou")]
    region: &'a str,
    /// The version of the cloud's API.
    #[schema(example = "2.0")]
    api: &'a str,
    /// The tunnel's values just before the change was sent, with the fields of `changes`; fields that the cloud does not show
    /// are absent. `null` if the tunnel was not read.
    #[schema(value_type = Option<Object>)]
    before: Option<&'a Changes>,
    /// The operation that this one rolls back.
    #[schema(value_type = Option<Uuid>)]
    rollback_of: Option<OperationId>,
    /// The caller's reason for the change.
    #[schema(example = "CHG-4711 move office 2")]
    reason: Option<&'a str>,
    /// The requested changes; secrets as keyed fingerprints.
    #[schema(value_type = Object)]
    changes: &'a Changes,
    /// The name of the API key that requested the change.
    #[schema(example = "netops-ci")]
    requested_by: &'a str,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// `null` until the operation ends.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// The reason of a failure, or of an unknown outcome.
    error: Option<&'a OperationError>,
    /// The result of reading the tunnel back after the cloud's task ended.
    verification: Option<&'a Verification>,
    /// The address of the configuration for the tunnel's peer: add `?format=`, for instance `?format=strongswan`.
    #[schema(example = "/vpcs/vpc-03vihbk9/gateways/vpngw-kfldykuz/tunnels/vpnx-ol6bcqp0/peer-config")]
    peer_config: String,
}

impl<'a> From<&'a Operation> for OperationView<'a> {
    fn from(operation: &'a Operation) -> Self {
        Self {
            id: operation.id,
            status: operation.status(),
            tunnel: PathView::from(&operation.tunnel),
            task_id: operation.state.task_id(),
            account: &operation.route.account,
            region: &operation.route.region,
            api: &operation.route.api,
            before: operation.before.as_ref(),
            rollback_of: operation.rollback_of,
            reason: operation.reason.as_deref(),
            changes: &operation.changes,
            requested_by: &operation.requested_by.name,
            created_at: operation.created_at,
            updated_at: operation.updated_at,
            finished_at: operation.finished_at,
            error: operation.state.error(),
            verification: operation.state.verification(),
            peer_config: peer_config(&operation.tunnel),
        }
    }
}

/// The JSON that `GET /operations/{id}` responds with.
#[must_use]
pub fn operation_json(operation: &Operation) -> Value {
    // Texts, numbers and JSON values always have a JSON form.
    serde_json::to_value(OperationView::from(operation)).unwrap_or_default()
}
