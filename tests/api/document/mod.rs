//! The OpenAPI document and the pages about problems.

mod contract;
mod problems;
mod schema;
mod served;
