//! IPv4 ranges. Host bits may be set, as in the cloud's own examples (`10.0.0.5/24`).

use std::fmt;

use ipnet::Ipv4Net;
use serde::Serialize;

/// An IPv4 range. It prints exactly the text it was parsed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ipv4Cidr(Ipv4Net);

/// The text is not an IPv4 range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an IPv4 range such as 10.100.2.0/24")]
pub struct InvalidCidr;

impl Ipv4Cidr {
    /// The range without its host bits, to compare ranges by.
    #[must_use]
    pub fn network(&self) -> Ipv4Net {
        self.0.trunc()
    }
}

impl std::str::FromStr for Ipv4Cidr {
    type Err = InvalidCidr;

    fn from_str(text: &str) -> Result<Self, InvalidCidr> {
        let range: Ipv4Net = text.parse().map_err(|_| InvalidCidr)?;
        // Some programs read leading zeros as octal, so only the canonical notation is accepted.
        if range.to_string() == text { Ok(Self(range)) } else { Err(InvalidCidr) }
    }
}

impl fmt::Display for Ipv4Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Ipv4Cidr {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_bits_stay_as_written() {
        let range: Result<Ipv4Cidr, _> = "10.0.0.5/24".parse();
        assert_eq!(range.map(|r| r.to_string()), Ok("10.0.0.5/24".to_owned()));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "10.0.0.0",
            "10.0.0.0/33",
            "10.0.0/8",
            "::/0",
            "010.0.0.0/8",
            " 10.0.0.0/8",
            "10.0.0.0/+8",
            "10.0.0.0/08",
        ] {
            assert_eq!(text.parse::<Ipv4Cidr>(), Err(InvalidCidr), "{text:?}");
        }
    }
}
