//! Connections, below the HTTP server. The server closes connections of slow or broken callers without a word, or never;
//! this layer gives them a limit and an answer.
//!
//! - `stream` wraps the socket of a connection: time limits, and what is read and written.
//! - `frames` follows what HTTP/2 callers send, and `streams` counts what they open.
//! - `refusal` writes the problem for what is no request.
//! - `requests` counts the requests of a connection that are in progress.
//! - `descriptors` keeps connections within the limit of open files.
//! - `listener` opens the port and builds the server.

mod descriptors;
mod frames;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzz;
mod listener;
mod refusal;
mod requests;
mod stream;
mod streams;

pub use listener::{Listener, listen};
pub use requests::counted;
