//! Dry runs: everything up to the call to the cloud. Nothing is sent or stored.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use crate::domain::changes::Changes;
use crate::domain::etag::ETag;
use crate::domain::group_views::{BgpView, DpdView, HealthCheckView, IkeView, IpsecView, put};
use crate::domain::ids::TunnelPath;
use crate::domain::operation::OperationId;
use crate::domain::patch::Ranges;
use crate::domain::principal::VpcScope;
use crate::domain::tunnel::Tunnel;
use crate::domain::tunnel_view::TunnelView;

use super::Service;
use super::cloud::{Preview, Priority, TunnelChange};
use super::ledger::{LedgerError, OperationFilter};
use super::prepare;
use super::read_back::{self, Comparison};
use super::request::{Modify, ModifyError};

/// Newest operations of a tunnel to search for one that is not final. Only the last can be unfinished, but the clocks of
/// two replicas may put their ids in the wrong order.
const NEWEST: u32 = 5;

/// Replaces a secret.
const MASKED: &str = "***";

/// A field of the patch.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// JSON pointer into the patch.
    pub pointer: String,
    /// The tunnel's value; `null` if the cloud does not show the field.
    pub current: Value,
    pub wanted: Value,
    /// Whether the two differ; `None` if the cloud shows too little to compare them.
    pub differs: Option<bool>,
}

/// The result of a dry run.
#[derive(Debug)]
pub struct DryRun {
    /// The tunnel's current tag.
    pub etag: ETag,
    /// The change that would be sent, as a patch with whole groups.
    pub merged: Map<String, Value>,
    pub fields: Vec<Field>,
    pub call: Preview,
    /// The unfinished operation on this tunnel; until it ends, the change would be refused.
    pub in_progress: Option<OperationId>,
}

impl Service {
    /// Shows what [`Self::modify`] would do. Reads the tunnel, sends no change, and stores neither an operation nor an
    /// `Idempotency-Key`.
    ///
    /// # Errors
    /// Where the change would be refused before anything is sent.
    pub async fn dry_run(&self, request: &Modify) -> Result<DryRun, ModifyError> {
        self.check_reason(request.reason.as_deref())?;
        self.check_comparable(request)?;
        let read = request.cloud.tunnel(&request.path, Priority::Read, "").await;
        let tunnel = read.map_err(|error| prepare::unreadable(&error))?;
        let changes = Changes::of(&request.patch, &self.fingerprints);
        let change = self.change_of(request, &changes, &tunnel)?;
        let shown = self.shown(&request.path, &tunnel, &request.cloud.route());
        let comparison = read_back::compare(&changes, &tunnel, Some(&self.fingerprints));
        Ok(DryRun {
            etag: shown.etag(),
            merged: merged(&change),
            fields: fields(&changes, &shown, &comparison),
            call: request.cloud.preview(&change),
            in_progress: self.operation_in_progress(&request.path, &tunnel).await?,
        })
    }

    /// Searches under every id of the tunnel: a change locks the tunnel whichever id its path has.
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
    put::<_, IkeView>(&mut members, "ike", change.ike.as_ref());
    put::<_, IpsecView>(&mut members, "ipsec", change.ipsec.as_ref());
    put::<_, DpdView>(&mut members, "dpd", change.dpd.as_ref());
    put::<_, HealthCheckView>(&mut members, "health_check", change.health_check.as_ref());
    put::<_, BgpView>(&mut members, "bgp", change.bgp.as_ref());
    if let Some(negotiation) = &change.negotiation_type {
        members.insert("negotiation_type".into(), json!(negotiation));
    }
    if let Some(id) = &change.customer_gateway_id {
        members.insert("customer_gateway_id".into(), json!(id));
    }
    members
}

fn fields(changes: &Changes, shown: &TunnelView, comparison: &Comparison) -> Vec<Field> {
    let mut shown = json!(shown);
    let is_unpaired = shown["security_policies"].is_null();
    if is_unpaired && shown["local_cidrs"].is_array() && shown["peer_cidrs"].is_array() {
        // API 2.0 shows the ranges of both sides, not which rule joins which.
        shown["security_policies"] =
            json!({"local_cidrs": shown["local_cidrs"], "peer_cidrs": shown["peer_cidrs"]});
    }
    let field = |pointer: String, wanted: &Value| {
        let is_secret = pointer == "/pre_shared_key";
        // A dry run leaves no event, so it must not tell whether a guess is right.
        let wanted = if is_secret { json!(MASKED) } else { wanted.clone() };
        let differs = if is_secret || comparison.unshown.contains(&pointer) {
            None
        } else {
            Some(comparison.differences.iter().any(|difference| difference.pointer == pointer))
        };
        let current = shown.pointer(&pointer).cloned().unwrap_or_default();
        Field { pointer, current, wanted, differs }
    };
    changes.fields().map(|(pointer, wanted)| field(pointer, wanted)).collect()
}
