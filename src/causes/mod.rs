//! An error and its causes as one line, for stderr and logs: tracing's JSON format omits the causes.

mod connection;

use std::error::Error;

pub use connection::connection_fault;

/// The error's message, followed by the messages of its causes.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text.replace('\n', " ")
}
