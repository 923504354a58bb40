//! Columns and rows, as far as both stores have them in common.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::changes::Changes;
use crate::domain::event::{Actor, ActorKind, Event, Route};
use crate::domain::ids::TunnelPath;
use crate::domain::operation::{Operation, OperationId, State, Status};
use crate::domain::principal::{Grant, Scope, VpcPattern, VpcScope};
use crate::domain::timestamp::Timestamp;
use crate::service::ledger::LedgerError;

/// A row of either store.
pub(super) trait StoredRow {
    /// The columns [`OPERATION`].
    fn operation(&self) -> Result<Operation, LedgerError>;

    /// The columns [`EVENT`].
    fn event(&self) -> Result<Event, LedgerError>;

    fn text(&self, column: &str) -> Result<String, LedgerError>;

    fn optional_text(&self, column: &str) -> Result<Option<String>, LedgerError>;

    fn number(&self, column: &str) -> Result<Option<i64>, LedgerError>;

    fn flag(&self, column: &str) -> Result<bool, LedgerError>;

    fn uuid(&self, column: &str) -> Result<Uuid, LedgerError>;

    fn optional_timestamp(&self, column: &str) -> Result<Option<Timestamp>, LedgerError>;

    fn timestamp(&self, column: &str) -> Result<Timestamp, LedgerError> {
        self.optional_timestamp(column)?.ok_or_else(|| LedgerError::Corrupt(format!("column {column}")))
    }

    /// 32 bytes. `name` is for the error.
    fn hash(&self, column: &str, name: &str) -> Result<[u8; 32], LedgerError>;
}

/// A row of `operations` before it is checked.
pub(super) struct OperationRow {
    pub(super) id: OperationId,
    pub(super) status: String,
    pub(super) vpc_id: String,
    pub(super) gateway_id: String,
    pub(super) tunnel_id: String,
    pub(super) account: String,
    pub(super) region: String,
    pub(super) api: String,
    pub(super) task_id: Option<String>,
    pub(super) changes: Value,
    pub(super) before: Option<Value>,
    pub(super) reason: Option<String>,
    pub(super) rollback_of: Option<OperationId>,
    pub(super) fingerprint_key_id: Option<String>,
    pub(super) requested_by: String,
    pub(super) actor_id: Option<String>,
    pub(super) actor_kind: String,
    pub(super) request_id: Option<String>,
    pub(super) trace_id: Option<String>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) finished_at: Option<Timestamp>,
    pub(super) error: Option<Value>,
    pub(super) verification: Option<Value>,
}

/// The columns of an operation, from `operations o`.
pub(super) const OPERATION: &str = "o.id, o.status, o.vpc_id, o.gateway_id, o.tunnel_id, o.account, o.region, o.api, \
     o.task_id, o.changes, o.before, o.reason, o.rollback_of, o.fingerprint_key_id, o.requested_by, o.actor_id, \
     o.actor_kind, o.request_id, o.trace_id, o.created_at, o.updated_at, o.finished_at, o.error, o.verification";

/// The columns of an event, from `audit_events e`.
pub(super) const EVENT: &str = "e.seq, e.format, e.id, e.occurred_at, e.event, e.operation_id, e.actor, e.actor_id, \
     e.actor_kind, e.source_ip, e.user_agent, e.request_id, e.trace_id, e.vpc_id, e.gateway_id, e.tunnel_id, \
     e.account, e.region, e.api, e.changes, e.before, e.sent, e.outcome, e.reason, e.rollback_of, e.upstream, \
     e.prev_hash, e.hash";

impl OperationRow {
    pub(super) fn into_operation(self) -> Result<Operation, LedgerError> {
        let id = self.id;
        let corrupt = |column: &str| LedgerError::Corrupt(format!("operation {id}, column {column}"));
        let status = Status::from_word(&self.status).ok_or_else(|| corrupt("status"))?;
        let error = optional(self.error).ok_or_else(|| corrupt("error"))?;
        let verification = optional(self.verification).ok_or_else(|| corrupt("verification"))?;
        Ok(Operation {
            id,
            tunnel: TunnelPath {
                vpc_id: self.vpc_id.parse().map_err(|_| corrupt("vpc_id"))?,
                gateway_id: self.gateway_id.parse().map_err(|_| corrupt("gateway_id"))?,
                tunnel_id: self.tunnel_id.parse().map_err(|_| corrupt("tunnel_id"))?,
            },
            route: Route { account: self.account, region: self.region, api: self.api },
            changes: serde_json::from_value::<Changes>(self.changes).map_err(|_| corrupt("changes"))?,
            before: optional(self.before).ok_or_else(|| corrupt("before"))?,
            reason: self.reason,
            rollback_of: self.rollback_of,
            fingerprint_key_id: self.fingerprint_key_id,
            requested_by: Actor {
                name: self.requested_by,
                id: self.actor_id,
                kind: ActorKind::from_word(&self.actor_kind).ok_or_else(|| corrupt("actor_kind"))?,
            },
            request_id: self.request_id,
            trace_id: self.trace_id,
            created_at: self.created_at,
            updated_at: self.updated_at,
            finished_at: self.finished_at,
            state: State::from_columns(status, self.task_id, error, verification)
                .ok_or_else(|| corrupt("status"))?,
        })
    }
}

/// An optional JSON column; `None` if its value has the wrong form.
fn optional<T: DeserializeOwned>(value: Option<Value>) -> Option<Option<T>> {
    value.map(serde_json::from_value).transpose().ok()
}

/// The JSON of a column.
pub(super) fn json_of<T: serde::Serialize>(part: Option<&T>) -> Option<Value> {
    part.map(|part| json!(part))
}

/// Grants as JSON: `[{"scope": "tunnels:read", "vpcs": null or ["vpc-prod-*"]}]`.
pub(super) fn grants_to_json(grants: &[Grant]) -> Value {
    let vpcs = |vpcs: &VpcScope| match vpcs {
        VpcScope::All => Value::Null,
        VpcScope::Matching(patterns) => json!(patterns.iter().map(VpcPattern::as_str).collect::<Vec<_>>()),
    };
    json!(
        grants
            .iter()
            .map(|grant| json!({"scope": grant.scope, "vpcs": vpcs(&grant.vpcs)}))
            .collect::<Vec<_>>()
    )
}

/// Grants from the JSON of [`grants_to_json`].
pub(super) fn grants_from_json(value: &Value) -> Result<Vec<Grant>, LedgerError> {
    let corrupt = || LedgerError::Corrupt("api_keys, column grants".into());
    let items = value.as_array().ok_or_else(corrupt)?;
    items
        .iter()
        .map(|item| {
            let scope = item["scope"].as_str().and_then(Scope::from_word).ok_or_else(corrupt)?;
            let vpcs = match &item["vpcs"] {
                Value::Null => VpcScope::All,
                Value::Array(patterns) => VpcScope::Matching(
                    patterns
                        .iter()
                        .map(|pattern| pattern.as_str().and_then(|p| p.parse().ok()).ok_or_else(corrupt))
                        .collect::<Result<_, _>>()?,
                ),
                _ => return Err(corrupt()),
            };
            Ok(Grant { scope, vpcs })
        })
        .collect()
}

/// 32 bytes. `name` is for the error.
pub(super) fn hash(bytes: &[u8], name: &str) -> Result<[u8; 32], LedgerError> {
    bytes.try_into().map_err(|_| LedgerError::Corrupt(name.to_owned()))
}
