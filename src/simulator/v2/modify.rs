//! `ModifyVpnConnEx`.

use std::collections::BTreeMap;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::domain::fingerprint::hex;
use crate::simulator::answer::Answer;
use crate::simulator::behaviour::{Behaviour, Spelt};
use crate::simulator::cloud::Cloud;
use crate::simulator::mishap::{self, Accepted, Instead};
use crate::simulator::state::Entry;

use super::answer::{Refused, body, refused};
use super::common::Params;
use super::parameters;

/// Answers a call and writes it into the journal, a refused one too.
pub(super) fn modify(cloud: &Cloud, params: &Params, checked: Result<(), Refused>) -> Answer {
    let now = cloud.clock.now();
    let mut applied = false;
    let answer = checked.and_then(|()| {
        let id = locate(cloud, params)?;
        let change = parameters::read(params)?;
        let mut state = cloud.state();
        state.advance(now);
        let Some(tunnel) = state.tunnels.get_mut(&id) else {
            return Err(not_found("InvalidVpnGw.NotFound", "the VPN tunnel"));
        };
        tunnel.attempts += 1;
        let behaviour = tunnel.behaviour();
        if behaviour.is_some_and(Behaviour::is_closed) {
            let message = "(100009)the state of the VPN tunnel allows no change".into();
            return Err(Refused { code: 4000, code_desc: Some("InvalidVpnConnState"), message });
        }
        if let Some(instead) = mishap::instead(behaviour, tunnel.attempts) {
            return refusal(instead);
        }
        if let Some(spelt) = Spelt::of(&id) {
            return Ok(mishap::spelt(spelt).map_or_else(Answer::Http, |value| body(&value)));
        }
        if tunnel.task.is_some() {
            let message = "another task on this tunnel is running".into();
            return Err(Refused { code: 4000, code_desc: Some("ActionLocked"), message });
        }
        let task = state.next_task_id();
        state.start(&task, &id, change, now, cloud.options.task_duration);
        applied = true;
        Ok(mishap::after(behaviour, accepted(params, &id, &task)))
    });
    let answer = answer.unwrap_or_else(Answer::from);
    let entry = Entry {
        received_at: now,
        api: "2.0",
        tunnel_id: params.get("vpnConnId").cloned().unwrap_or_default(),
        nonce: params.get("Nonce").cloned().unwrap_or_default(),
        params: masked(params),
        applied,
        answer: answer.describe(),
    };
    cloud.state().record(entry);
    answer
}

fn not_found(code_desc: &'static str, what: &str) -> Refused {
    Refused { code: 4000, code_desc: Some(code_desc), message: format!("(100004){what} does not exist") }
}

/// The unified id of the tunnel that a call names. The VPC, the gateway and the tunnel have to exist and to belong
/// together.
fn locate(cloud: &Cloud, params: &Params) -> Result<String, Refused> {
    let need =
        |name: &str| params.get(name).cloned().ok_or_else(|| refused(4000, format!("{name} is missing")));
    let (vpc, gateway, tunnel) = (need("vpcId")?, need("vpnGwId")?, need("vpnConnId")?);
    let mut state = cloud.state();
    state.prepare_gateway(&gateway);
    if !state.tunnels.values().any(|tunnel| tunnel.is_in(&vpc)) {
        return Err(not_found("InvalidVpc.NotFound", "the VPC"));
    }
    if !state.candidates(Some(&gateway)).iter().any(|tunnel| tunnel.is_in(&vpc) && tunnel.is_on(&gateway)) {
        return Err(not_found("InvalidVpnGw.NotFound", "the VPN gateway"));
    }
    // The document lists the same code for a missing tunnel.
    let found = state.find(&tunnel).ok_or_else(|| not_found("InvalidVpnGw.NotFound", "the VPN tunnel"))?;
    let is_below =
        state.tunnels.get(&found).is_some_and(|tunnel| tunnel.is_in(&vpc) && tunnel.is_on(&gateway));
    if is_below { Ok(found) } else { Err(not_found("InvalidVpnGw.NotFound", "the VPN tunnel")) }
}

/// The answers to an accepted change. The good one is that of the document's example, which repeats the pre-shared key.
fn accepted(params: &Params, id: &str, task: &str) -> Accepted {
    let task = task.parse::<i64>().unwrap_or_default();
    let data = json!({
        "vpnGwId": params.get("vpnGwId"), "vpcConnId": id, "vpcConnStatus": 2,
        "preSharedKey": params.get("preSharedKey"), "userGwSubnetList": [], "userGwId": 315, "taskId": task});
    Accepted {
        success: body(&json!({"code": "0", "message": "", "data": data})),
        internal_error: body(&json!({"code": 6000, "message": "internal error"})),
        incomplete: body(&json!({"data": data})),
    }
}

/// The answer of a tunnel that does not accept the change.
fn refusal(instead: Instead) -> Result<Answer, Refused> {
    Err(match instead {
        Instead::Answer(answer) => return Ok(answer),
        Instead::RateLimited => refused(4400, "more requests than the quota allows"),
        Instead::Failed => refused(5100, "the operation failed, try again later"),
        Instead::NotAllowed => refused(4102, "no permission for qcs::vpc:::vpnx/vpnx-credentials"),
        Instead::Replayed => refused(4500, "Nonce was used before"),
        Instead::Expired => refused(4200, "the request has expired"),
    })
}

/// The parameters, with the SHA-256 of the pre-shared key instead of the key.
fn masked(params: &Params) -> BTreeMap<String, String> {
    let mask = |(key, value): (&String, &String)| match key.as_str() {
        "preSharedKey" => (key.clone(), hex(&Sha256::digest(value.as_bytes()))),
        _ => (key.clone(), value.clone()),
    };
    params.iter().map(mask).collect()
}
