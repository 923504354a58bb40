//! Signing and answers of API 3.0.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use crate::cloud::Hidden;
use crate::cloud::actions::{Actions, Listed};
use crate::cloud::answer::{Answer, Envelope};
use crate::cloud::call::Api;
use crate::cloud::credentials::Credentials;
use crate::cloud::exchange::Signed;
use crate::cloud::meaning::Codes;
use crate::cloud::value::{text, uncut};
use crate::domain::api;
use crate::domain::fingerprint::FingerprintKey;
use crate::domain::ids::TunnelPath;
use crate::domain::patch::Requirements;
use crate::domain::timestamp::Timestamp;
use crate::domain::tunnel::Tunnel;
use crate::service::cloud::{Preview, TaskStatus, TunnelChange, TunnelsOf};

use super::document::{Member, Record};
use super::{sign, tunnel, wire};

/// The version of the VPC service.
const VERSION: &str = "2017-03-12";
/// The bytes that are sent have to be of the type that is signed.
const JSON: &str = "application/json";
/// The language of the cloud's messages.
const LANGUAGE: &str = "en-US";
/// The path of every call.
const PATH: &str = "/";
/// Replaces a secret in a preview.
const MASKED: &str = "***";
/// Replaces a value that differs from call to call.
const DRAWN: &str = "(drawn for each call)";
/// The longest id of a request.
const MAX_REQUEST_ID: usize = 64;

/// The parameters of one call.
pub(in crate::cloud) struct Params {
    action: &'static str,
    /// The bytes that are signed and sent.
    body: Hidden,
}

impl Params {
    fn new(action: &'static str, record: &Record<'_>) -> Self {
        Self { action, body: record.text() }
    }
}

/// API 3.0 with its credentials.
pub(in crate::cloud) struct ApiV3 {
    pub(super) credentials: Credentials,
    pub(super) region: String,
    /// The host that is signed.
    pub(super) signed_host: String,
}

impl ApiV3 {
    /// The headers besides `Authorization`, with the names that the cloud's documents use.
    fn headers<'a>(&'a self, action: &'a str, timestamp: &'a str) -> Vec<(&'static str, &'a str)> {
        let mut headers = vec![
            ("Content-Type", JSON),
            ("X-TC-Action", action),
            ("X-TC-Version", VERSION),
            ("X-TC-Timestamp", timestamp),
            ("X-TC-Region", &self.region),
            ("X-TC-Language", LANGUAGE),
        ];
        if let Some(token) = &self.credentials.token {
            headers.push((TOKEN, token.expose_secret()));
        }
        headers
    }
}

/// The header with the token of temporary credentials.
const TOKEN: &str = "X-TC-Token";

/// A header's value. The cloud refuses a call whose header is empty, for a value that no header can have.
fn value(text: &str, is_secret: bool) -> HeaderValue {
    let mut value = HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(is_secret);
    value
}

impl Api for ApiV3 {
    type Params = Params;
    type Answer = Answer;

    fn sign(&self, params: &Params, signed_at: Timestamp, _nonce: u64) -> Signed {
        let body = params.body.expose();
        let request = sign::canonical_request(&self.signed_host, JSON, body.as_bytes());
        let text = sign::string_to_sign(signed_at, &request);
        let signature = sign::signature(self.credentials.secret_key.expose_secret(), signed_at, &text);
        let authorization = sign::authorization(&self.credentials.secret_id, signed_at, &signature);
        let timestamp = signed_at.as_seconds().to_string();
        let mut headers = HeaderMap::new();
        for (name, text) in self.headers(params.action, &timestamp) {
            if let Ok(header) = HeaderName::try_from(name) {
                headers.insert(header, value(text, name == TOKEN));
            }
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        headers.insert(AUTHORIZATION, value(&authorization, true));
        Signed { headers, body: Hidden::new(body.to_owned()) }
    }

    fn read(&self, body: &[u8], sent: &[&str]) -> Option<Answer> {
        Answer::read(body, sent, Envelope::Response).ok()
    }

    fn codes(answer: &Answer) -> Codes<'_> {
        answer.codes()
    }
}

impl Actions for ApiV3 {
    const VERSION: &'static str = api::Api::V3.as_str();
    const MODIFY: &'static str = "ModifyVpnConnectionAttribute";
    const TASK: &'static str = "DescribeVpcTaskResult";
    const LIST: &'static str = "DescribeVpnConnections";
    const PAGE: usize = 100;
    /// The document does not call the change asynchronous, and does not say that its `RequestId` is a task.
    const HAS_TASKS: bool = false;

    fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn requirements(&self) -> Requirements {
        Requirements { api: api::Api::V3, groups_go_together: false }
    }

    fn modify(&self, change: &TunnelChange) -> Params {
        Params::new(Self::MODIFY, &wire::modify(change))
    }

    fn task_of(answer: &Answer) -> Option<String> {
        let id = uncut(&answer.member("Response")["RequestId"])?;
        let is_id = id.len() <= MAX_REQUEST_ID
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        (is_id && !id.is_empty()).then_some(id)
    }

    fn task(&self, task_id: &str) -> Params {
        let mut record = Record::default();
        record.put("TaskId", Member::Text(task_id.into()));
        Params::new(Self::TASK, &record)
    }

    fn task_status(answer: &Answer) -> (TaskStatus, Option<String>) {
        let response = answer.member("Response");
        let status = match response["Status"].as_str() {
            Some("SUCCESS") => TaskStatus::Succeeded,
            Some("FAILED") => TaskStatus::Failed,
            Some("RUNNING") => TaskStatus::Running,
            _ => TaskStatus::Unrecognized,
        };
        // The output of a task that succeeded says no more than its status.
        (status, uncut(&response["Output"]).filter(|_| status == TaskStatus::Failed))
    }

    /// API 3.0 has unified ids only.
    fn may_exist(listed: Listed<'_>) -> bool {
        let is_unified = |of: TunnelsOf<'_>| {
            of.vpc.is_none_or(|vpc| vpc.as_str().starts_with("vpc-"))
                && of.gateway.is_none_or(|gateway| gateway.as_str().starts_with("vpngw-"))
        };
        match listed {
            Listed::Tunnel(TunnelPath { vpc_id, gateway_id, tunnel_id }) => {
                is_unified(TunnelsOf { vpc: Some(vpc_id), gateway: Some(gateway_id) })
                    && tunnel_id.as_str().starts_with("vpnx-")
            }
            Listed::Several(of) => is_unified(of),
        }
    }

    /// The filters are joined by AND, so one call checks the whole path.
    fn page(&self, listed: Listed<'_>, offset: usize) -> Params {
        let filters = match listed {
            Listed::Tunnel(path) => vec![
                filter("vpc-id", path.vpc_id.as_str()),
                filter("vpn-gateway-id", path.gateway_id.as_str()),
                filter("vpn-connection-id", path.tunnel_id.as_str()),
            ],
            Listed::Several(TunnelsOf { vpc, gateway }) => {
                let vpc = vpc.map(|vpc| filter("vpc-id", vpc.as_str()));
                let gateway = gateway.map(|gateway| filter("vpn-gateway-id", gateway.as_str()));
                vpc.into_iter().chain(gateway).collect()
            }
        };
        let mut record = Record::default();
        if !filters.is_empty() {
            record.put("Filters", Member::List(filters));
        }
        record.put("Offset", Member::Number(offset as u64));
        record.put("Limit", Member::Number(Self::PAGE as u64));
        Params::new(Self::LIST, &record)
    }

    fn entries(answer: &Answer) -> Option<&[Value]> {
        match answer.member("Response").get("VpnConnectionSet") {
            Some(Value::Array(entries)) => Some(entries),
            // Without the list only the number can say that there is nothing.
            _ => (Self::total(answer) == Some(0)).then_some(&[]),
        }
    }

    fn total(answer: &Answer) -> Option<usize> {
        text(&answer.member("Response")["TotalCount"])?.parse().ok()
    }

    fn tunnel(answer: &Answer, entry: &Value) -> Tunnel {
        tunnel::read(answer, entry)
    }

    /// The change names the tunnel only, so an entry without its VPC or its gateway is not enough.
    fn is_at(tunnel: &Tunnel, path: &TunnelPath) -> bool {
        let is = |ids: &[String], id: &str| ids.iter().any(|known| known == id);
        is(&tunnel.tunnel_ids, path.tunnel_id.as_str())
            && is(&tunnel.vpc_ids, path.vpc_id.as_str())
            && is(&tunnel.gateway_ids, path.gateway_id.as_str())
    }

    fn sent(&self, change: &TunnelChange, fingerprints: &FingerprintKey) -> Map<String, Value> {
        Map::from_iter(wire::modify(change).shown(&|key| fingerprints.masked(key)))
    }

    fn preview(&self, change: &TunnelChange) -> Preview {
        let headers = self.headers(Self::MODIFY, DRAWN).into_iter().chain([("Authorization", MASKED)]);
        Preview {
            method: "POST",
            host: self.signed_host.clone(),
            path: PATH.into(),
            headers: headers
                .map(|(name, value)| (name.to_owned(), if name == TOKEN { MASKED } else { value }.to_owned()))
                .collect(),
            parameters: wire::modify(change).shown(&|_| MASKED.into()),
        }
    }
}

fn filter<'a>(name: &'a str, id: &'a str) -> Member<'a> {
    let mut filter = Record::default();
    filter.put("Name", Member::Text(name.into()));
    filter.put("Values", Member::List(vec![Member::Text(id.into())]));
    Member::Record(filter)
}
