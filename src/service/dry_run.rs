//! What a change would do: everything up to the call, and not the call. Nothing is stored.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use crate::domain::changes::Changes;
use crate::domain::etag::ETag;
use crate::domain::ids::TunnelPath;
use crate::domain::operation::OperationId;
use crate::domain::patch::Ranges;
use crate::domain::principal::VpcScope;
use crate::domain::tunnel::Tunnel;
use crate::domain::tunnel_view::{IkeView, IpsecView, TunnelView};

use super::Service;
use super::cloud::{Preview, Priority, TunnelChange};
use super::ledger::{LedgerError, OperationFilter};
use super::prepare;
use super::read_back::{self, Comparison};
use super::request::{Modify, ModifyError};

/// Operations of a tunnel that are looked at for one that is not final. Only the newest can be, but ids of two replicas
/// whose clocks differ may stand in the wrong order.
const NEWEST: u32 = 5;

/// Replaces a secret.
const MASKED: &str = "***";

/// A field that the patch gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// JSON pointer into the patch.
    pub pointer: String,
    /// What the tunnel has; `null` where the cloud does not show it.
    pub current: Value,
    pub wanted: Value,
    /// Whether the two differ; `None` where the cloud shows too little to tell.
    pub differs: Option<bool>,
}

/// What a change would do.
#[derive(Debug)]
pub struct DryRun {
    /// The tunnel's tag now.
    pub etag: ETag,
    /// What would be sent, in the words of a patch: touched groups are whole.
    pub merged: Map<String, Value>,
    pub fields: Vec<Field>,
    pub call: Preview,
    /// The operation on this tunnel that is not final: while it lasts the change would be refused.
    pub in_progress: Option<OperationId>,
}

impl Service {
    /// Shows what [`Self::modify`] would do now. The tunnel is read; nothing that changes anything is sent, and neither
    /// an operation nor an `Idempotency-Key` is stored.
    ///
    /// # Errors
    /// Where the change would be refused before anything is sent.
    pub async fn dry_run(&self, request: &Modify) -> Result<DryRun, ModifyError> {
        self.check_reason(request.reason.as_deref())?;
        let read = self.cloud.tunnel(&request.path, Priority::Read, None).await;
        let tunnel = read.map_err(|error| prepare::unreadable(&error))?;
        let change = self.change_of(&request.path, &request.patch, request.if_match.as_ref(), &tunnel)?;
        let shown = self.shown(&request.path, &tunnel);
        let changes = Changes::of(&request.patch, &self.fingerprints);
        let comparison = read_back::compare(&changes, &tunnel, Some(&self.fingerprints));
        Ok(DryRun {
            etag: shown.etag(),
            merged: merged(&change),
            fields: fields(&changes, &shown, &comparison),
            call: self.cloud.preview(&change),
            in_progress: self.operation_in_progress(&request.path, &tunnel).await?,
        })
    }

    /// Found under every id that the cloud has for the tunnel: a change holds it whatever it was called in its path.
    async fn operation_in_progress(
        &self,
        path: &TunnelPath,
        tunnel: &Tunnel,
    ) -> Result<Option<OperationId>, LedgerError> {
        let mut tunnel_ids: HashSet<&str> = tunnel.tunnel_ids.iter().map(String::as_str).collect();
        tunnel_ids.insert(path.tunnel_id.as_str());
        for tunnel_id in tunnel_ids {
            let filter =
                OperationFilter { tunnel_id: Some(tunnel_id.to_owned()), ..OperationFilter::default() };
            let newest = self.ledger.operations(&VpcScope::All, &filter, None, NEWEST).await?;
            let unfinished = newest.iter().find(|operation| {
                let vpc = &operation.tunnel.vpc_id;
                let is_here = *vpc == path.vpc_id || tunnel.vpc_ids.iter().any(|id| id == vpc.as_str());
                is_here && !operation.status().is_final()
            });
            if let Some(operation) = unfinished {
                return Ok(Some(operation.id));
            }
        }
        Ok(None)
    }
}

fn merged(change: &TunnelChange) -> Map<String, Value> {
    let mut members = Map::new();
    if let Some(name) = &change.name {
        members.insert("name".into(), json!(name));
    }
    if change.pre_shared_key.is_some() {
        members.insert("pre_shared_key".into(), json!(MASKED));
    }
    let ranges = change.ranges.as_ref().map(|ranges| match ranges {
        Ranges::PeerCidrs(cidrs) => ("peer_cidrs".to_owned(), json!(cidrs)),
        Ranges::SecurityPolicies(policies) => ("security_policies".to_owned(), json!(policies)),
    });
    members.extend(ranges);
    if let Some(ike) = &change.ike {
        members.insert("ike".into(), given(json!(IkeView::from(ike))));
    }
    if let Some(ipsec) = &change.ipsec {
        members.insert("ipsec".into(), given(json!(IpsecView::from(ipsec))));
    }
    members
}

/// Without the members that are not sent.
fn given(mut group: Value) -> Value {
    if let Value::Object(members) = &mut group {
        members.retain(|_, value| !value.is_null());
    }
    group
}

fn fields(changes: &Changes, shown: &TunnelView, comparison: &Comparison) -> Vec<Field> {
    let mut shown = json!(shown);
    if shown["local_cidrs"].is_array() && shown["peer_cidrs"].is_array() {
        // The cloud shows the ranges of both sides, not which rule joins which.
        shown["security_policies"] =
            json!({"local_cidrs": shown["local_cidrs"], "peer_cidrs": shown["peer_cidrs"]});
    }
    let field = |pointer: String, wanted: &Value| {
        let is_secret = pointer == "/pre_shared_key";
        // Whether a guess is right must not be tried out here, where no event is left.
        let wanted = if is_secret { json!(MASKED) } else { wanted.clone() };
        let differs = if is_secret || comparison.unshown.contains(&pointer) {
            None
        } else {
            Some(comparison.differences.iter().any(|difference| difference.pointer == pointer))
        };
        let current = shown.pointer(&pointer).cloned().unwrap_or_default();
        Field { pointer, current, wanted, differs }
    };
    let mut fields = Vec::new();
    for (member, wanted) in changes.members() {
        match (member.as_str(), wanted) {
            ("ike" | "ipsec", Value::Object(group)) => {
                fields.extend(group.iter().map(|(name, wanted)| field(format!("/{member}/{name}"), wanted)));
            }
            _ => fields.push(field(format!("/{member}"), wanted)),
        }
    }
    fields
}
