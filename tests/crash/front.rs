//! A proxy in front of the simulated cloud. For each change it first looks in the ledger, through its own connection,
//! for the committed intent, and then forwards the call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use futures_util::stream;
use tunnelgate::clock::{Clock, SystemClock};

use crate::support::consumer::plain_client;
use crate::view::View;

/// The state of the ledger when a change arrived.
#[derive(Debug, Clone)]
pub struct Witness {
    pub nonce: String,
    pub tunnel: String,
    /// The first range in the change.
    pub range: String,
    /// The pending operation on this tunnel that asks for this range and has its `requested` event.
    pub intent: Option<String>,
}

const INTENT: &str = "SELECT CAST(o.id AS TEXT) FROM operations o
     WHERE o.tunnel_id = $1 AND o.status = 'pending' AND CAST(o.changes AS TEXT) LIKE '%\"' || $2 || '\"%'
       AND EXISTS (SELECT 1 FROM audit_events e WHERE e.operation_id = o.id AND e.event = 'requested')";

/// A tunnel for which the front itself responds, with an echo of the call.
pub const ECHOES: &[(&str, Echo)] = &[
    ("vpnx-load-900001", Echo::Page),
    ("vpnx-load-900002", Echo::Error502),
    ("vpnx-load-900003", Echo::Refusal),
    ("vpnx-load-900004", Echo::Code),
    ("vpnx-load-900005", Echo::Truncated),
];

#[derive(Debug, Clone, Copy)]
pub enum Echo {
    /// HTTP 200 and an HTML page that contains the whole call.
    Page,
    /// HTTP 502 with the whole call in its body.
    Error502,
    /// A refusal whose message repeats every parameter, plain and encoded.
    Refusal,
    /// A refusal whose code repeats every parameter.
    Code,
    /// The head of such a refusal.
    Truncated,
}

struct Shared {
    cloud: String,
    too_old: Duration,
    view: View,
    client: reqwest::Client,
    witnesses: Arc<Mutex<Vec<Witness>>>,
}

pub struct Front {
    pub address: String,
    witnesses: Arc<Mutex<Vec<Witness>>>,
    server: ServerHandle,
}

impl Front {
    /// Starts a front for `cloud` (`http://…`). Like the real cloud it refuses calls with an old timestamp.
    pub fn before(cloud: &str, ledger: &str, too_old: Duration) -> Self {
        let witnesses = Arc::new(Mutex::new(Vec::new()));
        let (cloud, ledger, seen) = (cloud.to_owned(), ledger.to_owned(), witnesses.clone());
        let server = HttpServer::new(move || {
            let shared = Shared {
                cloud: cloud.clone(),
                too_old,
                view: View::of(&ledger),
                client: plain_client(),
                witnesses: seen.clone(),
            };
            App::new().app_data(Data::new(shared)).default_service(web::route().to(pass))
        })
        .workers(1)
        .disable_signals()
        .bind("127.0.0.1:0")
        .expect("a port");
        let address = format!("http://{}", server.addrs()[0]);
        let server = server.shutdown_timeout(0).run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { address, witnesses, server: handle }
    }

    /// The number of changes so far.
    pub fn received(&self) -> usize {
        self.witnesses.lock().expect("no panic").len()
    }

    pub fn witnesses(&self) -> Vec<Witness> {
        self.witnesses.lock().expect("no panic").clone()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

async fn pass(shared: Data<Shared>, request: HttpRequest, body: Bytes) -> HttpResponse {
    // The call continues although its sender may be dead by now.
    let carried = actix_web::rt::spawn(async move { carry(&shared, &request, body).await });
    carried.await.unwrap_or_else(|_| broken())
}

/// A call in the form of either API.
struct Call {
    /// The parameters with the names of API 2.0; of API 3.0 those that the front needs.
    params: BTreeMap<String, String>,
    is_api_3: bool,
}

impl Call {
    fn read(request: &HttpRequest, body: &Bytes) -> Self {
        let header = |name: &str| Some(request.headers().get(name)?.to_str().ok()?.to_owned());
        let Some(action) = header("x-tc-action") else {
            return Self { params: form_urlencoded::parse(body).into_owned().collect(), is_api_3: false };
        };
        let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |pointer: &str| json.pointer(pointer)?.as_str().map(str::to_owned);
        let params = [
            ("Action", Some(action)),
            ("Timestamp", header("x-tc-timestamp")),
            ("Token", header("x-tc-token")),
            ("Authorization", header("authorization")),
            ("vpnConnId", text("/VpnConnectionId")),
            ("userGwCidrBlock.0", text("/SecurityPolicyDatabases/0/RemoteCidrBlock/0")),
            ("preSharedKey", text("/PreShareKey")),
        ];
        let params = params.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Self { params: params.collect(), is_api_3: true }
    }

    /// The tunnel and the first range of a change.
    fn change(&self) -> Option<(String, String)> {
        let of = |name: &str| self.params.get(name).cloned().unwrap_or_default();
        let is_change = ["ModifyVpnConnEx", "ModifyVpnConnectionAttribute"].contains(&of("Action").as_str());
        is_change.then(|| (of("vpnConnId"), of("userGwCidrBlock.0")))
    }
}

async fn carry(shared: &Shared, request: &HttpRequest, body: Bytes) -> HttpResponse {
    let call = Call::read(request, &body);
    let of = |name: &str| call.params.get(name).cloned().unwrap_or_default();
    if let Some((tunnel, range)) = call.change() {
        let found = shared.view.rows(INTENT, &[&tunnel, &range]).await;
        let intent = found.into_iter().next().and_then(|row| row[0].clone());
        let witness = Witness { nonce: of("Nonce"), tunnel: tunnel.clone(), range, intent };
        shared.witnesses.lock().expect("no panic").push(witness);
        if let Some((_, echo)) = ECHOES.iter().find(|(id, _)| *id == tunnel) {
            return echoed(*echo, &body, &call);
        }
        let signed_at: i64 = of("Timestamp").parse().unwrap_or_default();
        let age = SystemClock.now().as_micros() / 1_000_000 - signed_at;
        if age > i64::try_from(shared.too_old.as_secs()).unwrap_or_default() {
            return broken();
        }
    }
    let mut passed = shared.client.post(format!("{}{}", shared.cloud, request.path()));
    for (name, value) in request.headers() {
        let name = name.as_str();
        if ["host", "content-type", "authorization"].contains(&name) || name.starts_with("x-tc-") {
            passed = passed.header(name, value.as_bytes());
        }
    }
    let passed = passed.body(body).send().await;
    let Ok(answer) = passed else { return broken() };
    let status = answer.status().as_u16();
    let Ok(bytes) = answer.bytes().await else { return broken() };
    let status = actix_web::http::StatusCode::from_u16(status).expect("a status");
    HttpResponse::build(status).body(bytes)
}

/// Breaks the connection in the middle of the response.
fn broken() -> HttpResponse {
    let failing =
        stream::once(async { Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionReset)) });
    HttpResponse::Ok().streaming(failing)
}

fn echoed(echo: Echo, body: &Bytes, call: &Call) -> HttpResponse {
    let params = &call.params;
    // The envelope of the API that was called.
    let envelope = |code: &str, message: &str| {
        if call.is_api_3 {
            let error = serde_json::json!({"Code": code, "Message": message});
            return serde_json::json!({"Response": {"Error": error, "RequestId": message}, "data": params});
        }
        serde_json::json!({"code": code, "codeDesc": message, "message": message, "data": params})
    };
    let form = String::from_utf8_lossy(body).into_owned();
    let clear: Vec<String> = params.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let words = format!("wrong: {} ({form})", clear.join(", "));
    match echo {
        Echo::Page => HttpResponse::Ok().body(format!("<html><body>{words}</body></html>")),
        Echo::Error502 => HttpResponse::BadGateway().body(words),
        Echo::Refusal => {
            let secret = |name: &str| params.get(name).cloned().unwrap_or_default();
            // First, because the gateway keeps only the beginning of a long text.
            let first = format!("{} {} {words}", secret("preSharedKey"), secret("Token"));
            let code = if call.is_api_3 { "InvalidParameterValue" } else { "4000" };
            HttpResponse::Ok().json(envelope(code, &first))
        }
        Echo::Code => {
            let key = params.get("preSharedKey").cloned().unwrap_or_default();
            HttpResponse::Ok().json(envelope(&key, ""))
        }
        Echo::Truncated => {
            let text = envelope("0", &clear.join(" ")).to_string();
            HttpResponse::Ok().body(text[..text.len() - 20].to_owned())
        }
    }
}
