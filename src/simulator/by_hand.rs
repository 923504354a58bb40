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
    /// So many of the next pages of lists that contain the tunnel come without their list.
    pub unlisted_pages: Option<u32>,
    /// So many of the next pages of lists that contain the tunnel get no answer for a minute.
    pub silent_pages: Option<u32>,
    /// The tunnel's task ends, successfully unless it is one that fails.
    #[serde(default)]
    pub ends_task: bool,
}

/// Changes the tunnel with this id; false if there is none, or if a task is to end and there is none.
pub(super) fn change(cloud: &Cloud, id: &str, hand: ByHand) -> bool {
    let mut state = cloud.state();
    let Some(id) = state.find(id) else { return false };
    if hand.is_deleted {
        return state.tunnels.remove(&id).is_some();
    }
    if hand.ends_task && !state.end_task(&id, cloud.clock.now()) {
        return false;
    }
    let Some(tunnel) = state.tunnels.get_mut(&id) else { return false };
    tunnel.unlisted_pages = hand.unlisted_pages.unwrap_or(tunnel.unlisted_pages);
    tunnel.silent_pages = hand.silent_pages.unwrap_or(tunnel.silent_pages);
    let ike = hand.ike_sa_lifetime_seconds.map(|lifetime| {
        let mut ike = tunnel.ike.clone();
        ike.lifetime = lifetime;
        ike
    });
    let ranges = hand.peer_cidrs.map(Ranges::Peers);
    tunnel.apply(&Change { name: hand.name, key: hand.pre_shared_key, ranges, ike, ..Change::default() });
    true
}
