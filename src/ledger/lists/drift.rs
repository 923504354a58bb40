//! Reading what is watched for drift, and what differs, on both stores.

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use tracing::error;

use crate::causes::chain;
use crate::domain::drift::FieldDrift;
use crate::domain::event::{EventKind, Route};
use crate::domain::ids::TunnelPath;
use crate::domain::operation::Status;
use crate::domain::principal::VpcScope;
use crate::ledger::columns::{OPERATION, StoredRow};
use crate::ledger::limited;
use crate::service::ledger::{
    DriftFilter, Drifts, EndedOperation, LedgerError, OpenDrift, SweptSince, WatchedGateway, WatchedTunnel,
};

use super::statement::{Dialect, Statement, Value};
use super::store::ListStore;

/// The columns of an open difference, from `drift d`. JSON as text.
const DRIFT: &str = "d.lock_id, d.pointer, d.vpc_id, d.gateway_id, d.tunnel_id, d.account, d.region, d.api, \
     d.operation_id, CAST(d.was_set AS text) AS was_set, CAST(d.observed AS text) AS observed, d.since, d.seq";

/// The events that end an operation, `rejected` apart: a rejected change set nothing.
fn ends() -> String {
    let ends = EventKind::ALL.iter().filter(|kind| {
        let status = kind.status_after();
        status.is_some_and(|status| status.is_final() && status != Status::Rejected)
    });
    ends.map(|kind| format!("'{kind}'")).collect::<Vec<_>>().join(", ")
}

fn ended(dialect: Dialect, after: i64, through: i64) -> Statement {
    let ends = ends();
    let mut sql = Statement::new(
        dialect,
        format!(
            "SELECT o.lock_id, {OPERATION} FROM audit_events e JOIN operations o ON o.id = e.operation_id
             WHERE e.event IN ({ends})"
        ),
    )
    .planned_each_time();
    sql.and("e.seq >", Some(after)).and("e.seq <=", Some(through)).push(" ORDER BY e.seq");
    sql
}

fn drifts(
    dialect: Dialect,
    vpcs: &VpcScope,
    filter: &DriftFilter,
    after: Option<(i64, String)>,
    limit: u32,
) -> Statement {
    let mut sql =
        Statement::new(dialect, format!("SELECT {DRIFT} FROM drift d WHERE true")).planned_each_time();
    if let VpcScope::Matching(patterns) = vpcs {
        sql.and_matches("d.vpc_id", patterns);
    }
    sql.and("d.vpc_id =", filter.vpc_id.as_ref())
        .and("d.tunnel_id =", filter.tunnel_id.as_ref())
        .and("d.account =", filter.account.as_ref());
    if let Some((seq, pointer)) = after {
        sql.push(" AND (d.seq, d.pointer) < (").bind(seq).push(", ").bind(&pointer).push(")");
    }
    sql.push(" ORDER BY d.seq DESC, d.pointer DESC LIMIT ").bind(i64::from(limit));
    sql
}

fn json<T: DeserializeOwned>(row: &impl StoredRow, table: &str, column: &str) -> Result<T, LedgerError> {
    serde_json::from_str(&row.text(column)?)
        .map_err(|_| LedgerError::Corrupt(format!("{table}, column {column}")))
}

fn path(row: &impl StoredRow, table: &str) -> Result<TunnelPath, LedgerError> {
    let corrupt = |column: &str| LedgerError::Corrupt(format!("{table}, column {column}"));
    Ok(TunnelPath {
        vpc_id: row.text("vpc_id")?.parse().map_err(|_| corrupt("vpc_id"))?,
        gateway_id: row.text("gateway_id")?.parse().map_err(|_| corrupt("gateway_id"))?,
        tunnel_id: row.text("tunnel_id")?.parse().map_err(|_| corrupt("tunnel_id"))?,
    })
}

fn open_drift(row: &impl StoredRow) -> Result<OpenDrift, LedgerError> {
    Ok(OpenDrift {
        lock_id: row.text("lock_id")?,
        tunnel: path(row, "drift")?,
        route: Route { account: row.text("account")?, region: row.text("region")?, api: row.text("api")? },
        seq: row.number("seq")?.unwrap_or_default(),
        drift: FieldDrift {
            pointer: row.text("pointer")?,
            set: json(row, "drift", "was_set")?,
            observed: json(row, "drift", "observed")?,
            since: row.timestamp("since")?,
            operation_id: row.uuid("operation_id")?,
        },
    })
}

/// An unreadable row (a newer version may have written it) must not stop the sweep.
fn readable<T>(row: Result<T, LedgerError>) -> Option<T> {
    row.inspect_err(|error| error!(error = chain(error), "a row can't be read, and is not watched for drift"))
        .ok()
}

#[async_trait]
impl<S: ListStore> Drifts for S {
    async fn ended_operations(&self, after: i64, through: i64) -> Result<Vec<EndedOperation>, LedgerError> {
        let rows = limited(self.limit(), self.fetch(ended(S::DIALECT, after, through))).await?;
        let ended =
            |row: &S::Row| Ok(EndedOperation { lock_id: row.text("lock_id")?, operation: row.operation()? });
        Ok(rows.iter().map(ended).filter_map(readable).collect())
    }

    async fn watched(&self, lock_ids: &[String]) -> Result<Vec<WatchedTunnel>, LedgerError> {
        let mut sql = Statement::new(
            S::DIALECT,
            "SELECT w.lock_id, w.vpc_id, w.gateway_id, w.tunnel_id, CAST(w.fields AS text) AS fields
             FROM drift_watched w WHERE ",
        );
        sql.is_one_of("w.lock_id", Value::Texts(lock_ids.to_vec()));
        let rows = limited(self.limit(), self.fetch(sql)).await?;
        let watched = |row: &S::Row| {
            Ok(WatchedTunnel {
                lock_id: row.text("lock_id")?,
                tunnel: path(row, "drift_watched")?,
                fields: json(row, "drift_watched", "fields")?,
            })
        };
        Ok(rows.iter().map(watched).filter_map(readable).collect())
    }

    async fn watched_gateways(&self) -> Result<Vec<WatchedGateway>, LedgerError> {
        let sql = Statement::new(
            S::DIALECT,
            "SELECT vpc_id, gateway_id, count(*) AS tunnels FROM drift_watched GROUP BY vpc_id, gateway_id
             ORDER BY vpc_id, gateway_id",
        );
        let rows = limited(self.limit(), self.fetch(sql)).await?;
        let gateway = |row: &S::Row| {
            Ok(WatchedGateway {
                vpc_id: row.text("vpc_id")?,
                gateway_id: row.text("gateway_id")?,
                tunnels: row.number("tunnels")?.unwrap_or_default().unsigned_abs(),
            })
        };
        rows.iter().map(gateway).collect()
    }

    async fn open_drift(&self, lock_ids: &[String]) -> Result<Vec<OpenDrift>, LedgerError> {
        let mut sql = Statement::new(S::DIALECT, format!("SELECT {DRIFT} FROM drift d WHERE "));
        sql.is_one_of("d.lock_id", Value::Texts(lock_ids.to_vec())).push(" ORDER BY d.pointer");
        let rows = limited(self.limit(), self.fetch(sql)).await?;
        Ok(rows.iter().map(open_drift).filter_map(readable).collect())
    }

    async fn drifts(
        &self,
        vpcs: &VpcScope,
        filter: &DriftFilter,
        after: Option<(i64, String)>,
        limit: u32,
    ) -> Result<Vec<OpenDrift>, LedgerError> {
        let select = drifts(S::DIALECT, vpcs, filter, after, limit);
        let rows = limited(self.limit(), self.fetch(select)).await?;
        rows.iter().map(open_drift).collect()
    }

    async fn swept_since(&self) -> Result<Option<SweptSince>, LedgerError> {
        let sql = Statement::new(S::DIALECT, "SELECT swept_at, turned_on_at FROM drift_sweep");
        let rows = limited(self.limit(), self.fetch(sql)).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let swept_at = row.optional_timestamp("swept_at")?.map(SweptSince::Swept);
        Ok(swept_at.or(row.optional_timestamp("turned_on_at")?.map(SweptSince::Never)))
    }

    async fn drift_counts(&self) -> Result<Vec<(String, u64)>, LedgerError> {
        let sql = Statement::new(
            S::DIALECT,
            "SELECT account, count(DISTINCT lock_id) AS tunnels FROM drift GROUP BY account ORDER BY account",
        );
        let rows = limited(self.limit(), self.fetch(sql)).await?;
        let count = |row: &S::Row| {
            Ok((row.text("account")?, row.number("tunnels")?.unwrap_or_default().unsigned_abs()))
        };
        rows.iter().map(count).collect()
    }
}
