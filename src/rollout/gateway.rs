//! The calls of a rollout, with their answers as types.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{HeaderName, IF_MATCH};
use secrecy::zeroize::Zeroizing;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::time::sleep;
use uuid::Uuid;

use crate::domain::ids::{GatewayId, TunnelPath, VpcId};
use crate::domain::outcome::ErrorCode;
use crate::domain::secret::PreSharedKey;

use super::client::{Call, Client, body};
use super::problem::CallError;
use super::state::Request;

/// The largest page of a list.
const PAGE: &str = "200";
/// How long the gateway waits for the end of an operation in one call. Proxies give up at 60 seconds.
const WAIT: Duration = Duration::from_secs(50);
/// The least time between two looks at an operation.
const PAUSE: Duration = Duration::from_millis(200);
/// How far the clocks of this machine and of the gateway may differ.
const MAX_SKEW: Duration = Duration::from_secs(24 * 3600);
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The gateway keeps it with the operation, where another caller finds it.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// A tunnel as the cloud has it now; the members that a rollout needs.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct TunnelNow {
    pub(super) vpc_id: String,
    pub(super) tunnel_id: String,
    pub(super) api: String,
    pub(super) local_cidrs: Option<Vec<String>>,
    pub(super) peer_cidrs: Option<Vec<String>>,
    pub(super) security_policies: Option<Vec<PolicyNow>>,
}

impl TunnelNow {
    /// The ranges on the peer's side; none if the cloud shows none.
    pub(super) fn peers(&self) -> Vec<&str> {
        let policies = self.security_policies.iter().flatten().flat_map(|policy| &policy.peer_cidrs);
        self.peer_cidrs.iter().flatten().chain(policies).map(String::as_str).collect()
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct PolicyNow {
    pub(super) peer_cidrs: Vec<String>,
}

/// A field of a dry run.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Field {
    pub(super) pointer: String,
    pub(super) current: Value,
    pub(super) wanted: Value,
    /// `None` if the gateway can't tell or must not say.
    pub(super) differs: Option<bool>,
}

/// The answer to a dry run.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct DryRun {
    pub(super) operation_in_progress: Option<Uuid>,
    pub(super) fields: Vec<Field>,
}

/// An operation; the members that a rollout needs.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Operation {
    pub(super) id: Uuid,
    pub(super) status: String,
    pub(super) finished_at: Option<String>,
    pub(super) error: Option<Value>,
    pub(super) verification: Option<Value>,
}

impl Operation {
    /// False if it was rejected for a reason that passes, or that is not known here: a repetition under the same
    /// idempotency key may then be a new operation.
    fn uses_key(&self) -> bool {
        let code = self.error.as_ref().and_then(|error| error["code"].as_str());
        self.status != "rejected"
            || code.and_then(ErrorCode::from_word).is_some_and(|code| !code.is_retryable())
    }

    /// Why the tunnel is not as asked.
    pub(super) fn reason(&self) -> String {
        let member =
            |value: &Option<Value>, name: &str| value.as_ref().and_then(|value| value.get(name)).cloned();
        if let Some(Value::String(detail)) = member(&self.error, "detail") {
            return detail;
        }
        match member(&self.verification, "differences") {
            Some(Value::Array(differences)) => {
                let pointers = differences.iter().filter_map(|difference| difference["pointer"].as_str());
                format!("the tunnel has other values in {}", pointers.collect::<Vec<_>>().join(", "))
            }
            _ => self.status.clone(),
        }
    }
}

/// What a change sends.
#[derive(Clone, Copy)]
pub(super) enum Target<'a> {
    /// A PATCH of the tunnel.
    Tunnel(&'a TunnelPath),
    /// The rollback of an operation.
    Operation(Uuid),
}

/// The headers and the query of a change.
#[derive(Clone, Copy)]
pub(super) struct Sending<'a> {
    pub(super) idempotency_key: Uuid,
    pub(super) if_match: Option<&'a str>,
    pub(super) reason: Option<&'a str>,
    /// An earlier process may have sent the same.
    pub(super) is_repeated: bool,
    /// How long the gateway still knows the idempotency key.
    pub(super) repeat_for: Duration,
}

/// A patch as the body of a call.
pub(super) fn patch_body(
    patch: &Map<String, Value>,
    peer_cidrs: Option<&[String]>,
    key: Option<&PreSharedKey>,
) -> Bytes {
    let mut patch = patch.clone();
    if let Some(cidrs) = peer_cidrs {
        patch.insert("peer_cidrs".into(), cidrs.into());
    }
    // Maps of texts, numbers and lists always serialize.
    let without = serde_json::to_vec(&patch).unwrap_or_default();
    let Some(key) = key else { return body(without) };
    // The key is written once, into a buffer that is large enough for all of it: nothing is left behind.
    let quoted = Zeroizing::new(Value::from(key.expose()).to_string());
    let mut json = Vec::with_capacity(without.len() + quoted.len() + 32);
    json.extend_from_slice(b"{\"pre_shared_key\":");
    json.extend_from_slice(quoted.as_bytes());
    json.extend_from_slice(if patch.is_empty() { b"" } else { b"," });
    json.extend_from_slice(without.get(1..).unwrap_or(b"}"));
    body(json)
}

impl Client {
    async fn fetch<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
        is_repeated: bool,
    ) -> Result<(T, Option<String>), CallError> {
        let answer = self.call(call, is_repeated).await?;
        match serde_json::from_value(answer.body) {
            Ok(value) => Ok((value, answer.etag)),
            Err(error) => Err(CallError::Doubt(format!("the answer is not one of a gateway: {error}"))),
        }
    }

    /// All tunnels of a gateway.
    pub(super) async fn tunnels(
        &self,
        vpc: &VpcId,
        gateway: &GatewayId,
    ) -> Result<Vec<TunnelNow>, CallError> {
        let path = ["vpcs", vpc.as_str(), "gateways", gateway.as_str(), "tunnels"];
        self.list(&path, &[]).await
    }

    /// All pages of a list.
    async fn list<T: DeserializeOwned>(
        &self,
        path: &[&str],
        filters: &[(&str, &str)],
    ) -> Result<Vec<T>, CallError> {
        #[derive(Deserialize)]
        struct Page<T> {
            items: Vec<T>,
            next_cursor: Option<String>,
        }
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query = filters.to_vec();
            query.push(("limit", PAGE));
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let (page, _): (Page<T>, _) =
                self.fetch(&Call { query: &query, ..Call::get(path) }, false).await?;
            items.extend(page.items);
            match page.next_cursor {
                Some(next) if cursor.as_ref() != Some(&next) => cursor = Some(next),
                _ => return Ok(items),
            }
        }
    }

    /// One tunnel, with its tag.
    pub(super) async fn tunnel(&self, path: &TunnelPath) -> Result<(TunnelNow, Option<String>), CallError> {
        self.fetch(&Call::get(&tunnel_path(path)), false).await
    }

    /// What a change would do.
    pub(super) async fn dry_run(
        &self,
        target: Target<'_>,
        body: Bytes,
        reason: Option<&str>,
    ) -> Result<DryRun, CallError> {
        let mut query = vec![("dry_run", "true")];
        query.extend(reason.map(|reason| ("reason", reason)));
        let (dry_run, _) = self.send(target, &query, body, |_| {}, false).await?;
        Ok(dry_run)
    }

    /// Sends a change.
    pub(super) async fn change(
        &self,
        target: Target<'_>,
        body: Bytes,
        sending: Sending<'_>,
    ) -> Result<Operation, CallError> {
        let query: Vec<(&str, &str)> = sending.reason.map(|reason| ("reason", reason)).into_iter().collect();
        let headers = |call: &mut Call<'_>| {
            let key = sending.idempotency_key.to_string();
            call.header(IDEMPOTENCY_KEY, &key);
            call.header(REQUEST_ID, &key);
            call.is_callers = true;
            call.repeat_for = sending.repeat_for;
            if let Some(tag) = sending.if_match {
                call.header(IF_MATCH, tag);
            }
        };
        let (operation, _) = self.send(target, &query, body, headers, sending.is_repeated).await?;
        Ok(operation)
    }

    async fn send<T: DeserializeOwned>(
        &self,
        target: Target<'_>,
        query: &[(&str, &str)],
        body: Bytes,
        headers: impl FnOnce(&mut Call<'_>),
        is_repeated: bool,
    ) -> Result<(T, Option<String>), CallError> {
        let id;
        let (method, path) = match target {
            Target::Tunnel(path) => (Method::PATCH, tunnel_path(path).to_vec()),
            Target::Operation(operation) => {
                id = operation.to_string();
                (Method::POST, vec!["operations", id.as_str(), "rollback"])
            }
        };
        let mut call = Call { method, query, body: Some(body), ..Call::get(&path) };
        headers(&mut call);
        self.fetch(&call, is_repeated).await
    }

    /// The operation that this request opened, for any caller; `None` if there is none. One that was rejected
    /// for a reason that passes is none: the request may have been repeated after it, and that one may be on
    /// its way.
    pub(super) async fn operation_of(
        &self,
        path: &TunnelPath,
        request: &Request,
    ) -> Result<Option<Uuid>, CallError> {
        let request_id = request.idempotency_key.to_string();
        let since = request.at.minus(MAX_SKEW).to_string();
        let query = [
            ("vpc_id", path.vpc_id.as_str()),
            ("tunnel_id", path.tunnel_id.as_str()),
            ("created_after", since.as_str()),
            ("request_id", request_id.as_str()),
        ];
        let operations: Vec<Operation> = self.list(&["operations"], &query).await?;
        Ok(operations.iter().find(|operation| operation.uses_key()).map(|operation| operation.id))
    }

    /// Follows an operation to its end.
    pub(super) async fn ended(&self, id: Uuid) -> Result<Operation, CallError> {
        let id = id.to_string();
        let path = ["operations", id.as_str()];
        loop {
            let mut call = Call { wait: WAIT, ..Call::get(&path) };
            call.header(PREFER, &format!("wait={}", WAIT.as_secs()));
            let (operation, _): (Operation, _) = self.fetch(&call, false).await?;
            if operation.finished_at.is_some() {
                return Ok(operation);
            }
            // A gateway that stops does not wait.
            sleep(PAUSE).await;
        }
    }
}

fn tunnel_path(path: &TunnelPath) -> [&str; 6] {
    let TunnelPath { vpc_id, gateway_id, tunnel_id } = path;
    ["vpcs", vpc_id.as_str(), "gateways", gateway_id.as_str(), "tunnels", tunnel_id.as_str()]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use secrecy::SecretString;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;
    use crate::chance::SystemChance;
    use crate::rollout::base::Base;

    fn client(base: &str, retry_for: Duration) -> Client {
        let token: super::super::client::Token = Arc::new(|| Ok(SecretString::from("token")));
        let base = Base::parse(base, false).expect("a base");
        Client::new(base, token, retry_for, Arc::new(SystemChance)).expect("a client")
    }

    /// What was refused for good is the operation of its request; what may be repeated is not.
    #[test]
    fn a_rejection_uses_the_key_unless_its_reason_passes() {
        let operation = |status: &str, code: Option<&str>| Operation {
            id: Uuid::nil(),
            status: status.into(),
            finished_at: None,
            error: code.map(|code| serde_json::json!({"code": code})),
            verification: None,
        };
        for code in ["upstream_invalid_parameter", "precondition_failed", "upstream_credentials"] {
            assert!(operation("rejected", Some(code)).uses_key(), "{code}");
        }
        for code in ["call_budget", "not_sent", "upstream_unavailable", "a_new_word"] {
            assert!(!operation("rejected", Some(code)).uses_key(), "{code}");
        }
        assert!(!operation("rejected", None).uses_key());
        assert!(operation("pending", None).uses_key() && operation("failed", Some("not_sent")).uses_key());
    }

    /// The time of a long wait that a lost connection ends is not a time of repetitions.
    #[tokio::test]
    async fn a_call_is_repeated_after_a_long_wait_that_a_lost_connection_ended() {
        const RETRY_FOR: Duration = Duration::from_secs(1);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let server = tokio::spawn(async move {
            let (mut first, _) = listener.accept().await.expect("a connection");
            let _ = first.read(&mut [0; 8192]).await;
            sleep(RETRY_FOR).await;
            drop(first);
            let (mut second, _) = listener.accept().await.expect("a second one");
            let _ = second.read(&mut [0; 8192]).await;
            let body = format!(r#"{{"id":"{}","status":"succeeded","finished_at":"now"}}"#, Uuid::nil());
            let answer = format!("HTTP/1.1 200 -\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            second.write_all(answer.as_bytes()).await.expect("written");
        });
        let operation = client(&base, RETRY_FOR).ended(Uuid::nil()).await.expect("an operation");
        assert_eq!(operation.status, "succeeded");
        server.await.expect("its end");
    }

    /// A change is not repeated once the gateway may have forgotten its key, nor after a wait that is too long to reckon with.
    #[tokio::test]
    async fn a_change_is_repeated_only_while_its_key_is_known() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let server = tokio::spawn(async move {
            let mut requests = 0;
            for retry_after in [u64::MAX, 0] {
                let (mut connection, _) = listener.accept().await.expect("a connection");
                let _ = connection.read(&mut [0; 8192]).await;
                let answer = format!(
                    "HTTP/1.1 503 -\r\nretry-after: {retry_after}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                connection.write_all(answer.as_bytes()).await.expect("written");
                requests += 1;
            }
            requests
        });
        let hour = Duration::from_secs(3600);
        let client = client(&base, hour);
        for repeat_for in [hour, Duration::ZERO] {
            let sending = Sending {
                idempotency_key: Uuid::nil(),
                if_match: None,
                reason: None,
                is_repeated: false,
                repeat_for,
            };
            let change = client.change(Target::Operation(Uuid::nil()), body(b"{}".to_vec()), sending);
            let ended = timeout(Duration::from_secs(30), change).await.expect("its end");
            assert!(matches!(ended, Err(CallError::Doubt(_))));
        }
        assert_eq!(server.await.expect("its end"), 2);
    }
}
