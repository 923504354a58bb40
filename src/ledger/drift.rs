//! Writing about drift, as far as both stores have it in common.

use crate::domain::drift::FieldDrift;
use crate::domain::event::{Event, EventKind};
use crate::service::ledger::{Finding, FindingEvent, LedgerError, Progress, Step, StoredDrift, Sweep};

use super::batch::{Context, Needs};
use super::columns::StoredRow;

/// The columns that [`sweep_of`] reads.
pub(super) const SWEEP: &str = "fence, followed_seq, began_at, place, swept_at";

/// The columns that [`stored`] reads, from `drift`.
pub(super) const STORED: &str = "pointer, vpc_id, gateway_id, tunnel_id, account, region, api, operation_id,
     CAST(was_set AS text) AS was_set, CAST(observed AS text) AS observed, since, seq";

pub(super) fn sweep_of(row: &impl StoredRow) -> Result<Sweep, LedgerError> {
    let number = |column: &str| {
        row.number(column)?.ok_or_else(|| LedgerError::Corrupt(format!("drift_sweep, column {column}")))
    };
    Ok(Sweep {
        fence: number("fence")?,
        progress: Progress {
            followed_seq: number("followed_seq")?,
            began_at: row.optional_timestamp("began_at")?,
            place: row.optional_text("place")?,
            swept_at: row.optional_timestamp("swept_at")?,
        },
    })
}

pub(super) fn stored(row: &impl StoredRow) -> Result<StoredDrift, LedgerError> {
    Ok(StoredDrift {
        pointer: row.text("pointer")?,
        vpc_id: row.text("vpc_id")?,
        gateway_id: row.text("gateway_id")?,
        tunnel_id: row.text("tunnel_id")?,
        account: row.text("account")?,
        region: row.text("region")?,
        api: row.text("api")?,
        operation_id: row.uuid("operation_id")?,
        set: row.text("was_set")?,
        observed: row.text("observed")?,
        since: row.timestamp("since")?,
        seq: row.number("seq")?.unwrap_or_default(),
    })
}

/// The rows that findings depend on.
pub(super) fn needs(findings: &[Finding]) -> Needs {
    Needs { locks: findings.iter().map(|finding| finding.lock_id.clone()).collect(), ..Needs::default() }
}

/// For each finding whether its guard holds: what the tunnel shows is not a change of the gateway's own.
pub(super) fn guards(findings: &[Finding], context: &Context) -> Vec<bool> {
    let holds = |finding: &Finding| {
        let last_seq = context.last_seqs.get(&finding.lock_id);
        !context.busy.contains_key(&finding.lock_id) && last_seq.is_none_or(|last| *last <= finding.read_seq)
    };
    findings.iter().map(holds).collect()
}

/// The events of the findings whose guards hold, each with its lock.
pub(super) fn events<'a>(findings: &'a [Finding], guards: &[bool]) -> Vec<(&'a str, &'a FindingEvent)> {
    let held = findings.iter().zip(guards).filter(|(_, holds)| **holds).map(|(finding, _)| finding);
    held.flat_map(|finding| finding.events.iter().map(|event| (finding.lock_id.as_str(), event))).collect()
}

/// The steps that write the events.
pub(super) fn steps(events: &[(&str, &FindingEvent)]) -> Vec<Step> {
    events.iter().map(|(_, finding)| Step::Record(Box::new(finding.event.clone()))).collect()
}

/// An open difference to store, or to delete.
pub(super) enum Row<'a> {
    Opened { lock_id: &'a str, event: &'a Event, field: &'a FieldDrift },
    Ended { lock_id: &'a str, field: &'a FieldDrift },
}

/// The rows of the events as they were written.
pub(super) fn rows<'a>(events: &[(&'a str, &'a FindingEvent)], written: &'a [Event]) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    for ((lock_id, finding), event) in events.iter().zip(written) {
        let is_detected = finding.event.event == EventKind::DriftDetected;
        rows.extend(finding.fields.iter().map(|field| match is_detected {
            true => Row::Opened { lock_id, event, field },
            false => Row::Ended { lock_id, field },
        }));
    }
    rows
}
