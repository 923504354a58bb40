//! Addresses to listen on.

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};

/// Parses `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, or `:8080` for all IPv4 addresses of this machine.
///
/// # Errors
/// If the text is none of them, or the name has no address.
pub fn parse(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let expected =
        || "must be an address and a port, such as 127.0.0.1:8080, localhost:8080 or :8080".to_owned();
    let (name, port) = text.rsplit_once(':').ok_or_else(expected)?;
    let port: u16 = port.parse().map_err(|_| expected())?;
    if name.is_empty() {
        return Ok((Ipv4Addr::UNSPECIFIED, port).into());
    }
    if name.contains([':', '[', ']', '/']) || name.contains(char::is_whitespace) {
        return Err(expected());
    }
    let mut addresses =
        (name, port).to_socket_addrs().map_err(|error| format!("can't look up the name {name}: {error}"))?;
    addresses.next().ok_or_else(|| format!("the name {name} has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_and_a_name_are_addresses_too() {
        let of = |text: &str| parse(text).map(|address| (address.ip().is_loopback(), address.port()));
        assert_eq!(of("127.0.0.1:1"), Ok((true, 1)));
        assert_eq!(of("[::1]:2"), Ok((true, 2)));
        assert_eq!(of("localhost:3"), Ok((true, 3)));
        assert_eq!(parse(":4"), Ok(([0, 0, 0, 0], 4).into()));
        for wrong in [
            "",
            "8080",
            "127.0.0.1",
            "localhost",
            ":http",
            "::1:5:",
            "http://localhost:80",
            "a b:1",
            ":70000",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
