//! `ModifyVpnConnectionAttribute`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::domain::fingerprint::hex;
use crate::simulator::answer::Answer;
use crate::simulator::behaviour::{Behaviour, Spelt};
use crate::simulator::change::Change;
use crate::simulator::cloud::Cloud;
use crate::simulator::mishap::{self, Accepted, Instead};
use crate::simulator::state::Entry;
use crate::simulator::tunnel::Tunnel;
use crate::simulator::words::GCM;

use super::answer::{Refused, body, refused, response};
use super::authorization::Call;
use super::parameters;

/// Answers a call and writes it into the journal, a refused one too.
pub(super) fn modify(
    cloud: &Cloud,
    call: &Call<'_>,
    checked: Result<Value, Refused>,
    request_id: &str,
) -> Answer {
    let now = cloud.clock.now();
    let mut applied = false;
    let answer = checked.and_then(|body| change(cloud, &body, request_id, &mut applied));
    let answer = answer.unwrap_or_else(|refusal| refusal.answer(request_id));
    let given = serde_json::from_slice(call.payload).unwrap_or(Value::Null);
    let entry = Entry {
        received_at: now,
        api: "3.0",
        tunnel_id: given["VpnConnectionId"].as_str().unwrap_or_default().to_owned(),
        nonce: String::new(),
        params: flattened(&given),
        applied,
        answer: answer.describe(),
    };
    cloud.state().record(entry);
    answer
}

fn change(cloud: &Cloud, given: &Value, request_id: &str, applied: &mut bool) -> Result<Answer, Refused> {
    let now = cloud.clock.now();
    let (id, change) = parameters::read(given)?;
    let mut state = cloud.state();
    state.advance(now);
    let missing = || refused("ResourceNotFound", format!("the VPN connection {id} does not exist"));
    let found = state.find_unified(id).ok_or_else(missing)?;
    let tunnel = state.tunnels.get_mut(&found).ok_or_else(missing)?;
    allowed(tunnel, &change)?;
    tunnel.attempts += 1;
    let behaviour = tunnel.behaviour();
    if behaviour.is_some_and(Behaviour::is_closed) {
        let message = "the state of the VPN connection allows no change";
        return Err(refused("UnsupportedOperation.VpnConnInvalidState", message));
    }
    if let Some(instead) = mishap::instead(behaviour, tunnel.attempts)
        && let Some(answer) = refusal(instead)
    {
        return answer;
    }
    if let Some(spelt) = Spelt::of(&found) {
        return Ok(mishap::spelt(spelt).map_or_else(Answer::Http, |value| body(&value)));
    }
    if tunnel.task.is_some() {
        let message = "another task on this VPN connection is running";
        return Err(refused("UnsupportedOperation.MutexOperationTaskRunning", message));
    }
    state.start(request_id, &found, change, now, cloud.options.task_duration);
    *applied = true;
    Ok(mishap::after(behaviour, accepted(request_id)))
}

/// Checks what depends on the tunnel.
fn allowed(tunnel: &Tunnel, change: &Change) -> Result<(), Refused> {
    let ciphers =
        [change.ike.as_ref().map(|ike| ike.cipher), change.ipsec.as_ref().map(|ipsec| ipsec.cipher)];
    let needs_4_0 = change.customer_gateway.is_some()
        || ciphers.into_iter().flatten().any(|cipher| GCM.contains(&cipher));
    let has_health_check = change.health.is_enabled == Some(true);
    match tunnel.behaviour() {
        Some(Behaviour::OldGateway) if needs_4_0 => {
            let message = "this needs a VPN gateway of version 4.0";
            return Err(refused("UnsupportedOperation.VersionNotSupported", message));
        }
        Some(Behaviour::PoliciesOnly) if has_health_check => {
            let message = "tunnels with security policies have no health check";
            return Err(refused("UnsupportedOperation.VpnConnCidrNotSupportedHealthCheck", message));
        }
        Some(Behaviour::PoliciesOnly) if change.bgp.is_some() => {
            return Err(refused("UnsupportedOperation.VpnUnsupportedBgp", "the VPN has no BGP"));
        }
        _ => {}
    }
    let local = change.health.local.as_ref().unwrap_or(&tunnel.health.local);
    let remote = change.health.remote.as_ref().unwrap_or(&tunnel.health.remote);
    if !local.is_empty() && local == remote {
        let message = "both ends of the health check have the same address";
        return Err(refused("InvalidParameterValue.VpnConnHealthCheckIpConflict", message));
    }
    Ok(())
}

/// The answer of a tunnel that does not accept the change; `None` if the reason does not exist in API 3.0.
fn refusal(instead: Instead) -> Option<Result<Answer, Refused>> {
    Some(match instead {
        Instead::Answer(answer) => Ok(answer),
        Instead::RateLimited => Err(refused("RequestLimitExceeded", "more requests than the limit allows")),
        Instead::Failed => Err(refused("FailedOperation", "the operation failed")),
        Instead::NotAllowed => {
            let message = "no permission for qcs::vpc:::vpnx/vpnx-credentials";
            Err(refused("UnauthorizedOperation", message))
        }
        Instead::Replayed => return None,
        Instead::Expired => {
            Err(refused("AuthFailure.SignatureExpire", "X-TC-Timestamp is more than 5 minutes off"))
        }
    })
}

fn accepted(request_id: &str) -> Accepted {
    Accepted {
        success: body(&response(Map::new(), request_id)),
        internal_error: refused("InternalError", "internal error").answer(request_id),
        incomplete: body(&json!({"Response": {}})),
    }
}

/// The parameters under their full names, with the SHA-256 of the pre-shared key instead of the key.
fn flattened(given: &Value) -> BTreeMap<String, String> {
    let mut params = BTreeMap::new();
    flatten(given, "", &mut params);
    if let Some(key) = params.get_mut("PreShareKey") {
        *key = hex(&Sha256::digest(key.as_bytes()));
    }
    params
}

fn flatten(value: &Value, name: &str, params: &mut BTreeMap<String, String>) {
    let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| flatten(value, &below(key), params)),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(item, &below(&index.to_string()), params);
            }
        }
        Value::String(text) => {
            params.insert(name.to_owned(), text.clone());
        }
        other => {
            params.insert(name.to_owned(), other.to_string());
        }
    }
}
