//! Why a command ended badly, told in one line.

use std::io::Write;
use std::process::ExitCode;

use crate::causes::chain;

/// What went wrong, with its causes.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// A failure in our words, with its cause.
    pub fn new(what: &str, cause: impl std::error::Error) -> Self {
        Self(format!("{what}: {}", chain(&cause)))
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(chain(&error))
    }
}

/// Tells it on stderr; 2 is what every command ends with that could not do its work.
pub(super) fn tell(failure: &Failure) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "tunnelgate: {}", failure.0);
    ExitCode::from(2)
}

/// Writes to stdout.
pub(super) fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
