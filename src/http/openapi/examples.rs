//! Values that the document's examples share: answers of the sandbox, with constant ids.

use serde_json::{Value, json};

pub const ID: &str = "0199b3a1-7c1e-7d2f-9c1a-0123456789ab";
/// A later operation's.
pub const LATER_ID: &str = "0199b3a8-52d0-7a11-8f00-0123456789ab";
pub const OPENED: &str = "2026-01-31T08:00:00.000000Z";
/// Later: when the gateway noticed drift.
pub const NOTICED: &str = "2026-01-31T08:10:00.000000Z";
pub const ENDED: &str = "2026-01-31T08:00:04.000000Z";
/// The address of a tunnel's configuration for its peer.
pub const PEER_CONFIG: &str = "/vpcs/vpc-03vihbk9/gateways/vpngw-kfldykuz/tunnels/vpnx-ol6bcqp0/peer-config";
/// A tunnel's tag.
pub const ETAG: &str = "\"20ede40bfe565b52a39cee75497cbb8c\"";
pub const FINGERPRINT: &str = "bf171abff3ff0af4234bf1dcada1d6a8314a8c1877400e9b5f1750341949b2dd";

pub fn changes() -> Value {
    json!({"peer_cidrs": ["10.100.2.0/24"], "pre_shared_key": {"hmac_sha256": FINGERPRINT}})
}

/// What the tunnel had before [`changes`].
pub fn before() -> Value {
    let key = "6f8db599de986fab7a21625b7916589c2b6b5d3f2a07c4ef2e0c1d9b0e7b3a55";
    json!({"peer_cidrs": ["10.100.1.0/24"], "pre_shared_key": {"hmac_sha256": key}})
}
