//! `/operations` and what is below it.

pub mod document;
pub mod last_event_id;
pub mod read;
pub mod stream;
pub mod view;
