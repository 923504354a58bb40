//! The change of one tunnel, as the plan or a rollback asks for it.

use bytes::Bytes;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::chance::Chance;
use crate::domain::ids::TunnelPath;
use crate::domain::secret::PreSharedKey;

use super::gateway::{Target, TunnelNow, patch_body};
use super::plan::{Change, Key};

/// The characters of generated keys. No configuration language gives any of them a meaning.
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// The length of generated keys: 238 bits of randomness.
const KEY_LENGTH: usize = 40;

/// What to do.
#[derive(Debug, Clone)]
pub(super) enum Wanted {
    Patch(Change),
    /// Put back what the tunnel had before an operation.
    Rollback(Uuid),
}

/// A tunnel and what to do with it.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) path: TunnelPath,
    pub(super) wanted: Wanted,
}

impl Task {
    pub(super) const fn target(&self) -> Target<'_> {
        match self.wanted {
            Wanted::Patch(_) => Target::Tunnel(&self.path),
            Wanted::Rollback(operation) => Target::Operation(operation),
        }
    }

    pub(super) const fn rollback_of(&self) -> Option<Uuid> {
        match self.wanted {
            Wanted::Patch(_) => None,
            Wanted::Rollback(operation) => Some(operation),
        }
    }

    pub(super) const fn changes_key(&self) -> bool {
        matches!(&self.wanted, Wanted::Patch(change) if change.changes_key())
    }

    pub(super) const fn generates_key(&self) -> bool {
        matches!(&self.wanted, Wanted::Patch(Change { key: Key::Generated, .. }))
    }

    /// The key that the change sets: the plan's, or the generated one.
    pub(super) fn key<'a>(&'a self, generated: Option<&'a PreSharedKey>) -> Option<&'a PreSharedKey> {
        match &self.wanted {
            Wanted::Patch(Change { key: Key::Given(key), .. }) => Some(key),
            Wanted::Patch(Change { key: Key::Generated, .. }) => generated,
            Wanted::Patch(_) | Wanted::Rollback(_) => None,
        }
    }

    pub(super) fn body(&self, peer_cidrs: Option<&[String]>, generated: Option<&PreSharedKey>) -> Bytes {
        match &self.wanted {
            Wanted::Patch(change) => patch_body(&change.patch, peer_cidrs, self.key(generated)),
            Wanted::Rollback(_) => patch_body(&Map::new(), None, None),
        }
    }

    /// True if the change needs the tunnel's ranges where the account speaks API 2.0.
    pub(super) const fn may_repeat_ranges(&self) -> bool {
        matches!(&self.wanted, Wanted::Patch(Change { peer_ranges: None, .. }))
    }

    /// The ranges of the tunnel that the patch must repeat: API 2.0 wants ranges in every change.
    ///
    /// # Errors
    /// If the cloud does not show which ranges belong together, so that repeating them could change the tunnel.
    pub(super) fn repeated_ranges(&self, now: &TunnelNow) -> Result<Option<Vec<String>>, String> {
        if now.api != "2.0" || !self.may_repeat_ranges() {
            return Ok(None);
        }
        let count = |ranges: &Option<Vec<String>>| ranges.as_ref().map_or(0, Vec::len);
        let why = match (count(&now.local_cidrs), count(&now.peer_cidrs)) {
            (_, 0) => "the cloud shows none of this tunnel",
            (2.., 2..) => "the cloud does not show which ranges of this tunnel belong together",
            _ => return Ok(now.peer_cidrs.clone()),
        };
        Err(format!(
            "API 2.0 wants ranges in every change, and {why}: give its peer_cidrs or security_policies in the plan"
        ))
    }
}

/// A strong random key.
pub(super) fn generate_key(chance: &dyn Chance) -> Option<PreSharedKey> {
    // Allocated once, so that nothing of it is left behind.
    let mut text = secrecy::zeroize::Zeroizing::new(String::with_capacity(KEY_LENGTH));
    let mut bytes = secrecy::zeroize::Zeroizing::new([0_u8; 64]);
    while text.len() < KEY_LENGTH {
        chance.fill(&mut *bytes);
        for byte in bytes.iter() {
            // 248 is the largest multiple of 62 in a byte: beyond it some characters would be likelier than others.
            if *byte < 248 && text.len() < KEY_LENGTH {
                text.push(char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]));
            }
        }
    }
    PreSharedKey::parse(&text).ok()
}

/// The values of a member that lists ranges on the peer's side: `peer_cidrs`, or `security_policies`.
pub(super) fn peers_in(pointer: &str, value: &Value) -> Vec<String> {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    match pointer {
        "/peer_cidrs" => texts(value),
        "/security_policies" => {
            value.as_array().into_iter().flatten().flat_map(|policy| texts(&policy["peer_cidrs"])).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SystemChance;
    use crate::rollout::plan;

    fn now(api: &str, local: &[&str], peer: &[&str]) -> TunnelNow {
        serde_json::from_value(serde_json::json!({
            "vpc_id": "vpc-1", "gateway_id": "vpngw-1", "tunnel_id": "vpnx-1", "api": api,
            "local_cidrs": local, "peer_cidrs": peer, "security_policies": null,
        }))
        .expect("a tunnel")
    }

    fn task(plan: &str) -> Task {
        let plan = format!("tunnels: [{{path: vpc-1/vpngw-1/vpnx-1, {plan}}}]");
        match plan::Plan::read(plan.as_bytes(), plan::Format::Yaml) {
            Ok(plan::Plan::Listed(mut tunnels)) => {
                let (path, change) = tunnels.remove(0);
                Task { path, wanted: Wanted::Patch(change) }
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn keys_are_long_and_different_and_need_no_quotation_marks() {
        let keys: Vec<String> =
            (0..100).map(|_| generate_key(&SystemChance).expect("a key").expose().to_owned()).collect();
        assert!(
            keys.iter().all(|key| key.len() == KEY_LENGTH && key.bytes().all(|b| b.is_ascii_alphanumeric()))
        );
        let all = keys.concat();
        assert!(ALPHABET.iter().all(|letter| all.bytes().any(|b| b == *letter)), "{all}");
        assert_eq!(keys.iter().collect::<std::collections::HashSet<_>>().len(), 100);
    }

    #[test]
    fn ranges_are_repeated_only_where_that_changes_nothing() {
        let rotation = task("generate: pre_shared_key");
        assert_eq!(rotation.repeated_ranges(&now("3.0", &["10.0.0.0/8"], &["172.16.0.0/12"])), Ok(None));
        let one = now("2.0", &["10.0.0.0/8"], &["172.16.0.0/12", "192.168.0.0/16"]);
        assert_eq!(rotation.repeated_ranges(&one), Ok(one.peer_cidrs.clone()));
        let pairs = now("2.0", &["10.0.0.0/16", "10.1.0.0/16"], &["172.16.0.0/12", "192.168.0.0/16"]);
        assert!(rotation.repeated_ranges(&pairs).is_err_and(|why| why.contains("belong together")));
        assert!(rotation.repeated_ranges(&now("2.0", &["10.0.0.0/16"], &[])).is_err());
        let given = task("patch: {peer_cidrs: [10.9.0.0/16]}");
        assert_eq!(given.repeated_ranges(&pairs), Ok(None));
    }

    #[test]
    fn a_body_has_the_patch_the_ranges_and_the_key() {
        let key = PreSharedKey::parse("a \"quoted\" key").expect("a key");
        let read = |body: Bytes| serde_json::from_slice::<Value>(&body).expect("JSON");
        let rotation = task("generate: pre_shared_key");
        assert_eq!(
            read(rotation.body(None, Some(&key))),
            serde_json::json!({"pre_shared_key": "a \"quoted\" key"})
        );
        let both = task("patch: {name: hq, pre_shared_key: given}");
        assert_eq!(
            read(both.body(Some(&["10.0.0.0/8".to_owned()]), None)),
            serde_json::json!({"name": "hq", "pre_shared_key": "given", "peer_cidrs": ["10.0.0.0/8"]})
        );
        let back = Task { wanted: Wanted::Rollback(Uuid::from_u128(1)), ..both };
        assert_eq!(read(back.body(None, None)), serde_json::json!({}));
    }
}
