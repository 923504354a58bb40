//! Tokens and rights.

mod last_use;
mod rights;
mod rotation;
mod token;
