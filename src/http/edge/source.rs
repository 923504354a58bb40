//! The address of a request's client: the peer, or the client that a trusted proxy names.

use std::net::{IpAddr, Ipv6Addr};

use actix_web::http::header::HeaderMap;

use super::settings::{Edge, ForwardedHeader};

impl Edge {
    /// The address of a request's client. Proxies append addresses, so the client is the last address that is not a trusted
    /// proxy; the client itself can forge all addresses before it.
    #[must_use]
    pub fn source(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut source = peer.to_canonical();
        if self.trusted_proxies.is_empty() || !self.trusts(source) {
            return source;
        }
        let name = match self.forwarded_header {
            ForwardedHeader::XForwardedFor => "x-forwarded-for",
            ForwardedHeader::Forwarded => "forwarded",
        };
        let values: Vec<&str> =
            headers.get_all(name).map(|value| value.to_str().unwrap_or_default()).collect();
        for hop in values.iter().rev().flat_map(|value| value.rsplit(',')) {
            let address = match self.forwarded_header {
                ForwardedHeader::XForwardedFor => address(hop.trim()),
                ForwardedHeader::Forwarded => forwarded_for(hop).and_then(address),
            };
            // An unreadable address ends the trusted part of the chain.
            let Some(address) = address else { return source };
            source = address.to_canonical();
            if !self.trusts(source) {
                return source;
            }
        }
        source
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|proxies| proxies.contains(&address))
    }
}

/// The `for` of one element of `Forwarded`, without quotes.
fn forwarded_for(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
    })
}

/// An address with or without a port: `198.51.100.7`, `198.51.100.7:4711`, `2001:db8::1`, `[2001:db8::1]:4711`.
fn address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (address, _port) = rest.split_once(']')?;
        return address.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    let (address, port) = text.split_once(':')?;
    port.parse::<u16>().ok()?;
    address.parse().ok()
}

/// The network that counts as one client: an IPv6 subscriber has at least 2^64 addresses.
#[must_use]
pub fn client_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn source(kind: ForwardedHeader, peer: &str, headers: &[(&str, &str)]) -> IpAddr {
        let proxies = ["10.0.0.0/8", "2001:db8:1::/48"].map(|net| net.parse().expect("a network"));
        let edge = Edge { trusted_proxies: proxies.to_vec(), forwarded_header: kind, ..Edge::default() };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().expect("a name");
            map.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        edge.source(ip(peer), &map)
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let claim = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")];
        assert_eq!(source(ForwardedHeader::XForwardedFor, "198.51.100.7", &claim), ip("198.51.100.7"));
        let nobody = Edge::default();
        assert_eq!(nobody.source(ip("10.0.0.1"), &HeaderMap::new()), ip("10.0.0.1"));
    }

    #[test]
    fn the_last_address_that_is_no_proxy_counts() {
        let cases: &[(&[&str], &str)] = &[
            (&["198.51.100.7"], "198.51.100.7"),
            (&["192.0.2.66, 198.51.100.7, 10.1.1.1"], "198.51.100.7"),
            (&["192.0.2.66", "198.51.100.7, 10.1.1.1"], "198.51.100.7"),
            (&["198.51.100.7:4711"], "198.51.100.7"),
            (&["[2001:db8:9::1]:4711"], "2001:db8:9::1"),
            (&["2001:db8:9::1, 2001:db8:1::5"], "2001:db8:9::1"),
            (&["::ffff:198.51.100.7"], "198.51.100.7"),
            (&["10.9.9.9"], "10.9.9.9"),
            (&[], "10.0.0.1"),
            (&["198.51.100.7, unknown"], "10.0.0.1"),
            (&["198.51.100.7, garbage, 10.1.1.1"], "10.1.1.1"),
            (&["198.51.100.7,"], "10.0.0.1"),
        ];
        for (values, expected) in cases {
            let headers: Vec<_> = values.iter().map(|value| ("x-forwarded-for", *value)).collect();
            let found = source(ForwardedHeader::XForwardedFor, "10.0.0.1", &headers);
            assert_eq!(found, ip(expected), "{values:?}");
        }
    }

    #[test]
    fn the_standard_header_is_read_where_it_is_the_one_that_counts() {
        let cases = [
            ("for=198.51.100.7;proto=https;by=10.0.0.1", "198.51.100.7"),
            ("for=192.0.2.66, For=\"[2001:db8:9::1]:4711\"", "2001:db8:9::1"),
            ("for=198.51.100.7, for=10.2.2.2", "198.51.100.7"),
            ("for=198.51.100.7, for=_hidden", "10.0.0.1"),
            ("proto=https", "10.0.0.1"),
        ];
        for (value, expected) in cases {
            let headers = [("forwarded", value), ("x-forwarded-for", "192.0.2.99")];
            assert_eq!(source(ForwardedHeader::Forwarded, "10.0.0.1", &headers), ip(expected), "{value}");
        }
        let forged = [("forwarded", "for=192.0.2.99"), ("x-forwarded-for", "198.51.100.7")];
        assert_eq!(source(ForwardedHeader::XForwardedFor, "10.0.0.1", &forged), ip("198.51.100.7"));
    }

    #[test]
    fn an_ipv6_subscriber_is_one_caller() {
        assert_eq!(client_network(ip("2001:db8::1:2:3:4")), client_network(ip("2001:db8::5")));
        assert_ne!(client_network(ip("2001:db8:0:1::1")), client_network(ip("2001:db8::1")));
        assert_ne!(client_network(ip("198.51.100.7")), client_network(ip("198.51.100.8")));
    }
}
