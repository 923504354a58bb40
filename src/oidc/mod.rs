//! Sign-in with OIDC: issuers, their keys, and tokens to principals. `jsonwebtoken` verifies signatures, with `ring` behind
//! it; the cache of keys is ours.

mod claims;
mod fetch;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod issuers;
mod key_set;
mod keys;
mod metrics;
mod ring_provider;
mod settings;
mod token;
mod url;
mod verify;

pub use fetch::NoClient;
pub use issuers::Issuers;
pub use settings::{ClaimGrant, Client, Settings};
pub use url::{InvalidIssuer, IssuerUrl};
