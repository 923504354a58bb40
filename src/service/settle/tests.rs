use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::domain::api::Api;
use crate::domain::event::{Actor, Route};
use crate::domain::fault::Fault;
use crate::domain::fingerprint::FingerprintKey;
use crate::domain::ids::TunnelPath;
use crate::domain::ike::IkeSettings;
use crate::domain::operation::UpstreamError;
use crate::domain::patch::{Patch, Requirements};
use crate::domain::timestamp::Timestamp;
use crate::domain::tunnel::{Reported, TunnelStatus};

fn asked(patch: &Value) -> Result<Changes, Vec<Fault>> {
    let requirements = Requirements { api: Api::V3, groups_go_together: false };
    Ok(Changes::of(&Patch::parse(patch, requirements)?, &FingerprintKey::derive(b"test")))
}

/// A tunnel with this name and this customer gateway.
fn tunnel(name: &str, customer_gateway: &str) -> Tunnel {
    Tunnel {
        name: Some(name.to_owned()),
        customer_gateway_id: Some(customer_gateway.to_owned()),
        ..Tunnel::default()
    }
}

/// What read number `reads` of an accepted change of both fields, to `new` and `cgw-new`, says.
fn read(shown: &Tunnel, before: &Tunnel, reads: u32, is_over: bool) -> Result<Settled, Vec<Fault>> {
    let changes = asked(&json!({"name": "new", "customer_gateway_id": "cgw-new"}))?;
    let operation = operation(changes, before, Api::V3, State::Running { task_id: "1".into() });
    let comparison = read_back::compare(&operation.changes, shown, None);
    Ok(accepted(&operation, shown, comparison, Progress { reads, enough: 3, is_over }))
}

/// An operation on a tunnel that was like `before`.
fn operation(changes: Changes, before: &Tunnel, api: Api, state: State) -> Operation {
    let now = Timestamp::from_micros(0);
    let [vpc_id, gateway_id, tunnel_id] = ["vpc-1", "vpngw-1", "vpnx-1"];
    Operation {
        id: Uuid::from_u128(7),
        tunnel: TunnelPath {
            vpc_id: vpc_id.parse().expect("an id"),
            gateway_id: gateway_id.parse().expect("an id"),
            tunnel_id: tunnel_id.parse().expect("an id"),
        },
        route: Route { account: "default".into(), region: "ap-guangzhou".into(), api: api.as_str().into() },
        before: Some(read_back::before(&changes, before, &FingerprintKey::derive(b"test"))),
        changes,
        fingerprint_key_id: None,
        reason: None,
        rollback_of: None,
        requested_by: Actor::command_line(),
        request_id: None,
        trace_id: None,
        created_at: now,
        updated_at: now,
        finished_at: None,
        state,
    }
}

fn is_diverged(settled: &Settled) -> bool {
    matches!(settled, Settled::Ended(Transition::Diverge { .. }))
}

#[test]
fn an_accepted_change_that_is_there_succeeded() -> Result<(), Vec<Fault>> {
    let expected = Settled::Ended(Transition::Succeed { verification: Verification::Confirmed });
    assert_eq!(read(&tunnel("new", "cgw-new"), &tunnel("old", "cgw-old"), 1, false)?, expected);
    // Nothing had to change.
    assert_eq!(read(&tunnel("new", "cgw-new"), &tunnel("new", "cgw-new"), 1, false)?, expected);
    Ok(())
}

#[test]
fn an_accepted_change_of_which_a_part_is_there_diverged_after_three_reads() -> Result<(), Vec<Fault>> {
    let (part, before) = (tunnel("new", "cgw-old"), tunnel("old", "cgw-old"));
    for reads in [1, 2] {
        assert_eq!(read(&part, &before, reads, true)?, Settled::Open);
    }
    assert!(is_diverged(&read(&part, &before, 3, false)?));
    Ok(())
}

#[test]
fn an_accepted_change_of_which_nothing_is_there_may_not_have_begun() -> Result<(), Vec<Fault>> {
    let before = tunnel("old", "cgw-old");
    for reads in [1, 3, 30] {
        assert_eq!(read(&before, &before, reads, false)?, Settled::Open);
    }
    assert_eq!(read(&before, &before, 2, true)?, Settled::Open);
    assert!(is_diverged(&read(&before, &before, 3, true)?));
    Ok(())
}

#[test]
fn an_accepted_change_that_had_nothing_to_change_does_not_wait_for_its_begin() -> Result<(), Vec<Fault>> {
    // Another hand changed the tunnel.
    let (shown, before) = (tunnel("other", "cgw-new"), tunnel("new", "cgw-new"));
    assert!(is_diverged(&read(&shown, &before, 3, false)?));
    Ok(())
}

/// What the third read says of a change with an answer of doubt, if the tunnel shows none of it.
fn after_doubt(api: Api, is_over: bool) -> Result<Settled, Vec<Fault>> {
    after_answer("InternalError", api, is_over)
}

fn after_answer(code: &str, api: Api, is_over: bool) -> Result<Settled, Vec<Fault>> {
    let shown = at_rest(tunnel("old", "cgw-old"));
    let answer = UpstreamError { code: Some(code.into()), ..UpstreamError::default() };
    let reason = OperationError { upstream: Some(answer), ..outcome::error(ErrorCode::AnswerLost) };
    let operation = operation(asked(&json!({"name": "new"}))?, &shown, api, State::Unknown { reason });
    let comparison = read_back::compare(&operation.changes, &shown, None);
    Ok(settle(&operation, &shown, comparison, Progress { reads: 3, enough: 3, is_over }))
}

#[test]
fn a_doubtful_answer_of_api_3_leaves_the_change_open_until_the_window_is_over() -> Result<(), Vec<Fault>> {
    let is_failed = |settled: &Settled| matches!(settled, Settled::Ended(Transition::Fail { .. }));
    // API 2.0 shows a tunnel that is being changed as such.
    assert!(is_failed(&after_doubt(Api::V2, false)?));
    assert_eq!(after_doubt(Api::V3, false)?, Settled::Open);
    assert!(is_failed(&after_doubt(Api::V3, true)?));
    Ok(())
}

#[test]
fn a_change_that_waits_for_an_approval_never_fails() -> Result<(), Vec<Fault>> {
    let code = "InvalidParameterValue.MemberApprovalApplicationStarted";
    for (api, is_over) in [(Api::V2, false), (Api::V2, true), (Api::V3, false), (Api::V3, true)] {
        assert_eq!(after_answer(code, api, is_over)?, Settled::Open);
    }
    Ok(())
}

fn at_rest(tunnel: Tunnel) -> Tunnel {
    Tunnel { status: Some(Reported::Known(TunnelStatus::Running)), ..tunnel }
}

/// How a change without an answer ends, if the tunnel was like `before` and is like `shown` when the window is over.
fn ended(patch: &Value, before: &Tunnel, shown: &Tunnel) -> Result<Transition, Vec<Fault>> {
    let reason = outcome::error(ErrorCode::AnswerLost);
    let operation = operation(asked(patch)?, before, Api::V2, State::Unknown { reason });
    let comparison = read_back::compare(&operation.changes, shown, None);
    match settle(&operation, shown, comparison, Progress { reads: 3, enough: 3, is_over: true }) {
        Settled::Ended(transition) => Ok(transition),
        Settled::Open => panic!("open after the window"),
    }
}

#[test]
fn an_address_that_may_be_the_gateway_s_own_proves_nothing() -> Result<(), Vec<Fault>> {
    let patch = json!({"ike": {"local_identity": {"type": "address"}}});
    let ike = IkeSettings {
        local_identity: Some("address".into()),
        local_address: Some("198.51.100.7".into()),
        ..IkeSettings::default()
    };
    let shown = at_rest(Tunnel { ike, ..Tunnel::default() });
    let ended = ended(&patch, &shown, &shown)?;
    assert!(matches!(ended, Transition::TimeOut { .. }), "{ended:?}");
    Ok(())
}

#[test]
fn a_proved_change_is_confirmed_only_if_every_field_is_as_requested() -> Result<(), Vec<Fault>> {
    let patch = json!({"name": "new", "customer_gateway_id": "cgw-same"});
    let before = tunnel("old", "cgw-same");
    let of = |shown: Tunnel| match ended(&patch, &before, &at_rest(shown))? {
        Transition::Succeed { verification } => Ok::<_, Vec<Fault>>(verification),
        other => panic!("the name proves the change: {other:?}"),
    };
    assert_eq!(of(tunnel("new", "cgw-same"))?, Verification::Confirmed);
    for shown in [
        // Another hand changed it, or the cloud does not show it any more.
        tunnel("new", "cgw-other"),
        Tunnel { customer_gateway_id: None, ..tunnel("new", "") },
    ] {
        let verification = of(shown)?;
        assert!(
            matches!(&verification, Verification::Unavailable { reason: Some(r) } if r.contains("/customer_gateway_id")),
            "{verification:?}"
        );
    }
    Ok(())
}
