//! `/operations` and `/operations/{id}`.

mod api_3;
mod list;
mod no_way_back;
pub mod rollback;
mod stream;
mod waiting;
