use serde_json::{Map, json};

use super::*;
use crate::domain::changes::Changes;
use crate::domain::event::{Actor, Route};
use crate::domain::fingerprint::FingerprintKey;
use crate::domain::ids::TunnelPath;
use crate::domain::operation::{OperationId, State};
use crate::domain::timestamp::Timestamp;
use crate::domain::verification::Verification;

fn members(value: &Value) -> Changes {
    value.as_object().cloned().unwrap_or_else(Map::new).into()
}

/// An operation that succeeded.
fn operation(changes: &Value, before: &Value) -> Operation {
    let now = Timestamp::from_micros(0);
    Operation {
        id: OperationId::nil(),
        tunnel: TunnelPath {
            vpc_id: "vpc-1".parse().expect("an id"),
            gateway_id: "vpngw-1".parse().expect("an id"),
            tunnel_id: "vpnx-1".parse().expect("an id"),
        },
        route: Route { account: "default".into(), region: "ap-guangzhou".into(), api: "3.0".into() },
        changes: members(changes),
        before: before.is_object().then(|| members(before)),
        fingerprint_key_id: None,
        reason: None,
        rollback_of: None,
        requested_by: Actor::command_line(),
        request_id: None,
        trace_id: None,
        created_at: now,
        updated_at: now,
        finished_at: Some(now),
        state: State::Succeeded { task_id: None, verification: Verification::Confirmed },
    }
}

fn reasons(changes: &Value, before: &Value, api: Api) -> Vec<(String, &'static str)> {
    let faults = patch(&operation(changes, before), api).expect_err("not reversible");
    faults.into_iter().map(|fault| (fault.pointer, fault.code)).collect()
}

/// Every field but the key and the ranges, each with a value.
fn every_field() -> Value {
    json!({
        "name": "\u{202e}evil & co",
        "ike": {"version": "ikev2", "encryption_algorithm": "future-9", "authentication_algorithm": "sha-512",
                "exchange_mode": "main", "local_identity": {"type": "fqdn", "fqdn": "HQ.example.com"},
                "remote_identity": {"type": "address", "address": "203.0.113.20"},
                "dh_group": "group99", "sa_lifetime_seconds": 9_999_999},
        "ipsec": {"encryption_algorithm": "none", "integrity_algorithm": "sha", "sa_lifetime_seconds": 1,
                  "sa_lifetime_kilobytes": 4_294_967_295_u32, "pfs_dh_group": "none"},
        "dpd": {"enabled": false, "timeout_seconds": 30, "action": "restart"},
        "negotiation_type": "flow-trigger",
        "health_check": {"enabled": true, "local_ip": "169.254.128.1", "remote_ip": "169.254.128.2",
                         "interval_ms": 999, "timeout_ms": 10, "failure_threshold": 9},
        "customer_gateway_id": "cgw-1",
        "bgp": {"tunnel_cidr": "169.254.129.0/30", "local_ip": "169.254.129.1", "remote_ip": "169.254.129.2"}
    })
}

#[test]
fn every_field_comes_back_with_the_value_that_it_had() {
    let before = every_field();
    let patch = patch(&operation(&before, &before), Api::V3).expect("a patch");
    assert_eq!(json!(Changes::of(&patch, &FingerprintKey::derive(b"test"))), before);
    assert!(patch.outside.is_empty(), "no limit applies");
}

#[test]
fn policies_come_back_where_peer_cidrs_say_too_little() {
    let policies = json!([{"local_cidr": "10.0.0.0/24", "peer_cidrs": ["172.16.0.0/16"]},
                          {"local_cidr": "10.0.1.0/24", "peer_cidrs": ["172.17.0.0/16"]}]);
    let changes = json!({"peer_cidrs": ["10.9.0.0/16"]});
    let before = json!({"peer_cidrs": ["172.16.0.0/16", "172.17.0.0/16"], "security_policies": policies});
    for api in [Api::V2, Api::V3] {
        let patch = patch(&operation(&changes, &before), api).expect("a patch");
        let expected = json!({ "security_policies": policies });
        assert_eq!(json!(Changes::of(&patch, &FingerprintKey::derive(b"test"))), expected);
    }
}

#[test]
fn each_field_that_can_not_be_put_back_has_a_reason() {
    let changes = json!({"name": "a", "peer_cidrs": ["10.0.0.0/8"], "ike": {"dh_group": "group2", "version": "ikev2"},
                         "customer_gateway_id": "cgw-1"});
    let before = json!({"name": "", "peer_cidrs": ["2001:db8::/32"], "ike": {"dh_group": null},
                        "customer_gateway_id": "not an id"});
    let expected = [
        ("/customer_gateway_id", "not_sendable"),
        ("/ike/dh_group", "no_value"),
        ("/ike/version", "not_shown"),
        ("/name", "no_value"),
        ("/peer_cidrs", "not_sendable"),
    ];
    assert_eq!(reasons(&changes, &before, Api::V3), expected.map(|(pointer, code)| (pointer.into(), code)));
    let unread = reasons(&changes, &Value::Null, Api::V3);
    assert!(unread.len() == 5 && unread.iter().all(|(_, code)| *code == "not_read"), "{unread:?}");
}

#[test]
fn an_account_that_went_back_to_api_2_can_not_send_what_is_new_in_api_3() {
    let before = every_field();
    let needs = reasons(&before, &before, Api::V2);
    assert!(needs.iter().all(|(_, code)| *code == "needs_api_3"), "{needs:?}");
    assert_eq!(needs.len(), 15, "{needs:?}");
    let name = json!({"name": "hq"});
    assert_eq!(reasons(&name, &name, Api::V2), [("/peer_cidrs".to_owned(), "missing_ranges")]);
}
