//! `/operations` and `/operations/{id}`.

mod list;
mod stream;
mod waiting;
