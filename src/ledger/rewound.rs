//! A log that went back: the chain head is lower than this process saw it, or another event has its place. That happens
//! when a standby without the newest commits is promoted, or an old backup is restored.
//!
//! Each process remembers the newest head that it saw, and compares at every batch, claim and readiness check. The first
//! process that notices the loss notes the lost head in the table `lost_heads`, so that all replicas stop.

use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::gauge::Gauge;
use serde_json::{Value, json};
use tracing::{error, info};

use crate::domain::fingerprint::hex;
use crate::metrics::Metrics;
use crate::service::ledger::{LedgerError, Rewound};

use super::OpenError;
use super::batch::Head;
use super::columns::StoredRow;
use super::witness::{Remembered, Witness};

/// Reads the chain head, whether the remembered event (`$1`, `$2`) exists or is archived, and the lost heads that were accepted after the
/// remembered acceptance (`$3`).
pub(super) const READ_CHAIN: &str = "SELECT h.seq, h.hash,
        (SELECT count(*) FROM audit_events e WHERE e.seq = $1 AND e.hash = $2)
            + (SELECT count(*) FROM archived_segments a WHERE a.first_seq <= $1 AND a.last_seq >= $1) AS remembered,
        (SELECT max(l.acceptance) FROM lost_heads l) AS acceptance,
        (SELECT max(l.seq) FROM lost_heads l WHERE l.acceptance > $3) AS accepted_to,
        (SELECT max(l.seq) FROM lost_heads l WHERE l.acceptance IS NULL) AS noted
     FROM chain_head h";

/// Notes a lost head (`$1`, `$2`).
pub(super) const NOTE: &str = "INSERT INTO lost_heads (seq, hash) VALUES ($1, $2) ON CONFLICT DO NOTHING";

/// Marks all noted heads as accepted.
pub(super) const ACCEPT: &str = "UPDATE lost_heads SET accepted_at = CURRENT_TIMESTAMP,
        acceptance = (SELECT coalesce(max(l.acceptance), 0) + 1 FROM lost_heads l)
     WHERE acceptance IS NULL";

/// The noted heads that no operator has accepted.
pub(super) const NOTED: &str = "SELECT seq, hash FROM lost_heads WHERE acceptance IS NULL ORDER BY seq, hash";

/// The result of [`READ_CHAIN`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Chain {
    pub(super) head: Head,
    contains_remembered: bool,
    acceptance: i64,
    accepted_to: Option<i64>,
    noted: Option<i64>,
}

impl Chain {
    pub(super) fn of(row: &impl StoredRow) -> Result<Self, LedgerError> {
        Ok(Self {
            head: head_of(row)?,
            contains_remembered: row.number("remembered")? == Some(1),
            acceptance: row.number("acceptance")?.unwrap_or_default(),
            accepted_to: row.number("accepted_to")?,
            noted: row.number("noted")?,
        })
    }

    /// True if a lost head has no acceptance.
    pub(super) fn is_noted(&self) -> bool {
        self.noted.is_some()
    }

    fn contains(&self, remembered: Head) -> bool {
        remembered.seq == 0 || (self.head.seq >= remembered.seq && self.contains_remembered)
    }
}

/// How the chain compares with what this process remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Whole,
    /// An operator has to accept the loss. `unnoted` is the lost head if `lost_heads` does not contain it.
    WentBack {
        rewound: Rewound,
        unnoted: Option<Head>,
    },
}

/// Compares the chain with the remembered head.
fn compare(remembered: Option<Remembered>, chain: &Chain) -> Comparison {
    let went_back = |lost: i64, unnoted| {
        let rewound = Rewound { newest: chain.head.seq, lost };
        Comparison::WentBack { rewound, unnoted }
    };
    if let Some(lost) = chain.noted {
        return went_back(lost, None);
    }
    match remembered {
        Some(Remembered { head, .. })
            if !chain.contains(head) && chain.accepted_to.is_none_or(|accepted| accepted < head.seq) =>
        {
            went_back(head.seq, Some(head))
        }
        _ => Comparison::Whole,
    }
}

/// The columns `seq` and `hash`.
pub(super) fn head_of(row: &impl StoredRow) -> Result<Head, LedgerError> {
    let seq = row.number("seq")?.ok_or_else(|| LedgerError::Corrupt("column seq".into()))?;
    Ok(Head { seq, hash: row.hash("hash", "chain_head")? })
}

/// What this process remembers of the chain.
pub(super) struct Memory {
    state: Mutex<State>,
    gauge: Gauge,
    witness: Option<Witness>,
}

#[derive(Default)]
struct State {
    newest: Option<Remembered>,
    rewound: Option<Rewound>,
}

impl Memory {
    /// Starts with the head in the witness file, if there is one.
    pub(super) fn new(witness: Option<std::path::PathBuf>, metrics: &Metrics) -> Result<Self, OpenError> {
        let (newest, witness) = match witness {
            None => (None, None),
            Some(file) => {
                let (newest, witness) = Witness::open(file)?;
                (newest, Some(witness))
            }
        };
        let gauge = metrics.register(
            "log_rewound",
            "1 if the audit log went back and no operator has accepted the loss",
            Gauge::default(),
        );
        Ok(Self { state: Mutex::new(State { newest, rewound: None }), gauge, witness })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn newest(&self) -> Option<Remembered> {
        self.lock().newest
    }

    /// The parameters of [`READ_CHAIN`].
    pub(super) fn parameters(remembered: Option<Remembered>) -> (i64, Vec<u8>, i64) {
        remembered.map_or((0, Vec::new(), 0), |Remembered { head, acceptance }| {
            (head.seq, head.hash.to_vec(), acceptance)
        })
    }

    /// True if `head` is the newest head that this process saw, and the log did not go back.
    pub(super) fn is_at(&self, head: Head) -> bool {
        let state = self.lock();
        state.rewound.is_none() && state.newest.is_some_and(|newest| newest.head == head)
    }

    /// Remembers the head of a batch of this process.
    pub(super) fn advance(&self, head: Head) {
        let mut state = self.lock();
        let acceptance = state.newest.map_or(0, |newest| newest.acceptance);
        if state.newest.is_none_or(|newest| newest.head.seq <= head.seq) {
            self.remember(&mut state, Remembered { head, acceptance });
        }
    }

    /// Compares what one statement read, given what this process remembered before the statement.
    pub(super) fn compare(&self, remembered: Option<Remembered>, chain: &Chain) -> Comparison {
        let comparison = compare(remembered, chain);
        let mut state = self.lock();
        match comparison {
            Comparison::WentBack { rewound, .. } => {
                if state.rewound != Some(rewound) {
                    error!(
                        newest = rewound.newest,
                        lost = rewound.lost,
                        "{rewound}; nothing is sent or written"
                    );
                }
                state.rewound = Some(rewound);
                self.gauge.set(1);
            }
            Comparison::Whole => {
                if state.rewound.take().is_some() {
                    info!(newest = chain.head.seq, "an operator accepted the loss of events; work continues");
                }
                self.gauge.set(0);
                let is_lost = remembered.is_some_and(|remembered| !chain.contains(remembered.head));
                let is_newer = state.newest.is_none_or(|newest| newest.head.seq <= chain.head.seq);
                if is_newer || (is_lost && state.newest == remembered) {
                    let newest = Remembered { head: chain.head, acceptance: chain.acceptance };
                    self.remember(&mut state, newest);
                }
            }
        }
        comparison
    }

    fn remember(&self, state: &mut State, newest: Remembered) {
        if state.newest != Some(newest) {
            state.newest = Some(newest);
            if let Some(witness) = &self.witness {
                witness.keep(newest);
            }
        }
    }

    /// Writes the witness file now.
    pub(super) async fn flush(&self) {
        if let Some(witness) = &self.witness {
            witness.flush().await;
        }
    }
}

/// The `changes` of the event `log_rewound`.
pub(super) fn changes(newest: i64, lost: &[Head]) -> Value {
    let lost: Vec<Value> =
        lost.iter().map(|head| json!({"seq": head.seq, "hash": hex(&head.hash)})).collect();
    json!({"newest_seq": newest, "lost_heads": lost})
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: [u8; 32] = [1; 32];
    const NEW: [u8; 32] = [2; 32];

    fn remembered(seq: i64, acceptance: i64) -> Option<Remembered> {
        Some(Remembered { head: Head { seq, hash: OLD }, acceptance })
    }

    fn chain(seq: i64, contains_remembered: bool) -> Chain {
        let head = Head { seq, hash: NEW };
        Chain { head, contains_remembered, acceptance: 0, accepted_to: None, noted: None }
    }

    fn lost(remembered: Option<Remembered>, chain: &Chain) -> Option<(i64, bool)> {
        match compare(remembered, chain) {
            Comparison::Whole => None,
            Comparison::WentBack { rewound, unnoted } => Some((rewound.lost, unnoted.is_some())),
        }
    }

    #[test]
    fn a_chain_that_contains_the_remembered_event_is_whole() {
        assert_eq!(lost(None, &chain(0, false)), None);
        assert_eq!(lost(remembered(0, 0), &chain(9, false)), None);
        assert_eq!(lost(remembered(9, 0), &chain(9, true)), None);
        assert_eq!(lost(remembered(9, 0), &chain(12, true)), None);
    }

    #[test]
    fn a_lower_head_and_another_event_in_its_place_are_losses() {
        assert_eq!(lost(remembered(9, 0), &chain(4, false)), Some((9, true)));
        assert_eq!(lost(remembered(9, 0), &chain(12, false)), Some((9, true)));
        let noted = Chain { noted: Some(16), ..chain(4, false) };
        assert_eq!(lost(None, &noted), Some((16, false)), "another replica noticed it");
    }

    #[test]
    fn an_acceptance_covers_only_what_was_lost_by_then() {
        let accepted = Chain { acceptance: 1, accepted_to: Some(9), ..chain(5, false) };
        assert_eq!(lost(remembered(9, 0), &accepted), None);
        assert_eq!(lost(remembered(8, 0), &accepted), None);
        assert_eq!(lost(remembered(10, 0), &accepted), Some((10, true)), "more than was accepted");
        let later = Chain { accepted_to: None, ..accepted };
        assert_eq!(lost(remembered(9, 1), &later), Some((9, true)), "a second loss");
    }
}
