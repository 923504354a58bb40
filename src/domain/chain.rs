//! The hash chain of the audit log: what makes tampering evident. `docs/audit-format.md` is its description for
//! auditors.

use sha2::{Digest, Sha256};

use super::event::EventRow;

/// What stands for the hash of the event before the first one.
pub const BEFORE_FIRST: [u8; 32] = [0; 32];

/// SHA-256 over the 32 bytes of `prev_hash`, followed by the row as canonical JSON (RFC 8785). `None` if the row has
/// no canonical form, which only a number beyond what JSON can hold brings about.
#[must_use]
pub fn hash(prev_hash: &[u8; 32], row: &EventRow) -> Option<[u8; 32]> {
    let canonical = serde_json_canonicalizer::to_vec(row).ok()?;
    let mut sha = Sha256::new();
    sha.update(prev_hash);
    sha.update(&canonical);
    Some(sha.finalize().into())
}
