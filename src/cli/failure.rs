//! Errors of commands, printed as one line on stderr.

use std::io::Write;
use std::process::ExitCode;

use crate::causes::chain;

/// An error message with its causes.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// A message, followed by the cause and its own causes.
    pub fn new(message: &str, cause: impl std::error::Error) -> Self {
        Self(format!("{message}: {}", chain(&cause)))
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(chain(&error))
    }
}

/// Prints the failure on stderr. Exit code 2 means that a command could not do its work.
pub(super) fn report(failure: &Failure) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "tunnelgate: {}", failure.0);
    ExitCode::from(2)
}

/// Writes to stdout.
pub(super) fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
