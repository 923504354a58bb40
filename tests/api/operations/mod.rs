//! `/operations` and `/operations/{id}`.

mod list;
mod no_way_back;
pub mod rollback;
mod stream;
mod waiting;
