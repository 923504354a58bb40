//! `/operations` and `/operations/{id}`.

mod list;
mod no_way_back;
mod rollback;
mod stream;
mod waiting;
