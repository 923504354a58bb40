//! Sign-in by browser: `/sign-in`.

pub mod document;
pub mod policy;
pub mod read;
pub mod view;
