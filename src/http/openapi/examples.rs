//! Examples: what the sandbox answers, with ids that stay the same.

use serde_json::{Value, json};

use crate::domain::event::EventKind;
use crate::domain::operation::Status;
use crate::http::audit::view::{COLUMNS, csv_header, csv_line};
use crate::http::problem::pages::TypeView;
use crate::http::problem::{Problem, ProblemType};

const ID: &str = "0199b3a1-7c1e-7d2f-9c1a-0123456789ab";
const OPENED: &str = "2026-01-31T08:00:00.000000Z";
const ENDED: &str = "2026-01-31T08:00:04.000000Z";
/// A tunnel's tag.
pub(super) const ETAG: &str = "\"20ede40bfe565b52a39cee75497cbb8c\"";
const FINGERPRINT: &str = "bf171abff3ff0af4234bf1dcada1d6a8314a8c1877400e9b5f1750341949b2dd";

/// The patch that works against the sandbox as it stands: the cloud's own example.
pub(super) fn patch() -> Value {
    json!({"peer_cidrs": ["10.100.2.0/24"], "pre_shared_key": "tencenttest"})
}

fn changes() -> Value {
    json!({"peer_cidrs": ["10.100.2.0/24"], "pre_shared_key": {"hmac_sha256": FINGERPRINT}})
}

pub(super) fn operation(status: Status) -> Value {
    let ended = status.is_final();
    json!({
        "id": ID, "status": status,
        "tunnel": {"vpc_id": "vpc-03vihbk9", "gateway_id": "vpngw-kfldykuz", "tunnel_id": "vpnx-ol6bcqp0"},
        "task_id": "12614", "changes": changes(), "requested_by": "netops-ci",
        "created_at": OPENED, "updated_at": if ended { ENDED } else { OPENED },
        "finished_at": ended.then_some(ENDED), "error": null,
        "verification": ended.then(|| json!({"result": "confirmed"}))
    })
}

pub(super) fn operations() -> Value {
    json!({"items": [operation(Status::Succeeded)], "next_cursor": null})
}

/// Two messages of a stream.
pub(super) fn messages() -> String {
    let step = json!({"seq": 2, "event": EventKind::Submitted, "at": OPENED, "status": Status::Running,
                      "task_id": "12614", "upstream": null, "verification": null});
    let end = operation(Status::Succeeded);
    format!("retry: 2000\n\nid: 2\nevent: submitted\ndata: {step}\n\nid: end\nevent: end\ndata: {end}\n\n")
}

pub(super) fn tunnels() -> Value {
    json!({"items": [tunnel()], "next_cursor": "MTp2cG54LW9sNmJjcXAw"})
}

pub(super) fn tunnel() -> Value {
    json!({
        "vpc_id": "vpc-03vihbk9", "gateway_id": "vpngw-kfldykuz", "tunnel_id": "vpnx-ol6bcqp0", "name": "hq",
        "status": "running", "connectivity": "connected", "gateway_address": "203.0.113.10",
        "peer_address": "203.0.113.20", "created_at": "2018-01-31 08:00:00",
        "pre_shared_key": {"hmac_sha256": FINGERPRINT},
        "local_cidrs": ["10.0.0.0/16"], "peer_cidrs": ["172.16.0.0/16"],
        "ike": {
            "encryption_algorithm": "aes-cbc-256", "authentication_algorithm": "sha", "exchange_mode": "main",
            "local_identity": {"type": "address", "address": "203.0.113.10"},
            "remote_identity": {"type": "address", "address": "203.0.113.20"},
            "dh_group": "group14", "sa_lifetime_seconds": 86_400},
        "ipsec": {
            "encryption_algorithm": "aes-cbc-256", "integrity_algorithm": "sha", "sa_lifetime_seconds": 3600,
            "sa_lifetime_kilobytes": 1_843_200, "pfs_dh_group": "dh-group14"}
    })
}

pub(super) fn dry_run() -> Value {
    let parameter = |(name, value): (&str, &str)| json!({"name": name, "value": value});
    let parameters: Vec<Value> = [
        ("Action", "ModifyVpnConnEx"),
        ("vpcId", "vpc-03vihbk9"),
        ("vpnGwId", "vpngw-kfldykuz"),
        ("vpnConnId", "vpnx-ol6bcqp0"),
        ("preSharedKey", "***"),
        ("userGwCidrBlock.0", "10.100.2.0/24"),
        ("Region", "ap-guangzhou"),
        ("Timestamp", "(drawn for each call)"),
        ("Nonce", "(drawn for each call)"),
        ("SecretId", "***"),
        ("SignatureMethod", "HmacSHA1"),
        ("Signature", "***"),
    ]
    .into_iter()
    .map(parameter)
    .collect();
    let key = json!({"hmac_sha256": FINGERPRINT});
    json!({
        "tunnel": {"vpc_id": "vpc-03vihbk9", "gateway_id": "vpngw-kfldykuz", "tunnel_id": "vpnx-ol6bcqp0"},
        "etag": ETAG, "operation_in_progress": null,
        "fields": [
            {"pointer": "/peer_cidrs", "current": ["172.16.0.0/16"], "wanted": ["10.100.2.0/24"], "differs": true},
            {"pointer": "/pre_shared_key", "current": key, "wanted": key, "differs": false}],
        "merged": {"peer_cidrs": ["10.100.2.0/24"], "pre_shared_key": key},
        "call": {"method": "POST", "host": "vpc.api.qcloud.com", "path": "/v2/index.php", "parameters": parameters}
    })
}

pub(super) fn event() -> Value {
    json!({
        "seq": 1, "id": "0199b3a1-7c1e-7d30-8f00-0123456789ab", "occurred_at": OPENED, "event": EventKind::Requested,
        "operation_id": ID, "actor": "netops-ci", "actor_kind": "api_key", "source_ip": "198.51.100.7",
        "user_agent": "curl/8.5.0", "request_id": "deploy-42", "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "vpc_id": "vpc-03vihbk9", "gateway_id": "vpngw-kfldykuz", "tunnel_id": "vpnx-ol6bcqp0",
        "changes": changes(), "upstream": null, "prev_hash": "0".repeat(64), "hash": HASH
    })
}

/// An event as a line of NDJSON.
pub(super) fn ndjson() -> String {
    format!("{}\n", event())
}

/// The same as CSV, with its header.
pub(super) fn csv() -> String {
    let event = event();
    let fields = COLUMNS.iter().map(|column| match &event[*column] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    let lines = [csv_header(), csv_line(&fields.collect::<Vec<_>>())].concat();
    String::from_utf8(lines).unwrap_or_default()
}

/// One figure.
pub(super) const METRICS: &str = "\
# HELP tunnelgate_auth_refusals Callers that were refused: no token, an invalid one, too few rights, or too often.
# TYPE tunnelgate_auth_refusals counter
tunnelgate_auth_refusals_total{reason=\"no_token\"} 3
# EOF
";

/// The beginning of a page.
pub(super) const PAGE: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Problems · tunnelgate</title>…</html>";

/// A document with nothing in it.
pub(super) fn document() -> Value {
    json!({"openapi": "3.1.0", "info": {"title": "tunnelgate", "version": env!("CARGO_PKG_VERSION")}, "paths": {}})
}

const HASH: &str = "0b03f1d0a3c55b5be2a9c6f1d3c1b6f0c7c2f9d6c1f5a4d6b2e0a7f9c3d5c09c";

pub(super) fn events() -> Value {
    json!({"items": [event()], "next_cursor": "MTo0Mg"})
}

pub(super) fn checkpoint() -> Value {
    json!({"seq": 4, "hash": HASH, "at": ENDED})
}

pub(super) fn counts() -> Value {
    json!({
        "bucket": "1h", "created_after": "2026-01-30T08:20:00.000000Z", "created_before": "2026-01-31T08:20:00.000000Z",
        "items": [{"from": OPENED, "event": EventKind::Failed, "count": 1},
                  {"from": OPENED, "event": EventKind::Requested, "count": 3}]
    })
}

pub(super) fn whole() -> Value {
    json!({"result": "whole", "events": 4, "last": checkpoint(), "complete": true})
}

pub(super) fn broken() -> Value {
    json!({"result": "broken", "seq": 3, "why": "its hash does not fit its columns: the row was changed"})
}

/// A problem as it is answered, with what belongs to its type.
pub(super) fn problem(kind: ProblemType) -> Value {
    let mut example = json!(Problem::of(kind));
    example["request_id"] = json!(ID);
    match kind {
        ProblemType::InvalidPatch => {
            example["errors"] = json!([
                {"pointer": "/ike/sa_lifetime_seconds", "code": "out_of_range",
                 "detail": "must be a whole number of seconds from 60 to 604800"},
                {"pointer": "path:tunnel_id", "code": "invalid_id", "detail": "must be 1 to 64 of A-Z a-z 0-9 _ -"}
            ]);
        }
        ProblemType::InvalidQuery => {
            example["errors"] = json!([{"pointer": "query:limit", "code": "invalid",
                "detail": "must be a whole number from 1 to 200"}]);
        }
        ProblemType::InvalidHeader => {
            example["errors"] = json!([{"pointer": "header:If-Match", "code": "invalid",
                "detail": "must be * or a list of entity tags such as \"33a64df5\", as ETag has them"}]);
        }
        ProblemType::InvalidCursor => {
            example["errors"] = json!([{"pointer": "query:cursor", "code": kind.code(),
                "detail": kind.describe().detail}]);
        }
        ProblemType::OperationInProgress | ProblemType::IdempotencyKeyInFlight => {
            example["operation_id"] = json!(ID);
        }
        ProblemType::TunnelNotFound => upstream(&mut example, "5000", "InvalidVpnConn.NotFound", "not found"),
        ProblemType::UpstreamInvalidParameter => {
            upstream(&mut example, "4000", "InvalidParameter", "userGwCidrBlock is invalid");
        }
        ProblemType::UpstreamRateLimited => {
            upstream(&mut example, "4400", "RequestLimitExceeded", "quota limit exceeded");
        }
        ProblemType::UpstreamFailed => upstream(&mut example, "5100", "InternalError", "server error"),
        _ => {}
    }
    example
}

pub(super) fn problem_type() -> Value {
    json!(TypeView::from(ProblemType::OperationInProgress))
}

pub(super) fn problem_types() -> Value {
    json!({"items": [problem_type()], "next_cursor": null})
}

fn upstream(example: &mut Value, code: &str, code_desc: &str, message: &str) {
    example["operation_id"] = json!(ID);
    example["upstream"] = json!({"code": code, "code_desc": code_desc, "message": message});
}
