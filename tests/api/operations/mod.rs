//! `/operations` and the paths below.

mod list;
pub mod rollback;
mod rollback_api_3;
mod rollback_refused;
mod stream;
mod waiting;
