//! API 2.0: `/v2/index.php`, one path for every action.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::domain::fingerprint::hex;

use super::Cloud;
use super::behaviour::{Behaviour, Spelt};
use super::state::Entry;
use super::verify::{self, Params, Refused, refused};
use super::{reads, settings};

/// How long a tunnel that does not answer keeps quiet.
const SILENCE: Duration = Duration::from_secs(60);

/// What goes back over the wire.
pub(super) enum Answer {
    Json(Value),
    /// This status with an HTML page.
    Http(StatusCode),
    Foreign,
    Truncated(Value),
    Reset,
    Silence,
}

pub(super) const HTTP_500: Answer = Answer::Http(StatusCode::INTERNAL_SERVER_ERROR);

pub(super) async fn serve(cloud: Data<Cloud>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let method = request.method().clone();
    // With GET everything comes from the query; with POST everything from the body, and the query is ignored.
    let text = match method {
        Method::POST => body.to_vec(),
        _ => request.query_string().as_bytes().to_vec(),
    };
    let params: Params = form_urlencoded::parse(&text).into_owned().collect();
    let host = request.connection_info().host().to_owned();
    let action = params.get("Action").cloned().unwrap_or_default();
    let checked = verify::check(&cloud, method.as_str(), &host, request.path(), &params);
    if action == "ModifyVpnConnEx" {
        return send(modify(&cloud, &params, checked)).await;
    }
    let answer = checked.and_then(|()| match action.as_str() {
        "DescribeVpcTaskResult" => reads::describe_task(&cloud, &params),
        "DescribeVpnConn" => reads::describe_tunnels(&cloud, &params),
        "" => Err(refused(4000, "Action is missing")),
        _ => Err(refused(6100, "Action is unknown")),
    });
    send(answer.unwrap_or_else(|refusal| Answer::Json(refusal_json(&refusal)))).await
}

async fn send(answer: Answer) -> HttpResponse {
    match answer {
        Answer::Json(value) => {
            // Slashes come escaped, as in the cloud's samples.
            let text = value.to_string().replace('/', "\\/");
            HttpResponse::Ok().content_type("text/html; charset=utf-8").body(text)
        }
        Answer::Http(status) => {
            HttpResponse::build(status).content_type("text/html").body(format!("<html>{status}</html>"))
        }
        Answer::Foreign => {
            HttpResponse::Ok().content_type("text/html").body("<html><body>Welcome</body></html>")
        }
        Answer::Truncated(value) => {
            let text = value.to_string();
            HttpResponse::Ok().body(text[..text.len() / 2].to_owned())
        }
        Answer::Reset => broken(),
        Answer::Silence => {
            tokio::time::sleep(SILENCE).await;
            broken()
        }
    }
}

/// An answer whose body breaks off at once: the connection is closed in the middle of it.
fn broken() -> HttpResponse {
    let failing =
        stream::once(async { Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionReset)) });
    HttpResponse::Ok().streaming(failing)
}

fn refusal_json(refusal: &Refused) -> Value {
    let mut answer = json!({"code": refusal.code, "message": refusal.message});
    if let Some(code_desc) = refusal.code_desc {
        answer["codeDesc"] = json!(code_desc);
    }
    answer
}

fn not_found(code_desc: &'static str, what: &str) -> Refused {
    Refused { code: 4000, code_desc: Some(code_desc), message: format!("(100004){what} does not exist") }
}

/// The tunnel at the three ids of a call; each has to exist and to belong to the one above.
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
    // The document has the same code for a missing tunnel.
    let found = state.find(&tunnel).ok_or_else(|| not_found("InvalidVpnGw.NotFound", "the VPN tunnel"))?;
    let is_there =
        state.tunnels.get(&found).is_some_and(|tunnel| tunnel.is_in(&vpc) && tunnel.is_on(&gateway));
    if is_there { Ok(found) } else { Err(not_found("InvalidVpnGw.NotFound", "the VPN tunnel")) }
}

fn modify(cloud: &Cloud, params: &Params, checked: Result<(), Refused>) -> Answer {
    let now = cloud.clock.now();
    let journal = journal_params(params);
    let mut applied = false;
    let answer = checked.and_then(|()| {
        let id = locate(cloud, params)?;
        let wanted = settings::read(params)?;
        let mut state = cloud.state();
        state.pass(now);
        let Some(tunnel) = state.tunnels.get_mut(&id) else {
            return Err(not_found("InvalidVpnGw.NotFound", "the VPN tunnel"));
        };
        tunnel.attempts += 1;
        let behaviour = tunnel.behaviour();
        if behaviour.is_some_and(Behaviour::is_closed) {
            let message = "(100009)the state of the VPN tunnel allows no change".into();
            return Err(Refused { code: 4000, code_desc: Some("InvalidVpnConnState"), message });
        }
        if let Some(answer) = instead(behaviour, tunnel.attempts).or_else(|| Some(spelt(Spelt::of(&id)?))) {
            return answer;
        }
        if tunnel.task.is_some() {
            let message = "another task on this tunnel is running".into();
            return Err(Refused { code: 4000, code_desc: Some("ActionLocked"), message });
        }
        let task = state.start(&id, wanted, now, cloud.options.task_duration);
        applied = true;
        Ok(after(behaviour, taken(params, &id, task)))
    });
    let answer = answer.unwrap_or_else(|refusal| Answer::Json(refusal_json(&refusal)));
    let entry = Entry {
        received_at: now,
        tunnel_id: params.get("vpnConnId").cloned().unwrap_or_default(),
        nonce: params.get("Nonce").cloned().unwrap_or_default(),
        params: journal,
        applied,
        answer: describe(&answer),
    };
    cloud.state().note(entry);
    answer
}

/// The answer as the document's example shows it, the pre-shared key in clear.
fn taken(params: &Params, id: &str, task: i64) -> Value {
    json!({"code": "0", "message": "", "data": {
        "vpnGwId": params.get("vpnGwId"), "vpcConnId": id, "vpcConnStatus": 2,
        "preSharedKey": params.get("preSharedKey"), "userGwSubnetList": [], "userGwId": 315, "taskId": task}})
}

/// What some tunnels do instead of taking the change.
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

/// The answer that a tunnel's name spells out.
fn spelt(spelt: Spelt) -> Result<Answer, Refused> {
    let code_desc = |word: String, message: &str| json!({"code": 4000, "codeDesc": word, "message": message});
    Ok(match spelt {
        Spelt::Code(code) => return Err(refused(code, "as its name says")),
        Spelt::CodeDesc(word) => Answer::Json(code_desc(word, "as its name says")),
        Spelt::Message(word) => {
            Answer::Json(code_desc(String::new(), &format!("(100004){word}: as its name says")))
        }
        Spelt::Modern(word) => Answer::Json(
            json!({"Response": {"Error": {"Code": word, "Message": "as its name says"}, "RequestId": "simulated"}}),
        ),
        Spelt::Http(status) => Answer::Http(StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT)),
    })
}

/// What some tunnels answer although they took the change.
fn after(behaviour: Option<Behaviour>, taken: Value) -> Answer {
    match behaviour {
        Some(Behaviour::Http500After) => HTTP_500,
        Some(Behaviour::ResetAfter) => Answer::Reset,
        Some(Behaviour::NoAnswerAfter) => Answer::Silence,
        Some(Behaviour::TruncatedBody) => Answer::Truncated(taken),
        Some(Behaviour::MissingCode) => Answer::Json(json!({"data": taken["data"]})),
        Some(Behaviour::Internal6000After) => {
            Answer::Json(json!({"code": 6000, "message": "internal error"}))
        }
        _ => Answer::Json(taken),
    }
}

fn describe(answer: &Answer) -> String {
    match answer {
        Answer::Json(value) => format!("code {}", value.get("code").unwrap_or(&Value::Null)),
        Answer::Http(status) => format!("HTTP {}", status.as_u16()),
        Answer::Foreign => "a foreign page".into(),
        Answer::Truncated(_) => "half an answer".into(),
        Answer::Reset => "a broken connection".into(),
        Answer::Silence => "nothing".into(),
    }
}

fn journal_params(params: &Params) -> BTreeMap<String, String> {
    let masked = |(key, value): (&String, &String)| match key.as_str() {
        "preSharedKey" => (key.clone(), hex(&Sha256::digest(value.as_bytes()))),
        _ => (key.clone(), value.clone()),
    };
    params.iter().map(masked).collect()
}
