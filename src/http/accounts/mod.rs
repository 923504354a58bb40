//! Accounts of the cloud: `/accounts`.

pub mod document;
pub mod read;
pub mod view;
