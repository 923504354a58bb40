//! What the server's refusals mean for a batch (PostgreSQL, appendix A: error codes).

/// What is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A row: the rest of the batch can be written without it.
    Row,
    /// Nothing that stays: the transaction was rolled back, and another attempt may well succeed.
    Moment,
    /// The server, its disk, its settings or our rights: every step would meet the same.
    Server,
}

/// What a SQLSTATE tells.
pub(super) fn fault(code: &str) -> Fault {
    match (code.get(..2).unwrap_or_default(), code) {
        // Connections that break, serialization failures and deadlocks.
        ("08" | "40", _) => Fault::Moment,
        // Idle in a transaction for too long: this process was stopped in the middle of it.
        (_, "25P03") => Fault::Moment,
        // The server is going down, has crashed, is coming up, or the database was dropped under us.
        (_, "57P01" | "57P02" | "57P03" | "57P05") => Fault::Moment,
        // A server that is read-only, rights, missing tables, a full disk, time limits, I/O, bugs.
        ("0A" | "25" | "26" | "28" | "3D" | "3F" | "42" | "53" | "55" | "57" | "58" | "F0" | "XX", _) => {
            Fault::Server
        }
        // Values, constraints, limits of a row, and what triggers raise.
        _ => Fault::Row,
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
            assert_eq!(fault(code), Fault::Moment, "{code}");
        }
        for code in ["53100", "53300", "25006", "42501", "42P01", "57014", "55P03", "58030", "XX000"] {
            assert_eq!(fault(code), Fault::Server, "{code}");
        }
    }
}
