//! What only API 2.0 has.

mod forms;
mod reads;
