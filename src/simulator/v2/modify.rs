//! `ModifyVpnConnEx`.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::domain::fingerprint::hex;
use crate::simulator::behaviour::{Behaviour, Spelt};
use crate::simulator::cloud::Cloud;
use crate::simulator::state::Entry;

use super::answer::{Answer, HTTP_500, Refused, refused};
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
        if let Some(answer) = instead(behaviour, tunnel.attempts).or_else(|| Spelt::of(&id).map(spelt)) {
            return answer;
        }
        if tunnel.task.is_some() {
            let message = "another task on this tunnel is running".into();
            return Err(Refused { code: 4000, code_desc: Some("ActionLocked"), message });
        }
        let task = state.start(&id, change, now, cloud.options.task_duration);
        applied = true;
        Ok(after(behaviour, success(params, &id, task)))
    });
    let answer = answer.unwrap_or_else(Answer::from);
    let entry = Entry {
        received_at: now,
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
    if !state.tunnels.values().any(|tunnel| tunnel.is_in(&vpc)) {
        return Err(not_found("InvalidVpc.NotFound", "the VPC"));
    }
    if !state.tunnels.values().any(|tunnel| tunnel.is_in(&vpc) && tunnel.is_on(&gateway)) {
        return Err(not_found("InvalidVpnGw.NotFound", "the VPN gateway"));
    }
    // The document lists the same code for a missing tunnel.
    let found = state.find(&tunnel).ok_or_else(|| not_found("InvalidVpnGw.NotFound", "the VPN tunnel"))?;
    let is_below =
        state.tunnels.get(&found).is_some_and(|tunnel| tunnel.is_in(&vpc) && tunnel.is_on(&gateway));
    if is_below { Ok(found) } else { Err(not_found("InvalidVpnGw.NotFound", "the VPN tunnel")) }
}

/// The answer of the document's example, which repeats the pre-shared key.
fn success(params: &Params, id: &str, task: i64) -> Value {
    json!({"code": "0", "message": "", "data": {
        "vpnGwId": params.get("vpnGwId"), "vpcConnId": id, "vpcConnStatus": 2,
        "preSharedKey": params.get("preSharedKey"), "userGwSubnetList": [], "userGwId": 315, "taskId": task}})
}

/// The answer of a tunnel that misbehaves before it accepts the change.
fn instead(behaviour: Option<Behaviour>, attempts: u32) -> Option<Result<Answer, Refused>> {
    Some(match behaviour? {
        Behaviour::Http500Before => Ok(HTTP_500),
        Behaviour::ResetBefore => Ok(Answer::Reset),
        Behaviour::NoAnswer => Ok(Answer::Silence),
        Behaviour::ForeignBody => Ok(Answer::Foreign),
        Behaviour::RateLimitedTwice if attempts <= 2 => {
            Err(refused(4400, "more requests than the quota allows"))
        }
        Behaviour::AlwaysRateLimited => Err(refused(4400, "more requests than the quota allows")),
        Behaviour::Failed5100 => Err(refused(5100, "the operation failed, try again later")),
        Behaviour::Credentials => Err(refused(4102, "no permission for qcs::vpc:::vpnx/vpnx-credentials")),
        Behaviour::Replay if attempts == 1 => Err(refused(4500, "Nonce was used before")),
        _ => return None,
    })
}

/// The answer that a tunnel's id spells out.
fn spelt(spelt: Spelt) -> Result<Answer, Refused> {
    let code_desc = |word: String, message: &str| json!({"code": 4000, "codeDesc": word, "message": message});
    Ok(match spelt {
        Spelt::Code(code) => return Err(refused(code, "as its id says")),
        Spelt::CodeDesc(word) => Answer::Json(code_desc(word, "as its id says")),
        Spelt::Message(word) => {
            Answer::Json(code_desc(String::new(), &format!("(100004){word}: as its id says")))
        }
        Spelt::Modern(word) => Answer::Json(
            json!({"Response": {"Error": {"Code": word, "Message": "as its id says"}, "RequestId": "simulated"}}),
        ),
        Spelt::Http(status) => Answer::Http(StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT)),
    })
}

/// The answer of a tunnel that has accepted the change: `success`, unless the tunnel misbehaves.
fn after(behaviour: Option<Behaviour>, success: Value) -> Answer {
    match behaviour {
        Some(Behaviour::Http500After) => HTTP_500,
        Some(Behaviour::ResetAfter) => Answer::Reset,
        Some(Behaviour::NoAnswerAfter) => Answer::Silence,
        Some(Behaviour::TruncatedBody) => Answer::Truncated(success),
        Some(Behaviour::MissingCode) => Answer::Json(json!({"data": success["data"]})),
        Some(Behaviour::Internal6000After) => {
            Answer::Json(json!({"code": 6000, "message": "internal error"}))
        }
        _ => Answer::Json(success),
    }
}

/// The parameters, with the SHA-256 of the pre-shared key instead of the key.
fn masked(params: &Params) -> BTreeMap<String, String> {
    let mask = |(key, value): (&String, &String)| match key.as_str() {
        "preSharedKey" => (key.clone(), hex(&Sha256::digest(value.as_bytes()))),
        _ => (key.clone(), value.clone()),
    };
    params.iter().map(mask).collect()
}
