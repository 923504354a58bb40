//! What the log and a page of tunnels say of drift, as events.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tracing::info;

use crate::domain::changes::Changes;
use crate::domain::drift::{FieldDrift, WatchedFields};
use crate::domain::event::{Actor, EventKind, NewEvent, Route, Upstream};
use crate::domain::ids::TunnelPath;
use crate::domain::operation::OperationId;
use crate::domain::timestamp::Timestamp;
use crate::domain::tunnel::Tunnel;

use super::compare::{Field, News, compare, replaced};
use crate::service::Service;
use crate::service::by_tunnel::read_of_tunnel;
use crate::service::cloud::{Cloud, TunnelPage};
use crate::service::ledger::{Finding, FindingEvent, LedgerError, OpenDrift, Recorded, WatchedTunnel};
use crate::service::prepare::lock_id;

/// The lease was lost: another process goes on, and nothing was written.
pub(super) struct Lost;

impl Service {
    /// Follows the changes that ended after the event `after` and up to `through`.
    pub(super) async fn follow_changes(
        &self,
        fence: i64,
        after: i64,
        through: i64,
    ) -> Result<Result<(), Lost>, LedgerError> {
        let ended = self.ledger.ended_operations(after, through).await?;
        let locks: BTreeSet<&String> = ended.iter().map(|ended| &ended.lock_id).collect();
        let locks: Vec<String> = locks.into_iter().cloned().collect();
        let mut tunnels: BTreeMap<String, WatchedTunnel> = BTreeMap::new();
        if !locks.is_empty() {
            let known = self.ledger.watched(&locks).await?;
            tunnels.extend(known.into_iter().map(|tunnel| (tunnel.lock_id.clone(), tunnel)));
        }
        let known: BTreeSet<String> = tunnels.keys().cloned().collect();
        for ended in ended {
            let tunnel = tunnels.entry(ended.lock_id).or_insert_with_key(|lock_id| WatchedTunnel {
                lock_id: lock_id.clone(),
                tunnel: ended.operation.tunnel.clone(),
                fields: WatchedFields::default(),
            });
            tunnel.tunnel = ended.operation.tunnel.clone();
            tunnel.fields.follow(&ended.operation);
        }
        // A tunnel that was never changed well is not watched.
        let tunnels: Vec<WatchedTunnel> = tunnels
            .into_values()
            .filter(|tunnel| known.contains(&tunnel.lock_id) || !tunnel.fields.is_empty())
            .collect();
        if !self.ledger.save_watched(fence, through, &tunnels).await? {
            return Ok(Err(Lost));
        }
        if locks.is_empty() {
            return Ok(Ok(()));
        }
        // Differences from changes that were replaced. If this process dies before, the next read of the tunnel ends them.
        let now = self.clock.now();
        let open = by_lock(self.ledger.open_drift(&locks).await?);
        let findings = tunnels.iter().filter_map(|tunnel| {
            let open = open.get(&tunnel.lock_id)?;
            let news = replaced(&tunnel.fields, open);
            let route = open.first()?.route.clone();
            (!news.is_empty()).then(|| {
                let found =
                    Found { lock_id: &tunnel.lock_id, tunnel: &tunnel.tunnel, route, upstream: None, news };
                self.finding(found, through, now)
            })
        });
        self.record(fence, findings.collect()).await
    }

    /// Compares the tunnels of a page with what changes have set; returns the locks of those that are watched.
    pub(super) async fn consider(
        &self,
        cloud: &dyn Cloud,
        page: &TunnelPage,
        fence: i64,
        read_seq: i64,
    ) -> Result<Result<Vec<String>, Lost>, LedgerError> {
        // A tunnel that is being changed shows half of a change.
        let shown = page.tunnels.iter().filter(|tunnel| tunnel.is_at_rest());
        let lock = |tunnel: &Tunnel| Some(lock_id(tunnel.vpc_ids.first()?, tunnel.tunnel_ids.first()?));
        let shown: BTreeMap<String, &Tunnel> =
            shown.filter_map(|tunnel| Some((lock(tunnel)?, tunnel))).collect();
        let locks: Vec<String> = shown.keys().cloned().collect();
        if locks.is_empty() {
            return Ok(Ok(Vec::new()));
        }
        let watched = self.ledger.watched(&locks).await?;
        let open = by_lock(self.ledger.open_drift(&locks).await?);
        let (now, route) = (self.clock.now(), cloud.route());
        let (mut compared, mut findings) = (Vec::new(), Vec::new());
        for watched in &watched {
            let Some(tunnel) = shown.get(&watched.lock_id) else { continue };
            // Another account may answer for the VPC now.
            let serving = self.accounts.of_vpc(&watched.tunnel.vpc_id);
            if serving.is_none_or(|serving| serving.route().account != route.account) {
                continue;
            }
            compared.push(watched.lock_id.clone());
            let open = open.get(&watched.lock_id).map_or(&[][..], Vec::as_slice);
            let news = compare(&watched.fields, open, tunnel, &self.fingerprints);
            if !news.is_empty() {
                let found = Found {
                    lock_id: &watched.lock_id,
                    tunnel: &watched.tunnel,
                    route: route.clone(),
                    upstream: Some(read_of_tunnel(cloud)),
                    news,
                };
                findings.push(self.finding(found, read_seq, now));
            }
        }
        Ok(self.record(fence, findings).await?.map(|()| compared))
    }

    async fn record(&self, fence: i64, findings: Vec<Finding>) -> Result<Result<(), Lost>, LedgerError> {
        if findings.is_empty() {
            return Ok(Ok(()));
        }
        let written = match self.ledger.record_findings(fence, &findings).await? {
            Recorded::Written(written) => written,
            Recorded::LeaseLost => return Ok(Err(Lost)),
        };
        for (finding, _) in findings.iter().zip(&written).filter(|(_, is_written)| **is_written) {
            for FindingEvent { event, fields } in &finding.events {
                let pointers: Vec<&str> = fields.iter().map(|field| field.pointer.as_str()).collect();
                let (operation_id, tunnel) = (event.operation_id, event.tunnel.as_ref());
                info!(
                    event = %event.event,
                    operation_id = operation_id.map(tracing::field::display),
                    vpc_id = tunnel.map(|tunnel| tunnel.vpc_id.as_str()),
                    tunnel_id = tunnel.map(|tunnel| tunnel.tunnel_id.as_str()),
                    fields = pointers.join(", "),
                    "the drift of a tunnel changed"
                );
            }
        }
        Ok(Ok(()))
    }

    fn finding(&self, found: Found<'_>, read_seq: i64, now: Timestamp) -> Finding {
        let Found { lock_id, tunnel, route, upstream, news } = found;
        let event = |kind: EventKind, (id, fields): (OperationId, Vec<Field>)| {
            let of = |value: fn(&Field) -> &Value| {
                Changes::of_fields(fields.iter().map(|field| (field.pointer.clone(), value(field).clone())))
            };
            let event = NewEvent {
                operation_id: Some(id),
                tunnel: Some(tunnel.clone()),
                route: Some(route.clone()),
                changes: Some(json!(of(|field| &field.now))),
                before: Some(of(|field| &field.before)),
                upstream: upstream.clone(),
                ..NewEvent::new(self.chance.id(now), kind, Actor::gateway(), now)
            };
            let row = |field: &Field| FieldDrift {
                pointer: field.pointer.clone(),
                set: field.before.clone(),
                observed: field.now.clone(),
                since: now,
                operation_id: id,
            };
            FindingEvent { event, fields: fields.iter().map(row).collect() }
        };
        // A difference that is gone first: another one may take its place.
        let resolved = news.resolved.into_iter().map(|fields| event(EventKind::DriftResolved, fields));
        let detected = news.detected.into_iter().map(|fields| event(EventKind::DriftDetected, fields));
        Finding { lock_id: lock_id.to_owned(), read_seq, events: resolved.chain(detected).collect() }
    }
}

/// The news about a tunnel, with what its events say of it.
struct Found<'a> {
    lock_id: &'a str,
    tunnel: &'a TunnelPath,
    route: Route,
    upstream: Option<Upstream>,
    news: News,
}

fn by_lock(open: Vec<OpenDrift>) -> BTreeMap<String, Vec<OpenDrift>> {
    let mut locks: BTreeMap<String, Vec<OpenDrift>> = BTreeMap::new();
    for open in open {
        locks.entry(open.lock_id.clone()).or_default().push(open);
    }
    locks
}
