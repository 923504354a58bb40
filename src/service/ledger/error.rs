//! Why a call to the ledger failed.

/// The audit log went back to an older state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewound {
    /// The newest event in the log.
    pub newest: i64,
    /// The newest event that is lost.
    pub lost: i64,
}

impl std::fmt::Display for Rewound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { newest, lost } = *self;
        if newest < lost {
            let first = newest + 1;
            write!(f, "the audit log went back: events {first} to {lost} are missing")
        } else {
            write!(f, "the audit log went back: event {lost} was lost, and another event has its seq")
        }
    }
}

/// Why a call to the ledger failed. The details go to the log; a consumer receives `ledger_unavailable`.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The database was unreachable, too slow, or refused the statement. Nothing is known to have been written.
    #[error("the ledger is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row contains a value that its column does not allow.
    #[error("the ledger holds a row that cannot be read: {0}")]
    Corrupt(String),
    /// An event's row contains a value that its column does not allow.
    #[error("event {0} cannot be read")]
    UnreadableEvent(i64),
    /// The log went back, and no operator has accepted the loss. Nothing was written.
    #[error("{0}")]
    Rewound(Rewound),
}

impl AsRef<Self> for LedgerError {
    fn as_ref(&self) -> &Self {
        self
    }
}
