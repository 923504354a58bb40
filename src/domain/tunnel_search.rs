//! A search for tunnels by a part of what they show.

use super::tunnel::Tunnel;

/// The longest text of a search, in characters. Longer than every id, name, address and range.
pub const MAX_SEARCH: usize = 128;

/// A text that a tunnel's name, ids, addresses or ranges may contain, in any letter case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search(String);

/// The text is empty or too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {MAX_SEARCH} characters")]
pub struct InvalidSearch;

impl std::str::FromStr for Search {
    type Err = InvalidSearch;

    fn from_str(text: &str) -> Result<Self, InvalidSearch> {
        match text.chars().count() {
            1..=MAX_SEARCH => Ok(Self(text.to_lowercase())),
            _ => Err(InvalidSearch),
        }
    }
}

impl Search {
    /// The text in small letters. Searches for the same tunnels have the same text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if the tunnel has the text in its name, in an id of either form, in an address of either end, or in a range.
    #[must_use]
    pub fn finds(&self, tunnel: &Tunnel) -> bool {
        let policies = tunnel.security_policies.iter().flatten();
        let lists = [&tunnel.vpc_ids, &tunnel.gateway_ids, &tunnel.tunnel_ids];
        let texts =
            [&tunnel.name, &tunnel.customer_gateway_id, &tunnel.gateway_address, &tunnel.peer_address];
        let ranges = [&tunnel.local_cidrs, &tunnel.peer_cidrs];
        lists
            .into_iter()
            .flatten()
            .chain(texts.into_iter().flatten())
            .chain(ranges.into_iter().flatten().flatten())
            .chain(policies.flat_map(|policy| policy.peer_cidrs.iter().chain([&policy.local_cidr])))
            .any(|text| text.to_lowercase().contains(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::ShownPolicy;
    use crate::domain::secret::PreSharedKey;

    #[test]
    fn every_part_that_a_tunnel_shows_is_searched_and_its_key_is_not() {
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>();
        let tunnel = Tunnel {
            vpc_ids: list(&["vpc-03vihbk9", "gz_vpc_8849"]),
            gateway_ids: list(&["vpngw-kfldykuz", "547"]),
            tunnel_ids: list(&["vpnx-ol6bcqp0", "399"]),
            name: Some("Größe HQ".into()),
            pre_shared_key: Some(PreSharedKey::from_cloud("tencenttest")),
            gateway_address: Some("203.0.113.10".into()),
            peer_address: Some("198.51.100.7".into()),
            customer_gateway_id: Some("cgw-mgp33pll".into()),
            local_cidrs: Some(list(&["10.0.0.0/16"])),
            peer_cidrs: Some(list(&["172.16.0.0/16"])),
            security_policies: Some(vec![ShownPolicy {
                local_cidr: "10.1.0.0/16".into(),
                peer_cidrs: list(&["192.168.7.0/24"]),
            }]),
            ..Tunnel::default()
        };
        for text in [
            "03VIHBK9",
            "gz_vpc",
            "kfld",
            "547",
            "OL6",
            "399",
            "gRÖß",
            "hq",
            "203.0.113.10",
            "198.51",
            "mgp33",
            "10.0.0.0/16",
            "172.16",
            "10.1.0.0/16",
            "192.168.7.0/24",
        ] {
            assert!(text.parse::<Search>().expect("a search").finds(&tunnel), "{text}");
        }
        for text in ["tencenttest", "vpc-04", "10.0.0.0/8", " hq "] {
            assert!(!text.parse::<Search>().expect("a search").finds(&tunnel), "{text}");
        }
    }

    #[test]
    fn a_search_has_a_length() {
        for text in [String::new(), "ö".repeat(MAX_SEARCH + 1)] {
            assert_eq!(text.parse::<Search>(), Err(InvalidSearch), "{text}");
        }
        assert!("ö".repeat(MAX_SEARCH).parse::<Search>().is_ok());
    }
}
