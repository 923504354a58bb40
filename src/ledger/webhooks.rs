//! Rows of `webhooks`, and the statements that both stores run in the same way.

use crate::domain::timestamp::Timestamp;
use crate::service::ledger::{Failing, Forgotten, LedgerError, NewIds, Skipped, WebhookClaim, WebhookPlace};

use super::columns::StoredRow;

pub(super) const BEGIN: &str = "INSERT INTO webhooks (name, seq) SELECT $1, seq FROM chain_head WHERE true
     ON CONFLICT (name) DO NOTHING";

pub(super) const ALL: &str =
    "SELECT w.name, w.seq, w.failures, w.problem, w.retry_at, w.lease_holder, w.lease_until,
        w.new_ids_to, w.new_ids_salt, h.seq AS newest,
        (SELECT e.occurred_at FROM audit_events e WHERE e.seq > w.seq ORDER BY e.seq LIMIT 1) AS waiting_since
     FROM webhooks w CROSS JOIN chain_head h ORDER BY w.name";

pub(super) const CLAIM: &str = "UPDATE webhooks SET fence = fence + 1, lease_holder = $2, lease_until = $4
     WHERE name = $1 AND (lease_until IS NULL OR lease_until <= $3 OR lease_holder = $2)
     RETURNING name, fence, seq, failures, new_ids_to, new_ids_salt, lease_holder,
        (SELECT coalesce(max(acceptance), 0) FROM lost_heads) AS acceptance";

/// In a log that went back another process may have the same fencing token, and events behind the claim's place may be others.
/// So the holder, the place and the number of accepted losses must be the claim's, and the new place must be in the log.
pub(super) const MOVE: &str =
    "UPDATE webhooks SET seq = $4, failures = $5, problem = $6, retry_at = $7, lease_until = $8
     WHERE name = $1 AND fence = $2 AND seq = $3 AND lease_holder = $9
       AND $4 <= (SELECT seq FROM chain_head)
       AND $10 = (SELECT coalesce(max(acceptance), 0) FROM lost_heads)
       AND NOT EXISTS (SELECT 1 FROM lost_heads WHERE acceptance IS NULL)";

pub(super) const RELEASE: &str = "UPDATE webhooks SET lease_holder = NULL, lease_until = NULL
     WHERE name = $1 AND fence = $2 AND lease_holder = $3";

/// The last archived event; 0 if there is none.
pub(super) const ARCHIVED: &str = "SELECT coalesce(max(last_seq), 0) FROM archived_segments";

/// `$3` is the salt of new ids, or NULL. Events that were to get new ids still get them.
pub(super) const REPLAY: &str =
    "UPDATE webhooks SET seq = $2 - 1, failures = 0, problem = NULL, retry_at = NULL,
            lease_holder = NULL, lease_until = NULL, fence = fence + 1, new_ids_salt = $3,
            new_ids_to = CASE WHEN $3 IS NULL THEN NULL
                              WHEN new_ids_to > seq THEN new_ids_to ELSE seq END
     WHERE name = $1 AND seq >= $2";

pub(super) const SKIP: &str = "UPDATE webhooks SET seq = $2, failures = 0, problem = NULL, retry_at = NULL,
            lease_holder = NULL, lease_until = NULL, fence = fence + 1
     WHERE name = $1 AND seq = $2 - 1 AND $2 <= (SELECT seq FROM chain_head)";

pub(super) const FORGET: &str =
    "DELETE FROM webhooks WHERE name = $1 AND (lease_until IS NULL OR lease_until <= $2)";

/// The place of an entry, and who holds it.
pub(super) const PLACE: &str = "SELECT seq, lease_holder FROM webhooks WHERE name = $1";

/// Moves an entry past its next event.
pub(super) struct Skip<'a> {
    pub(super) name: &'a str,
    pub(super) seq: i64,
}

/// The values of `failures`, `problem` and `retry_at`.
pub(super) fn failing_values(failing: Option<&Failing>) -> (i64, Option<&str>, Option<Timestamp>) {
    failing.map_or((0, None, None), |failing| {
        (i64::from(failing.attempts), Some(failing.problem.as_str()), Some(failing.retry_at))
    })
}

/// Why [`SKIP`] changed nothing. `place` is the row of [`PLACE`].
pub(super) fn not_skipped<R: StoredRow>(place: Option<&R>, seq: i64) -> Result<Skipped, LedgerError> {
    let Some(place) = place else { return Ok(Skipped::Unknown) };
    let passed = number(place, "seq")?;
    Ok(if passed == seq - 1 { Skipped::NoEvent } else { Skipped::NotNext(passed) })
}

/// Why [`FORGET`] deleted nothing. `place` is the row of [`PLACE`].
pub(super) fn not_forgotten<R: StoredRow>(place: Option<&R>) -> Result<Forgotten, LedgerError> {
    let Some(place) = place else { return Ok(Forgotten::Unknown) };
    Ok(Forgotten::Held(place.optional_text("lease_holder")?.unwrap_or_default()))
}

fn number<R: StoredRow>(row: &R, column: &str) -> Result<i64, LedgerError> {
    row.number(column)?.ok_or_else(|| LedgerError::Corrupt(format!("webhooks, column {column}")))
}

fn failures_of<R: StoredRow>(row: &R) -> Result<u32, LedgerError> {
    Ok(u32::try_from(number(row, "failures")?).unwrap_or(u32::MAX))
}

fn new_ids_of<R: StoredRow>(row: &R) -> Result<Option<NewIds>, LedgerError> {
    row.number("new_ids_to")?.map(|to| Ok(NewIds { to, salt: row.uuid("new_ids_salt")? })).transpose()
}

pub(super) fn claim_of<R: StoredRow>(row: &R) -> Result<WebhookClaim, LedgerError> {
    Ok(WebhookClaim {
        name: row.text("name")?,
        fence: number(row, "fence")?,
        seq: number(row, "seq")?,
        new_ids: new_ids_of(row)?,
        failures: failures_of(row)?,
        holder: row.text("lease_holder")?,
        acceptance: number(row, "acceptance")?,
    })
}

pub(super) fn place_of<R: StoredRow>(row: &R) -> Result<WebhookPlace, LedgerError> {
    let failing = match (row.optional_text("problem")?, row.optional_timestamp("retry_at")?) {
        (Some(problem), Some(retry_at)) => Some(Failing { attempts: failures_of(row)?, problem, retry_at }),
        _ => None,
    };
    Ok(WebhookPlace {
        name: row.text("name")?,
        seq: number(row, "seq")?,
        new_ids: new_ids_of(row)?,
        failing,
        lease: row.optional_text("lease_holder")?.zip(row.optional_timestamp("lease_until")?),
        newest: number(row, "newest")?,
        waiting_since: row.optional_timestamp("waiting_since")?,
    })
}
