//! The three ids of a path, in the cloud's unified form (`vpc-03vihbk9`) or its older one (`gz_vpc_8849`).

use std::fmt;

use serde::Serialize;

/// The longest id, in characters.
pub const MAX_ID_LENGTH: usize = 64;
/// The rule for ids as a regular expression, for the OpenAPI document.
pub const ID_PATTERN: &str = "^[A-Za-z0-9_-]{1,64}$";

/// The text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 64 characters of A-Z a-z 0-9 _ -")]
pub struct InvalidId;

macro_rules! id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
                if text.is_empty() || text.len() > MAX_ID_LENGTH || !text.bytes().all(allowed) {
                    return Err(InvalidId);
                }
                Ok(Self(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// A VPC (`vpcId`).
    VpcId
}
id! {
    /// A VPN gateway (`vpnGwId`).
    GatewayId
}
id! {
    /// A VPN tunnel (`vpnConnId`).
    TunnelId
}
id! {
    /// A customer gateway, the peer's device (`CustomerGatewayId`).
    CustomerGatewayId
}

/// The path of a tunnel: its VPC, its gateway and the tunnel itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct TunnelPath {
    pub vpc_id: VpcId,
    pub gateway_id: GatewayId,
    pub tunnel_id: TunnelId,
}

impl TunnelPath {
    /// True if the VPC's and the tunnel's ids are unified ids. Each VPC and each tunnel has exactly one unified id.
    #[must_use]
    pub fn is_unified(&self) -> bool {
        self.vpc_id.as_str().starts_with("vpc-") && self.tunnel_id.as_str().starts_with("vpnx-")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_cloud_are_ids() {
        assert!("vpc-03vihbk9".parse::<VpcId>().is_ok());
        assert!("gz_vpc_8849".parse::<VpcId>().is_ok());
        assert!("a".repeat(MAX_ID_LENGTH).parse::<TunnelId>().is_ok());
    }

    #[test]
    fn what_could_leave_its_place_is_no_id() {
        let too_long = "a".repeat(MAX_ID_LENGTH + 1);
        for text in ["", "a&vpnGwId=b", "a b", "vpc.1", "ü", "a/b", "@a", &too_long] {
            assert_eq!(text.parse::<GatewayId>(), Err(InvalidId), "{text}");
        }
    }
}
