//! The answer to `?dry_run=true`.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::domain::operation::OperationId;
use crate::service::dry_run::{DryRun, Field};
use crate::service::modify::Modify;

use super::path::{PathView, peer_config};
use crate::http::problem::Problem;
use crate::http::state::HttpState;

/// A preview of a change. No change was sent, and nothing was stored.
#[derive(Serialize, ToSchema)]
#[schema(as = DryRun)]
pub struct DryRunView<'a> {
    tunnel: PathView<'a>,
    /// The tunnel's current tag: sent as `If-Match`, it limits the change to this state of the tunnel.
    #[schema(example = "\"5f0c7127b6d5c1bd44d6a4b9ad2a2ab0\"")]
    etag: String,
    /// The unfinished operation on this tunnel: until it ends, the change would be refused (409). `null` if there is
    /// none.
    #[schema(value_type = Option<Uuid>)]
    operation_in_progress: Option<OperationId>,
    /// Each field of the patch.
    fields: Vec<FieldView<'a>>,
    /// The fields that would be sent, as a patch: partial groups are completed from the tunnel.
    #[schema(value_type = Object)]
    merged: &'a Map<String, Value>,
    call: CallView<'a>,
    /// The address of the configuration for the tunnel's peer, as the tunnel is now: add `?format=`, for instance `?format=strongswan`.
    #[schema(example = "/vpcs/vpc-03vihbk9/gateways/vpngw-kfldykuz/tunnels/vpnx-ol6bcqp0/peer-config")]
    peer_config: String,
}

/// A field of the patch and its current value.
#[derive(Serialize, ToSchema)]
#[schema(as = DryRunField)]
pub struct FieldView<'a> {
    /// JSON pointer into the patch.
    #[schema(example = "/ike/dh_group")]
    pointer: &'a str,
    /// The current value; a secret as its fingerprint, `null` if the cloud does not show the field.
    current: &'a Value,
    /// The requested value; a secret as `***`.
    wanted: &'a Value,
    /// Whether the two differ, ignoring order, host bits and letter case. `null` if the cloud shows too little to compare
    /// them, and for the pre-shared key.
    differs: Option<bool>,
}

/// The call to the cloud that the change would make.
#[derive(Serialize, ToSchema)]
#[schema(as = DryRunCall)]
pub struct CallView<'a> {
    #[schema(example = "POST")]
    method: &'a str,
    /// The host in the signature.
    #[schema(example = "vpc.api.qcloud.com")]
    host: &'a str,
    #[schema(example = "/v2/index.php")]
    path: &'a str,
    /// The headers that the cloud reads. Secrets are `***`; values that are generated for each call have a placeholder.
    headers: Vec<HeaderView<'a>>,
    /// The parameters of the call in their order. Secrets are `***`; values that are generated for each call have a
    /// placeholder.
    parameters: Vec<ParameterView<'a>>,
}

/// One header of the call.
#[derive(Serialize, ToSchema)]
#[schema(as = DryRunHeader)]
pub struct HeaderView<'a> {
    #[schema(example = "Content-Type")]
    name: &'a str,
    #[schema(example = "application/x-www-form-urlencoded")]
    value: &'a str,
}

/// One parameter: of the form (API 2.0), or of the JSON body (API 3.0).
#[derive(Serialize, ToSchema)]
#[schema(as = DryRunParameter)]
pub struct ParameterView<'a> {
    #[schema(example = "IKESet.0.dhGroupName")]
    name: &'a str,
    #[schema(example = "group14")]
    value: &'a Value,
}

impl<'a> From<&'a Field> for FieldView<'a> {
    fn from(field: &'a Field) -> Self {
        let Field { pointer, current, wanted, differs } = field;
        Self { pointer, current, wanted, differs: *differs }
    }
}

pub async fn answer(state: &web::Data<HttpState>, request: Modify) -> Result<HttpResponse, Problem> {
    let path = request.path.clone();
    let DryRun { etag, merged, fields, call, in_progress } =
        state.ask(|service| async move { service.dry_run(&request).await }).await?;
    let parameter = |(name, value)| ParameterView { name, value };
    let parameters = call.parameters.iter().map(|(name, value)| (name.as_str(), value));
    Ok(HttpResponse::Ok().json(DryRunView {
        tunnel: PathView::from(&path),
        etag: etag.to_string(),
        operation_in_progress: in_progress,
        fields: fields.iter().map(FieldView::from).collect(),
        merged: &merged,
        call: CallView {
            method: call.method,
            host: &call.host,
            path: &call.path,
            headers: call.headers.iter().map(|(name, value)| HeaderView { name, value }).collect(),
            parameters: parameters.map(parameter).collect(),
        },
        peer_config: peer_config(&path),
    }))
}
