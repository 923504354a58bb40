//! Drift: a field that no longer has the value that the last succeeded change of the field set.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::changes::Changes;
use super::operation::{Operation, OperationId, Status};
use super::timestamp::Timestamp;

/// A field of a tunnel that was changed outside of the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Drift)]
pub struct FieldDrift {
    /// JSON pointer into the operation's `changes`.
    #[schema(example = "/peer_cidrs")]
    pub pointer: String,
    /// The value that the last succeeded change set; a secret as its fingerprint.
    pub set: Value,
    /// The tunnel's value; a secret as its fingerprint.
    pub observed: Value,
    /// When the gateway noticed this value.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// The operation that set the field.
    #[schema(value_type = Uuid)]
    pub operation_id: OperationId,
}

/// A field that is compared with the tunnel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedField {
    /// The succeeded change that set it.
    pub operation_id: OperationId,
    pub set: Value,
    /// The key of the fingerprints in `set`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint_key_id: Option<String>,
    /// A later change of the field did not succeed: the field is not compared.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_in_doubt: bool,
}

/// The watched fields of a tunnel, by JSON pointer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WatchedFields(BTreeMap<String, WatchedField>);

/// Two ways to set the same ranges.
const RANGES: [&str; 2] = ["/peer_cidrs", "/security_policies"];

impl WatchedFields {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the last succeeded change of a field set, whichever way it set it, even if a later one did not succeed.
    #[must_use]
    pub fn setter(&self, pointer: &str) -> Option<&WatchedField> {
        let same = same_setting(pointer);
        self.0.get(pointer).or_else(|| same.iter().find_map(|pointer| self.0.get(*pointer)))
    }

    /// Follows the end of an operation on the tunnel; the ends must come in the order of the log. A rejected change set
    /// nothing. What any other change that did not succeed left is unknown: its fields are not watched until
    /// another change of them succeeds.
    pub fn follow(&mut self, operation: &Operation) {
        let status = operation.status();
        if status == Status::Rejected || !status.is_final() {
            return;
        }
        for (pointer, value) in operation.changes.fields() {
            let same = same_setting(&pointer).iter().copied().chain([pointer.as_str()]);
            if status != Status::Succeeded {
                for same in same {
                    if let Some(field) = self.0.get_mut(same) {
                        field.is_in_doubt = true;
                    }
                }
                continue;
            }
            for same in same {
                self.0.remove(same);
            }
            let field = WatchedField {
                operation_id: operation.id,
                set: value.clone(),
                fingerprint_key_id: operation.fingerprint_key_id.clone(),
                is_in_doubt: false,
            };
            self.0.insert(pointer, field);
        }
    }

    /// The watched fields by the operation that set them, each with the key of its fingerprints.
    #[must_use]
    pub fn by_operation(&self) -> Vec<(OperationId, Option<String>, Changes)> {
        let mut operations: BTreeMap<OperationId, Vec<(&String, &WatchedField)>> = BTreeMap::new();
        for (pointer, field) in self.0.iter().filter(|(_, field)| !field.is_in_doubt) {
            operations.entry(field.operation_id).or_default().push((pointer, field));
        }
        let changes = |(id, fields): (OperationId, Vec<(&String, &WatchedField)>)| {
            let key_id = fields.iter().find_map(|(_, field)| field.fingerprint_key_id.clone());
            let values = fields.into_iter().map(|(pointer, field)| (pointer.clone(), field.set.clone()));
            (id, key_id, Changes::of_fields(values))
        };
        operations.into_iter().map(changes).collect()
    }
}

/// Other pointers to what this one sets.
fn same_setting(pointer: &str) -> &'static [&'static str] {
    if RANGES.contains(&pointer) { &RANGES } else { &[] }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::domain::event::{Actor, Route};
    use crate::domain::ids::TunnelPath;
    use crate::domain::operation::{ErrorCode, OperationError, State};
    use crate::domain::verification::Verification;

    fn operation(id: u128, changes: Value, state: State) -> Operation {
        let now = Timestamp::from_micros(0);
        Operation {
            id: Uuid::from_u128(id),
            tunnel: TunnelPath {
                vpc_id: "vpc-1".parse().expect("an id"),
                gateway_id: "vpngw-1".parse().expect("an id"),
                tunnel_id: "vpnx-1".parse().expect("an id"),
            },
            route: Route { account: "default".into(), region: "r".into(), api: "2.0".into() },
            changes: serde_json::from_value(changes).expect("an object"),
            before: None,
            fingerprint_key_id: Some("key".into()),
            reason: None,
            rollback_of: None,
            requested_by: Actor::command_line(),
            request_id: None,
            trace_id: None,
            created_at: now,
            updated_at: now,
            finished_at: Some(now),
            state,
        }
    }

    fn succeeded() -> State {
        State::Succeeded { task_id: None, verification: Verification::Confirmed }
    }

    fn error() -> OperationError {
        OperationError { code: ErrorCode::TaskFailed, detail: String::new(), upstream: None }
    }

    fn watched(ends: impl IntoIterator<Item = Operation>) -> Vec<(String, u128)> {
        let mut fields = WatchedFields::default();
        for end in ends {
            fields.follow(&end);
        }
        let compared = fields.0.iter().filter(|(_, field)| !field.is_in_doubt);
        compared.map(|(pointer, field)| (pointer.clone(), field.operation_id.as_u128())).collect()
    }

    #[test]
    fn each_field_is_watched_for_the_last_change_that_set_it() {
        let first = json!({"name": "a", "ike": {"dh_group": "group2", "version": "ikev1"}});
        let second = json!({"name": "b", "ike": {"dh_group": "group5"}});
        let fields = watched([operation(1, first, succeeded()), operation(2, second, succeeded())]);
        let expected = [("/ike/dh_group", 2), ("/ike/version", 1), ("/name", 2)];
        assert_eq!(fields, expected.map(|(pointer, id)| (pointer.to_owned(), id)));
    }

    #[test]
    fn a_field_of_a_change_that_did_not_succeed_is_watched_again_once_one_does() {
        let both = || operation(1, json!({"name": "a", "customer_gateway_id": "cgw-1"}), succeeded());
        let verification = Verification::Diverged { differences: Vec::new() };
        for state in [
            State::Failed { task_id: None, error: error() },
            State::TimedOut { task_id: None, error: error() },
            State::Diverged { task_id: None, verification },
        ] {
            let failed = || operation(2, json!({"name": "b"}), state.clone());
            assert_eq!(watched([both(), failed()]), [("/customer_gateway_id".to_owned(), 1)]);
            let again = operation(3, json!({"name": "c"}), succeeded());
            let expected = [("/customer_gateway_id".to_owned(), 1), ("/name".to_owned(), 3)];
            assert_eq!(watched([both(), failed(), again]), expected);
        }
        let rejected = operation(2, json!({"name": "b"}), State::Rejected { error: error() });
        assert_eq!(watched([both(), rejected]).len(), 2, "it changed nothing");
    }

    #[test]
    fn the_last_change_that_succeeded_is_known_after_one_that_did_not() {
        let mut fields = WatchedFields::default();
        let named = |id, name: &str, state| operation(id, json!({"name": name}), state);
        fields.follow(&named(1, "a", succeeded()));
        fields.follow(&named(2, "b", succeeded()));
        fields.follow(&named(3, "c", State::Failed { task_id: None, error: error() }));
        let setter = fields.setter("/name").map(|field| (field.operation_id.as_u128(), field.set.clone()));
        assert_eq!((setter, fields.by_operation()), (Some((2, json!("b"))), Vec::new()));
    }

    #[test]
    fn the_two_ways_to_set_ranges_replace_each_other() {
        let policies = json!([{"local_cidr": "10.0.0.0/16", "peer_cidrs": ["10.1.0.0/16"]}]);
        let peers = || operation(1, json!({"peer_cidrs": ["10.1.0.0/16"]}), succeeded());
        let policies = |state| operation(2, json!({"security_policies": policies}), state);
        assert_eq!(watched([peers(), policies(succeeded())]), [("/security_policies".to_owned(), 2)]);
        let failed = State::Failed { task_id: None, error: error() };
        assert_eq!(watched([peers(), policies(failed)]), []);
        let mut fields = WatchedFields::default();
        fields.follow(&policies(succeeded()));
        let setter = fields.setter("/peer_cidrs").map(|field| field.operation_id);
        assert_eq!(setter, Some(Uuid::from_u128(2)));
    }
}
