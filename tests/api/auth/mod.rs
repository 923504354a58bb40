//! Tokens and rights.

mod rights;
mod token;
