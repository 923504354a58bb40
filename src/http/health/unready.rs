//! What the log and the answer say about a ledger that is not ready.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{error, info};

use crate::causes::chain;
use crate::service::ledger::{NotReady, Unready};

/// Shortest time between two lines of the log. Anyone may send probes.
const PAUSE: Duration = Duration::from_secs(10);

/// The `detail` of an answer: words of this program, and the number of one of its migrations.
pub(super) fn detail(class: Unready) -> String {
    let text = match class {
        Unready::Unreachable => "the database can't be reached",
        Unready::LoginRefused => {
            "the database refuses the login: check role, password and name of the database"
        }
        Unready::NoConnection => "the database has no free connection",
        Unready::Slow => "the database accepts connections, but did not answer in time",
        Unready::NoRight => "the role has not all the rights that it needs in the database",
        Unready::NotMigrated(number) => {
            return format!("migration {number} is not applied; run `tunnelgate migrate`");
        }
        Unready::MigrationUnfinished(number) => {
            return format!("migration {number} began and did not end; the table _sqlx_migrations shows it");
        }
        Unready::MigrationDiffers(number) => {
            return format!("migration {number} is applied with another text than this version's");
        }
        Unready::NoTable => "a table of the ledger is missing",
        Unready::ReadOnly => "the database accepts no writes",
        Unready::Full => "the database has no space left",
        Unready::WritesFail => "the last batch of writes failed",
        Unready::Other => "the database failed",
    };
    format!("{text}; the gateway's log has the reason")
}

/// Writes the whole reason to the log: once for each change, and not more often than every [`PAUSE`].
#[derive(Default)]
pub struct Reported(Mutex<State>);

#[derive(Default)]
struct State {
    /// The reason in the last line; `None` if the ledger was ready.
    reason: Option<String>,
    at: Option<Instant>,
}

impl Reported {
    pub(super) fn report(&self, not_ready: Option<&NotReady>) {
        let reason = not_ready.map(|not_ready| chain(&not_ready.error));
        if !self.is_due(reason.as_deref()) {
            return;
        }
        match reason {
            Some(error) => error!(error, "the ledger is not ready"),
            None => info!("the ledger is ready again"),
        }
    }

    /// True if the log has another reason, and its last line is old enough.
    fn is_due(&self, reason: Option<&str>) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if state.reason.as_deref() == reason || state.at.is_some_and(|at| now.duration_since(at) < PAUSE) {
            return false;
        }
        *state = State { reason: reason.map(str::to_owned), at: Some(now) };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reason_is_told_once_and_changes_are_told_with_a_pause() {
        let reported = Reported::default();
        assert!(!reported.is_due(None), "a ledger that was always ready is no news");
        assert!(reported.is_due(Some("a")));
        assert!(!reported.is_due(Some("a")) && !reported.is_due(Some("b")) && !reported.is_due(None));
        tokio::time::advance(PAUSE).await;
        assert!(!reported.is_due(Some("a")), "the log has this reason");
        assert!(reported.is_due(Some("b")));
        tokio::time::advance(PAUSE).await;
        assert!(reported.is_due(None) && !reported.is_due(Some("b")));
    }
}
