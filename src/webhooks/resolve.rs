//! Resolves the names of receivers. A name does not lead to a link-local address: clouds have their metadata services there,
//! and the owner of the name could send events to them. An address in the URL itself is not resolved.

use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;

/// The system's resolver without link-local addresses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resolver;

/// The name has other addresses than a receiver may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name has link-local addresses only; a webhook reaches such an address only if its url contains the address"
)]
struct LinkLocal;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = lookup_host((name.as_str(), 0)).await?;
            let addresses: Addrs = Box::new(allowed(found)?.into_iter());
            Ok(addresses)
        })
    }
}

fn allowed(found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, LinkLocal> {
    let allowed: Vec<SocketAddr> = found.filter(|address| !is_link_local(address.ip())).collect();
    if allowed.is_empty() { Err(LinkLocal) } else { Ok(allowed) }
}

fn is_link_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(addresses: &[&str]) -> Result<Vec<SocketAddr>, LinkLocal> {
        allowed(addresses.iter().map(|address| SocketAddr::new(address.parse().expect("an address"), 0)))
    }

    #[test]
    fn a_name_does_not_lead_to_a_link_local_address() {
        for address in ["169.254.0.23", "169.254.169.254", "fe80::1", "febf::1", "::ffff:169.254.169.254"] {
            assert_eq!(of(&[address]), Err(LinkLocal), "{address}");
        }
        let both = of(&["169.254.169.254", "192.0.2.1"]);
        assert_eq!(both, of(&["192.0.2.1"]), "the others are reached");
    }

    #[test]
    fn a_name_may_lead_to_a_private_address() {
        for address in
            ["10.0.0.1", "192.168.1.1", "127.0.0.1", "::1", "fd00::1", "203.0.113.1", "2001:db8::1"]
        {
            assert_eq!(of(&[address]).map(|found| found.len()), Ok(1), "{address}");
        }
    }
}
