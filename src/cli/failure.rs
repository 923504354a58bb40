//! Errors of commands, printed on stderr, one a line.

use std::io::Write;
use std::process::ExitCode;

use crate::causes::chain;
use crate::config::Faults;

/// Error messages with their causes.
#[derive(Debug)]
pub struct Failure(Vec<String>);

impl Failure {
    /// A message, followed by the cause and its own causes.
    pub fn new(message: &str, cause: impl std::error::Error) -> Self {
        Self(vec![format!("{message}: {}", chain(&cause))])
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(vec![chain(&error)])
    }
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self(faults.iter().map(ToString::to_string).collect())
    }
}

/// Prints the failure on stderr. Exit code 2 means that a command could not do its work.
pub(super) fn report(failure: &Failure) -> ExitCode {
    for message in &failure.0 {
        let _ = writeln!(std::io::stderr(), "tunnelgate: {message}");
    }
    ExitCode::from(2)
}

/// Writes to stdout.
pub(super) fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
