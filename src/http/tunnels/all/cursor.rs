//! The position in the list of all tunnels, bound to the list's filters.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::domain::fingerprint::hex;
use crate::domain::tunnel_search::Search;
use crate::service::all_tunnels::filter::TunnelFilter;
use crate::service::all_tunnels::place::Place;

/// The bytes of the filters' SHA-256. The digest finds mistakes; rights are checked at each request.
const DIGEST_BYTES: usize = 8;

/// A position in a list with these filters.
pub struct Cursor {
    /// The [`digest`] of the filters.
    pub filters: String,
    pub place: Place,
}

/// The text is not a position.
pub struct NotACursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.filters, self.place)
    }
}

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let (filters, place) = text.split_once('/').ok_or(NotACursor)?;
        Ok(Self { filters: filters.to_owned(), place: place.parse().map_err(|_| NotACursor)? })
    }
}

/// What tells the filters of one list from those of another.
pub fn digest(filter: &TunnelFilter) -> String {
    let TunnelFilter { account, vpc_id, gateway_id, search, has_drift } = filter;
    let search = search.as_ref().map(Search::as_str);
    // Texts and flags never fail to serialize.
    let text = serde_json::to_vec(&(account, vpc_id, gateway_id, search, has_drift)).unwrap_or_default();
    hex(&Sha256::digest(&text)[..DIGEST_BYTES])
}
