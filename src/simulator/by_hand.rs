//! Changes of a tunnel that no call of the API makes: what people do in the cloud's own console.

use serde::Deserialize;

use super::change::{Change, Ranges};
use super::cloud::Cloud;

/// A change by hand, which takes effect at once. Absent fields stay as they are.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByHand {
    pub name: Option<String>,
    pub pre_shared_key: Option<String>,
    pub peer_cidrs: Option<Vec<String>>,
    pub ike_sa_lifetime_seconds: Option<u32>,
    /// The tunnel is deleted.
    #[serde(default)]
    pub is_deleted: bool,
}

/// Changes the tunnel with this id; false if there is none.
pub(super) fn change(cloud: &Cloud, id: &str, hand: ByHand) -> bool {
    let mut state = cloud.state();
    let Some(id) = state.find(id) else { return false };
    if hand.is_deleted {
        return state.tunnels.remove(&id).is_some();
    }
    let Some(tunnel) = state.tunnels.get_mut(&id) else { return false };
    let ike = hand.ike_sa_lifetime_seconds.map(|lifetime| {
        let mut ike = tunnel.ike.clone();
        ike.lifetime = lifetime;
        ike
    });
    let ranges = hand.peer_cidrs.map(Ranges::Peers);
    tunnel.apply(&Change { name: hand.name, key: hand.pre_shared_key, ranges, ike, ..Change::default() });
    true
}
