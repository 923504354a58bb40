//! What only API 3.0 has.

mod forms;
mod reads;
