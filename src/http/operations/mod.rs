//! Operations: `/operations` and the paths below.

pub mod document;
pub mod last_event_id;
pub mod read;
pub mod rollback;
pub mod stream;
pub mod view;
