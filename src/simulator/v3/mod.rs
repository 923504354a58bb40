//! API 3.0: `POST /`. Headers name the action and carry the signature, the body is JSON.

mod answer;
mod authorization;
mod checks;
mod describe;
mod modify;
mod parameters;
mod record;
pub mod signature;
mod task;
mod tunnel;

use std::collections::BTreeMap;

use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;

use crate::simulator::answer::Answer;
use crate::simulator::cloud::Cloud;

use answer::{Refused, Reply, body, refused};
use authorization::Call;

/// Answers one call.
pub(super) async fn serve(cloud: Data<Cloud>, request: HttpRequest, payload: Bytes) -> HttpResponse {
    let headers: BTreeMap<String, String> = request
        .headers()
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let call = Call { method: request.method().as_str(), headers, payload: &payload };
    let mut random = [0; 16];
    cloud.chance.fill(&mut random);
    let request_id = uuid::Builder::from_random_bytes(random).into_uuid().to_string();
    answer(&cloud, &call, &request_id).send().await
}

/// Carries out the action that the headers name. The journal contains refused changes too.
fn answer(cloud: &Cloud, call: &Call<'_>, request_id: &str) -> Answer {
    let checked = authorization::check(cloud, call)
        .and_then(|()| checks::common(call))
        .and_then(|()| checks::json(call));
    if call.header("x-tc-action") == "ModifyVpnConnectionAttribute" {
        return modify::modify(cloud, call, checked, request_id);
    }
    let reply = checked.and_then(|parameters| act(cloud, call, &parameters));
    match reply {
        Ok(Reply::Members(members)) => body(&answer::response(members, request_id)),
        Ok(Reply::Other(answer)) => answer,
        Err(refusal) => refusal.answer(request_id),
    }
}

fn act(cloud: &Cloud, call: &Call<'_>, parameters: &Value) -> Result<Reply, Refused> {
    match call.header("x-tc-action") {
        "DescribeVpcTaskResult" => task::describe(cloud, call, parameters),
        "DescribeVpnConnections" => describe::describe(cloud, parameters),
        action => Err(refused("InvalidAction", format!("there is no action {action}"))),
    }
}
