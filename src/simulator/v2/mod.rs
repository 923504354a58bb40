//! API 2.0: `/v2/index.php`, one path for every action.

mod answer;
mod common;
mod describe;
mod modify;
mod parameters;
pub mod signature;
mod tunnel;

use actix_web::http::Method;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};

use crate::simulator::answer::Answer;
use crate::simulator::cloud::Cloud;

use answer::{Refused, refused};
use common::Params;

/// Answers one call.
pub(super) async fn serve(cloud: Data<Cloud>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let method = request.method().clone();
    // The parameters of a POST are those of its body only; the query is ignored.
    let text = match method {
        Method::POST => body.to_vec(),
        _ => request.query_string().as_bytes().to_vec(),
    };
    let params: Params = form_urlencoded::parse(&text).into_owned().collect();
    let host = request.connection_info().host().to_owned();
    let checked = common::check(&cloud, method.as_str(), &host, request.path(), &params);
    answer(&cloud, &params, checked).send().await
}

/// Carries out the action that `params` name. `ModifyVpnConnEx` also writes a refused call into its journal.
fn answer(cloud: &Cloud, params: &Params, checked: Result<(), Refused>) -> Answer {
    let action = params.get("Action").map(String::as_str).unwrap_or_default();
    if action == "ModifyVpnConnEx" {
        return modify::modify(cloud, params, checked);
    }
    let answer = checked.and_then(|()| match action {
        "DescribeVpcTaskResult" => describe::task(cloud, params),
        "DescribeVpnConn" => describe::tunnels(cloud, params),
        "" => Err(refused(4000, "Action is missing")),
        _ => Err(refused(6100, "Action is unknown")),
    });
    answer.unwrap_or_else(Answer::from)
}
