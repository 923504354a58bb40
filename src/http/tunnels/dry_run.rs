//! What `?dry_run=true` answers.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::domain::operation::OperationId;
use crate::service::dry_run::{DryRun, Field};
use crate::service::modify::Modify;

use super::path::PathView;
use crate::http::problem::Problem;
use crate::http::state::HttpState;

/// What a change would do. Nothing was sent that changes anything, and nothing was stored.
#[derive(Serialize, ToSchema)]
#[schema(as = DryRun)]
pub struct DryRunView<'a> {
    tunnel: PathView<'a>,
    /// The tunnel's tag now: with it as `If-Match` the change is made to this state of the tunnel or not at all.
    #[schema(example = "\"5f0c7127b6d5c1bd44d6a4b9ad2a2ab0\"")]
    etag: String,
    /// The operation on this tunnel that is not final: until it is, the change would be refused (409). `null` if there
    /// is none.
    #[schema(value_type = Option<Uuid>)]
    operation_in_progress: Option<OperationId>,
    /// Each field that the patch gives.
    fields: Vec<FieldView<'a>>,
    /// What would be sent, in the words of a patch: a group that is given in part is filled in from the tunnel.
    #[schema(value_type = Object)]
    merged: &'a Map<String, Value>,
    call: CallView<'a>,
}

/// A field of the patch beside what the tunnel has.
#[derive(Serialize, ToSchema)]
#[schema(as = DryRunField)]
pub struct FieldView<'a> {
    /// JSON pointer into the patch.
    #[schema(example = "/ike/dh_group")]
    pointer: &'a str,
    /// What the tunnel has; a secret as its fingerprint, `null` where the cloud does not show it.
    current: &'a Value,
    /// What was asked for; a secret as its fingerprint.
    wanted: &'a Value,
    /// Whether the two differ: order, host bits and letter case do not matter. `null` where the cloud shows too little
    /// to tell.
    differs: Option<bool>,
}

/// The call to the cloud, as it would be sent.
#[derive(Serialize, ToSchema)]
#[schema(as = DryRunCall)]
pub struct CallView<'a> {
    #[schema(example = "POST")]
    method: &'a str,
    /// The host that is signed.
    #[schema(example = "vpc.api.qcloud.com")]
    host: &'a str,
    #[schema(example = "/v2/index.php")]
    path: &'a str,
    /// Every parameter of the form, in the order in which it is sent. Secrets are `***`; what is drawn for each call
    /// has a placeholder.
    parameters: Vec<ParameterView<'a>>,
}

/// One parameter of the form.
#[derive(Serialize, ToSchema)]
#[schema(as = DryRunParameter)]
pub struct ParameterView<'a> {
    #[schema(example = "IKESet.0.dhGroupName")]
    name: &'a str,
    #[schema(example = "group14")]
    value: &'a str,
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
    let parameters = call.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
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
            parameters: parameters.map(parameter).collect(),
        },
    }))
}
