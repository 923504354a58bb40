//! An example of each problem type.

use serde_json::{Value, json};

use super::{Problem, ProblemType};
use crate::http::openapi::examples::ID;

/// A problem of this type, with the members that the type has.
pub fn example(kind: ProblemType) -> Value {
    let mut example = json!(Problem::of(kind));
    example["request_id"] = json!(ID);
    match kind {
        ProblemType::InvalidPatch => {
            example["errors"] = json!([
                {"pointer": "/ike/sa_lifetime_seconds", "code": "out_of_range",
                 "detail": "must be a whole number of seconds from 60 to 604800"},
                {"pointer": "path:tunnel_id", "code": "invalid_id", "detail": "must be 1 to 64 characters of A-Z a-z 0-9 _ -"}
            ]);
        }
        ProblemType::InvalidQuery => {
            example["errors"] = json!([{"pointer": "query:limit", "code": "invalid",
                "detail": "must be a whole number from 1 to 200"}]);
        }
        ProblemType::InvalidHeader => {
            example["errors"] = json!([{"pointer": "header:If-Match", "code": "invalid",
                "detail": "must be * or a list of entity tags as ETag shows them, such as \"33a64df5\""}]);
        }
        ProblemType::InvalidCursor => {
            example["errors"] = json!([{"pointer": "query:cursor", "code": kind.code(),
                "detail": kind.describe().detail}]);
        }
        ProblemType::NotReversible => {
            example["errors"] = json!([{"pointer": "/security_policies", "code": "not_shown",
                "detail": "the cloud showed the ranges of both sides before the change, and not their pairs"}]);
            example["operation_id"] = json!(ID);
        }
        ProblemType::PeerConfigUnavailable => {
            example["errors"] = json!([{"pointer": "/ike/encryption_algorithm", "code": "not_supported",
                "detail": "RouterOS does not have aes-gcm-256"}]);
        }
        ProblemType::ChangedSince => {
            example["differences"] = json!([{"pointer": "/peer_cidrs", "expected": ["10.100.2.0/24"],
                "observed": ["10.100.3.0/24"]}]);
            example["operation_id"] = json!(ID);
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

fn upstream(example: &mut Value, code: &str, code_desc: &str, message: &str) {
    example["operation_id"] = json!(ID);
    example["upstream"] = json!({"code": code, "code_desc": code_desc, "message": message});
}
