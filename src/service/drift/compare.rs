//! What a read of a tunnel shows of its drift: which watched fields differ and were not reported yet, and which differences
//! are gone.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::changes::Changes;
use crate::domain::drift::WatchedFields;
use crate::domain::fingerprint::FingerprintKey;
use crate::domain::operation::OperationId;
use crate::domain::tunnel::Tunnel;

use crate::service::ledger::OpenDrift;
use crate::service::read_back;

/// A field with its value before and its value now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub pointer: String,
    /// What the change set; of a difference that is gone, what the tunnel had.
    pub before: Value,
    pub now: Value,
}

/// The news about a tunnel, by the operation that set the fields.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// Differences that are gone.
    pub resolved: BTreeMap<OperationId, Vec<Field>>,
    /// Differences that were not reported yet.
    pub detected: BTreeMap<OperationId, Vec<Field>>,
}

impl News {
    pub(super) fn is_empty(&self) -> bool {
        self.resolved.is_empty() && self.detected.is_empty()
    }

    fn resolve(&mut self, open: &OpenDrift, pointer: &str, now: Value) {
        let field = Field { pointer: pointer.to_owned(), before: open.drift.observed.clone(), now };
        self.resolved.entry(open.drift.operation_id).or_default().push(field);
    }
}

/// Differences from a change that another one has replaced. The log alone tells them; no read is needed.
pub(super) fn replaced(watched: &WatchedFields, open: &[OpenDrift]) -> News {
    let mut news = News::default();
    for open in open.iter().filter(|open| is_replaced(watched, open)) {
        let pointer = &open.drift.pointer;
        let now = watched.setter(pointer).map(|field| field.set.clone()).unwrap_or_default();
        news.resolve(open, pointer, now);
    }
    news
}

/// True if a later change of the field succeeded.
fn is_replaced(watched: &WatchedFields, open: &OpenDrift) -> bool {
    let setter = watched.setter(&open.drift.pointer);
    setter.is_some_and(|field| field.operation_id != open.drift.operation_id)
}

/// Compares a tunnel at rest with what was set. Fields that the cloud does not show prove nothing.
pub(super) fn compare(
    watched: &WatchedFields,
    open: &[OpenDrift],
    tunnel: &Tunnel,
    fingerprints: &FingerprintKey,
) -> News {
    let mut news = replaced(watched, open);
    for (id, key_id, changes) in watched.by_operation() {
        let key = (key_id.as_deref() == Some(fingerprints.id())).then_some(fingerprints);
        let comparison = read_back::compare(&changes, tunnel, key);
        for difference in comparison.differences {
            let is_told = |open: &&OpenDrift| {
                open.drift.operation_id == id
                    && open.drift.pointer == difference.pointer
                    && read_back::is_same_observed(
                        &difference.pointer,
                        &open.drift.observed,
                        &difference.observed,
                    )
            };
            if open.iter().find(is_told).is_none() {
                let field =
                    Field { pointer: difference.pointer, before: difference.asked, now: difference.observed };
                news.detected.entry(id).or_default().push(field);
            }
        }
    }
    for open in open.iter().filter(|open| !is_replaced(watched, open)) {
        let pointer = &open.drift.pointer;
        // The field may not be watched any more. A fingerprint of another key is never the same.
        let set = Changes::of_fields([(pointer.clone(), open.drift.set.clone())]);
        if read_back::compare(&set, tunnel, Some(fingerprints)).same.contains(pointer) {
            let now = read_back::observed(pointer, tunnel, Some(fingerprints)).unwrap_or_default();
            news.resolve(open, pointer, now);
        }
    }
    news
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::domain::drift::FieldDrift;
    use crate::domain::event::Route;
    use crate::domain::ids::TunnelPath;
    use crate::domain::secret::PreSharedKey;
    use crate::domain::timestamp::Timestamp;

    const ONE: OperationId = Uuid::from_u128(1);
    const TWO: OperationId = Uuid::from_u128(2);

    fn key() -> FingerprintKey {
        FingerprintKey::derive(b"test")
    }

    fn watched(fields: &Value) -> WatchedFields {
        serde_json::from_value(fields.clone()).expect("fields")
    }

    fn open(pointer: &str, set: Value, observed: Value) -> OpenDrift {
        OpenDrift {
            lock_id: "vpc-1/vpnx-1".into(),
            tunnel: TunnelPath {
                vpc_id: "vpc-1".parse().expect("an id"),
                gateway_id: "vpngw-1".parse().expect("an id"),
                tunnel_id: "vpnx-1".parse().expect("an id"),
            },
            route: Route { account: "default".into(), region: "r".into(), api: "2.0".into() },
            seq: 7,
            drift: FieldDrift {
                pointer: pointer.into(),
                set,
                observed,
                since: Timestamp::from_micros(0),
                operation_id: ONE,
            },
        }
    }

    fn named(name: &str) -> Tunnel {
        Tunnel { name: Some(name.into()), ..Tunnel::default() }
    }

    fn pointers(fields: &BTreeMap<OperationId, Vec<Field>>) -> Vec<(OperationId, Vec<&str>)> {
        fields
            .iter()
            .map(|(id, fields)| (*id, fields.iter().map(|field| field.pointer.as_str()).collect()))
            .collect()
    }

    #[test]
    fn a_difference_is_told_once_and_another_one_again() {
        let watched = watched(&json!({"/name": {"operation_id": ONE, "set": "a"}}));
        let news = compare(&watched, &[], &named("b"), &key());
        assert_eq!(pointers(&news.detected), [(ONE, vec!["/name"])]);
        let told = [open("/name", json!("a"), json!("b"))];
        assert!(compare(&watched, &told, &named("b"), &key()).is_empty());
        let news = compare(&watched, &told, &named("c"), &key());
        assert_eq!((pointers(&news.detected), news.resolved.len()), (vec![(ONE, vec!["/name"])], 0));
        let news = compare(&watched, &told, &named("a"), &key());
        assert_eq!((news.detected.len(), pointers(&news.resolved)), (0, vec![(ONE, vec!["/name"])]));
    }

    #[test]
    fn ranges_in_another_order_are_no_other_difference() {
        let fields = json!({"/peer_cidrs": {"operation_id": ONE, "set": ["10.1.0.0/16"]}});
        let ranges = |ranges: &[&str]| Tunnel {
            peer_cidrs: Some(ranges.iter().map(|range| (*range).to_owned()).collect()),
            ..Tunnel::default()
        };
        let told = [open("/peer_cidrs", json!(["10.1.0.0/16"]), json!(["10.2.0.0/16", "10.3.0.0/16"]))];
        let other_way = ranges(&["10.3.0.0/16", "10.2.0.0/16"]);
        assert!(compare(&watched(&fields), &told, &other_way, &key()).is_empty());
        let other = ranges(&["10.3.0.0/16"]);
        assert!(!compare(&watched(&fields), &told, &other, &key()).is_empty());
    }

    #[test]
    fn what_the_cloud_does_not_show_proves_nothing() {
        let fields = json!({
            "/name": {"operation_id": ONE, "set": "a"},
            "/pre_shared_key": {"operation_id": ONE, "set": {"hmac_sha256": "ab"}, "fingerprint_key_id": "another"},
        });
        let tunnel = Tunnel { pre_shared_key: Some(PreSharedKey::from_cloud("x")), ..Tunnel::default() };
        assert!(compare(&watched(&fields), &[], &tunnel, &key()).is_empty());
        let told = [open("/name", json!("a"), json!("b"))];
        assert!(compare(&watched(&fields), &told, &tunnel, &key()).is_empty(), "nor that it is gone");
    }

    #[test]
    fn a_secret_is_compared_and_told_by_its_fingerprint() {
        let own = key();
        let mask = |text: &str| own.masked(&PreSharedKey::from_cloud(text));
        let field = json!({"operation_id": ONE, "set": mask("a"), "fingerprint_key_id": own.id()});
        let watched = watched(&json!({ "/pre_shared_key": field }));
        let tunnel =
            |text: &str| Tunnel { pre_shared_key: Some(PreSharedKey::from_cloud(text)), ..Tunnel::default() };
        assert!(compare(&watched, &[], &tunnel("a"), &own).is_empty());
        let news = compare(&watched, &[], &tunnel("b"), &own);
        assert_eq!(news.detected[&ONE][0].now, mask("b"));
    }

    #[test]
    fn a_later_success_ends_the_difference_and_is_compared_itself() {
        let watched = watched(&json!({"/name": {"operation_id": TWO, "set": "c"}}));
        let told = [open("/name", json!("a"), json!("b"))];
        let news = compare(&watched, &told, &named("c"), &key());
        assert_eq!((news.detected.len(), pointers(&news.resolved)), (0, vec![(ONE, vec!["/name"])]));
        let news = compare(&watched, &told, &named("b"), &key());
        assert_eq!(pointers(&news.detected), [(TWO, vec!["/name"])]);
        assert_eq!(pointers(&news.resolved), [(ONE, vec!["/name"])]);
        assert_eq!(replaced(&watched, &told).resolved[&ONE][0].now, json!("c"));
    }

    #[test]
    fn a_later_success_ends_the_difference_also_if_the_next_change_fails() {
        let field = json!({"operation_id": TWO, "set": "c", "is_in_doubt": true});
        let watched = watched(&json!({ "/name": field }));
        let told = [open("/name", json!("a"), json!("b"))];
        let news = compare(&watched, &told, &named("b"), &key());
        assert_eq!((news.detected.len(), pointers(&news.resolved)), (0, vec![(ONE, vec!["/name"])]));
    }

    #[test]
    fn a_field_that_is_not_watched_any_more_can_only_be_resolved() {
        let told = [open("/name", json!("a"), json!("b"))];
        let nothing = WatchedFields::default();
        assert!(compare(&nothing, &told, &named("c"), &key()).is_empty());
        assert!(!compare(&nothing, &told, &named("a"), &key()).resolved.is_empty());
    }
}
