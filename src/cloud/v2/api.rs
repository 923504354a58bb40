//! Signing and answers of API 2.0.

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use crate::cloud::actions::{Actions, Listed};
use crate::cloud::answer::{Answer, Envelope};
use crate::cloud::call::Api;
use crate::cloud::credentials::Credentials;
use crate::cloud::exchange::Signed;
use crate::cloud::meaning::Codes;
use crate::cloud::value::{record, text, uncut};
use crate::domain::api;
use crate::domain::fingerprint::FingerprintKey;
use crate::domain::patch::Requirements;
use crate::domain::timestamp::Timestamp;
use crate::domain::tunnel::Tunnel;
use crate::service::cloud::{Preview, TaskStatus, TunnelChange, TunnelsOf};

use super::sign::{self, Method, SignatureMethod, Target};
use super::tunnel;
use super::wire::{self, ParamStyle, Params};

/// The form of the parameters.
const FORM: &str = "application/x-www-form-urlencoded";
/// Replaces a secret in a preview.
const MASKED: &str = "***";
/// Replaces a value that differs from call to call.
const DRAWN: &str = "(drawn for each call)";
/// The longest id of a task; the cloud's have 5 digits in the documents.
const MAX_TASK_ID: usize = 64;

/// API 2.0 with its credentials.
pub(in crate::cloud) struct ApiV2 {
    pub(super) credentials: Credentials,
    pub(super) region: String,
    pub(super) signature_method: SignatureMethod,
    pub(super) param_style: ParamStyle,
    /// The host that is signed.
    pub(super) signed_host: String,
    /// The path that is signed.
    pub(super) path: String,
}

impl ApiV2 {
    /// All parameters but the signature, in the order in which they are sent.
    fn with_common<'a>(
        &'a self,
        params: &'a Params,
        timestamp: &'a str,
        nonce: &'a str,
    ) -> Vec<(&'a str, &'a str)> {
        let mut pairs = params.pairs();
        pairs.extend([
            ("Region", self.region.as_str()),
            ("Timestamp", timestamp),
            ("Nonce", nonce),
            ("SecretId", &self.credentials.secret_id),
            ("SignatureMethod", self.signature_method.as_str()),
        ]);
        if let Some(token) = &self.credentials.token {
            pairs.push(("Token", token.expose_secret()));
        }
        pairs
    }
}

impl Api for ApiV2 {
    type Params = Params;
    type Answer = Answer;

    fn sign(&self, params: &Params, signed_at: Timestamp, nonce: u64) -> Signed {
        let (timestamp, nonce) = (signed_at.as_seconds().to_string(), nonce.to_string());
        let pairs = self.with_common(params, &timestamp, &nonce);
        let target = Target { method: Method::Post, host: &self.signed_host, path: &self.path };
        let text = sign::string_to_sign(target, &pairs);
        let secret_key = self.credentials.secret_key.expose_secret();
        let signature = sign::signature(self.signature_method, secret_key, &text);
        let form = HeaderValue::from_static(FORM);
        Signed { headers: HeaderMap::from_iter([(CONTENT_TYPE, form)]), body: sign::form(&pairs, &signature) }
    }

    fn read(&self, body: &[u8], sent: &[&str]) -> Option<Answer> {
        Answer::read(body, sent, Envelope::Code).ok()
    }

    fn codes(answer: &Answer) -> Codes<'_> {
        answer.codes()
    }
}

impl Actions for ApiV2 {
    const VERSION: &'static str = api::Api::V2.as_str();
    const MODIFY: &'static str = wire::MODIFY;
    const TASK: &'static str = "DescribeVpcTaskResult";
    const LIST: &'static str = "DescribeVpnConn";
    const PAGE: usize = 50;
    const HAS_TASKS: bool = true;

    fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn requirements(&self) -> Requirements {
        self.param_style.requirements()
    }

    fn modify(&self, change: &TunnelChange) -> Params {
        wire::modify(change, self.param_style)
    }

    fn task_of(answer: &Answer) -> Option<String> {
        // Some related actions put it next to `data`.
        let task_id = uncut(&record(answer.member("data"))["taskId"]);
        let task_id = task_id.or_else(|| uncut(answer.member("taskId")));
        let is_id =
            |id: &String| !id.is_empty() && id.len() <= MAX_TASK_ID && id.bytes().all(|b| b.is_ascii_digit());
        task_id.filter(is_id)
    }

    fn task(&self, task_id: &str) -> Params {
        let mut params = Params::of_action(Self::TASK);
        params.put("taskId", task_id);
        params
    }

    fn task_status(answer: &Answer) -> (TaskStatus, Option<String>) {
        let data = record(answer.member("data"));
        let status = match text(&data["status"]).as_deref() {
            Some("0") => TaskStatus::Succeeded,
            Some("1") => TaskStatus::Failed,
            Some("2") => TaskStatus::Running,
            _ => TaskStatus::Unrecognized,
        };
        (status, uncut(&record(&data["output"])["errorMsg"]))
    }

    fn page(&self, listed: Listed<'_>, offset: usize) -> Params {
        let mut params = Params::of_action(Self::LIST);
        match listed {
            Listed::Tunnel(path) => wire::put_path(&mut params, path),
            Listed::Several(TunnelsOf { vpc, gateway }) => {
                if let Some(vpc) = vpc {
                    params.put("vpcId", vpc.as_str());
                }
                if let Some(gateway) = gateway {
                    params.put("vpnGwId", gateway.as_str());
                }
                // A new tunnel comes last and shifts no other.
                params.put("orderField", "createTime");
                params.put("orderDirection", "asc");
            }
        }
        params.put("offset", offset.to_string());
        params.put("limit", Self::PAGE.to_string());
        params
    }

    fn entries(answer: &Answer) -> Option<&[Value]> {
        let data = answer.member("data");
        // An empty result may be `{}` or `null`.
        let is_empty = match data {
            Value::Array(entries) => return Some(entries),
            Value::Object(members) => members.is_empty(),
            data => data.is_null(),
        };
        // Without a member that says so, it is not known that there is nothing.
        let is_nothing = match answer.member("totalCount") {
            Value::Null => answer.has("data"),
            _ => Self::total(answer) == Some(0),
        };
        (is_empty && is_nothing).then_some(&[])
    }

    fn total(answer: &Answer) -> Option<usize> {
        text(answer.member("totalCount"))?.parse().ok()
    }

    fn tunnel(answer: &Answer, entry: &Value) -> Tunnel {
        tunnel::read(answer, entry)
    }

    fn sent(&self, change: &TunnelChange, fingerprints: &FingerprintKey) -> Map<String, Value> {
        let params = self.modify(change);
        let own = params.pairs().into_iter().filter(|(name, _)| *name != "Action");
        own.map(|(name, value)| match (name, &change.pre_shared_key) {
            (wire::PRE_SHARED_KEY, Some(key)) => (name.to_owned(), fingerprints.masked(key)),
            _ => (name.to_owned(), Value::String(value.to_owned())),
        })
        .collect()
    }

    fn preview(&self, change: &TunnelChange) -> Preview {
        let params = self.modify(change);
        let mut parameters: Vec<(String, Value)> = self
            .with_common(&params, DRAWN, DRAWN)
            .into_iter()
            .map(|(name, value)| match name {
                wire::PRE_SHARED_KEY | "SecretId" | "Token" => (name.to_owned(), MASKED.into()),
                _ => (name.to_owned(), value.into()),
            })
            .collect();
        parameters.push((sign::SIGNATURE.to_owned(), MASKED.into()));
        Preview {
            method: "POST",
            host: self.signed_host.clone(),
            path: self.path.clone(),
            headers: vec![("Content-Type".into(), FORM.into())],
            parameters,
        }
    }
}
