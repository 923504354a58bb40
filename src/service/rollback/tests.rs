use serde_json::json;

use super::*;
use crate::domain::operation::ErrorCode;
use crate::service::outcome;

/// Two tunnels whose ranges are the same, joined in other ways.
const STRAIGHT: [[&str; 2]; 2] = [["10.0.0.0/24", "172.16.0.0/16"], ["10.0.1.0/24", "172.17.0.0/16"]];
const CROSSED: [[&str; 2]; 2] = [["10.0.0.0/24", "172.17.0.0/16"], ["10.0.1.0/24", "172.16.0.0/16"]];

fn policies(pairs: [[&str; 2]; 2]) -> Value {
    json!(pairs.map(|[local, peer]| json!({"local_cidr": local, "peer_cidrs": [peer]})))
}

fn difference(observed: Value) -> Difference {
    Difference { pointer: "/peer_cidrs".into(), asked: json!(["10.9.0.0/16"]), observed }
}

#[test]
fn policies_that_another_hand_joined_in_another_way_are_a_change() {
    let left = Verification::Diverged { differences: vec![difference(policies(STRAIGHT))] };
    let state = State::Diverged { task_id: None, verification: left };
    assert_eq!(changed_field(&state, None, difference(policies(STRAIGHT))), None);
    let changed = changed_field(&state, None, difference(policies(CROSSED))).expect("a change");
    assert_eq!((changed.expected, changed.observed), (policies(STRAIGHT), policies(CROSSED)));
}

#[test]
fn a_tunnel_that_is_as_before_a_change_that_timed_out_has_not_changed() {
    let before = Changes::of_fields(vec![
        ("/peer_cidrs".into(), json!(["172.16.0.0/16", "172.17.0.0/16"])),
        ("/security_policies".into(), policies(STRAIGHT)),
    ]);
    let state = State::TimedOut { task_id: None, error: outcome::error(ErrorCode::TaskTimeout) };
    assert_eq!(changed_field(&state, Some(&before), difference(policies(STRAIGHT))), None);
    assert!(changed_field(&state, Some(&before), difference(policies(CROSSED))).is_some());
    let ranges = json!(["172.16.0.0/16", "172.17.0.0/16"]);
    assert!(
        changed_field(&state, Some(&before), difference(ranges)).is_some(),
        "every range reaches them now"
    );
}
