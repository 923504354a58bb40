//! What PostgreSQL's error codes mean for a batch (PostgreSQL documentation, appendix A).

use crate::service::ledger::Unready;

/// undefined_table
pub(super) const NO_TABLE: &str = "42P01";

/// The cause of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// One row. The rest of the batch can be written without it.
    Row,
    /// A temporary condition. The transaction was rolled back, and a retry may succeed.
    Transient,
    /// The server, its disk, its settings or our privileges. Every step would fail in the same way.
    Server,
}

/// Classifies a SQLSTATE.
pub(super) fn fault(code: &str) -> Fault {
    match (code.get(..2).unwrap_or_default(), code) {
        // Broken connections, serialization failures and deadlocks.
        ("08" | "40", _) => Fault::Transient,
        // idle_in_transaction_session_timeout: this process was suspended in the middle of a transaction.
        (_, "25P03") => Fault::Transient,
        // The server is shutting down, has crashed or is starting, or the database was dropped.
        (_, "57P01" | "57P02" | "57P03" | "57P05") => Fault::Transient,
        // Read-only server, missing privileges or tables, full disk, time limits, I/O errors, internal errors.
        ("0A" | "25" | "26" | "28" | "3D" | "3F" | "42" | "53" | "55" | "57" | "58" | "F0" | "XX", _) => {
            Fault::Server
        }
        // Invalid values, constraint violations, row limits, and errors that triggers raise.
        _ => Fault::Row,
    }
}

/// Why a readiness check failed.
pub(super) fn unready(code: &str) -> Unready {
    match (code.get(..2).unwrap_or_default(), code) {
        // invalid_authorization_specification, invalid_catalog_name: a role, a password or a database.
        ("28" | "3D", _) => Unready::LoginRefused,
        (_, "25006") => Unready::ReadOnly,
        (_, "42501") => Unready::NoRight,
        (_, NO_TABLE) => Unready::NoTable,
        (_, "53300") => Unready::NoConnection,
        (_, "53100") => Unready::Full,
        // query_canceled, lock_not_available, transaction_timeout
        (_, "57014" | "55P03" | "25P04") => Unready::Slow,
        ("08", _) | (_, "57P01" | "57P02" | "57P03" | "57P05") => Unready::Unreachable,
        _ => Unready::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_blames_the_row_the_moment_or_the_server() {
        for code in ["22001", "23505", "23514", "54000", "P0001", "TG001"] {
            assert_eq!(fault(code), Fault::Row, "{code}");
        }
        for code in ["40001", "40P01", "08006", "57P01", "57P03", "25P03"] {
            assert_eq!(fault(code), Fault::Transient, "{code}");
        }
        for code in ["53100", "53300", "25006", "42501", "42P01", "57014", "55P03", "58030", "XX000"] {
            assert_eq!(fault(code), Fault::Server, "{code}");
        }
    }

    #[test]
    fn a_code_names_the_class_of_what_is_wrong() {
        for (code, class) in [
            ("28P01", Unready::LoginRefused),
            ("28000", Unready::LoginRefused),
            ("3D000", Unready::LoginRefused),
            ("25006", Unready::ReadOnly),
            ("42501", Unready::NoRight),
            ("42P01", Unready::NoTable),
            ("53300", Unready::NoConnection),
            ("53100", Unready::Full),
            ("57014", Unready::Slow),
            ("57P03", Unready::Unreachable),
            ("XX000", Unready::Other),
        ] {
            assert_eq!(unready(code), class, "{code}");
        }
    }
}
