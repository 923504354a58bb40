use serde_json::{Value, json};

use super::*;
use crate::domain::api::Api;
use crate::domain::event::{Actor, Route};
use crate::domain::fault::Fault;
use crate::domain::fingerprint::FingerprintKey;
use crate::domain::ids::TunnelPath;
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
    let before = read_back::before(&changes, before, &FingerprintKey::derive(b"test"));
    let comparison = read_back::compare(&changes, shown, None);
    Ok(accepted(&changes, Some(&before), comparison, Progress { reads, enough: 3, is_over }))
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
fn after_doubt(api: Api, is_over: bool) -> Result<Settled, Box<dyn std::error::Error>> {
    after_answer("InternalError", api, is_over)
}

fn after_answer(code: &str, api: Api, is_over: bool) -> Result<Settled, Box<dyn std::error::Error>> {
    let changes = asked(&json!({"name": "new"})).map_err(|_| "an invalid patch")?;
    let status = Some(Reported::Known(TunnelStatus::Running));
    let shown = Tunnel { status, ..tunnel("old", "cgw-old") };
    let answer = UpstreamError { code: Some(code.into()), ..UpstreamError::default() };
    let reason = OperationError { upstream: Some(answer), ..outcome::error(ErrorCode::AnswerLost) };
    let now = Timestamp::from_micros(0);
    let operation = Operation {
        id: "01a21fc9-5cfd-7d22-8277-ef5ecfdc7a43".parse()?,
        tunnel: TunnelPath {
            vpc_id: "vpc-1".parse()?,
            gateway_id: "vpngw-1".parse()?,
            tunnel_id: "vpnx-1".parse()?,
        },
        route: Route { account: "default".into(), region: "ap-guangzhou".into(), api: api.as_str().into() },
        before: Some(read_back::before(&changes, &shown, &FingerprintKey::derive(b"test"))),
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
        state: State::Unknown { reason },
    };
    let comparison = read_back::compare(&operation.changes, &shown, None);
    Ok(settle(&operation, &shown, comparison, Progress { reads: 3, enough: 3, is_over }))
}

#[test]
fn a_doubtful_answer_of_api_3_leaves_the_change_open_until_the_window_is_over()
-> Result<(), Box<dyn std::error::Error>> {
    let is_failed = |settled: &Settled| matches!(settled, Settled::Ended(Transition::Fail { .. }));
    // API 2.0 shows a tunnel that is being changed as such.
    assert!(is_failed(&after_doubt(Api::V2, false)?));
    assert_eq!(after_doubt(Api::V3, false)?, Settled::Open);
    assert!(is_failed(&after_doubt(Api::V3, true)?));
    Ok(())
}

#[test]
fn a_change_that_waits_for_an_approval_never_fails() -> Result<(), Box<dyn std::error::Error>> {
    let code = "InvalidParameterValue.MemberApprovalApplicationStarted";
    for (api, is_over) in [(Api::V2, false), (Api::V2, true), (Api::V3, false), (Api::V3, true)] {
        assert_eq!(after_answer(code, api, is_over)?, Settled::Open);
    }
    Ok(())
}
