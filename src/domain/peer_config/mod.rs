//! The peer's side of a tunnel, as configuration of the programs and devices that people use there. The pre-shared key is
//! a placeholder: the gateway does not show keys.

mod cisco_ios;
mod faults;
mod juniper;
mod libreswan;
mod peer;
mod read;
mod routeros;
mod strongswan;
mod text;

use super::fault::Fault;
use super::ids::TunnelId;
use super::tunnel::Tunnel;
use super::words::words;

words! {
    /// A form of configuration.
    pub enum PeerFormat {
        /// `swanctl.conf` of strongSwan 5.9 and later.
        Strongswan = "strongswan",
        /// `ipsec.conf` of Libreswan 4.
        Libreswan = "libreswan",
        /// Commands of Cisco IOS and IOS XE.
        CiscoIos = "cisco-ios",
        /// `set` commands of Junos on SRX.
        Juniper = "juniper",
        /// Commands of MikroTik RouterOS 7.
        Routeros = "routeros",
    }
}

impl PeerFormat {
    /// The peer's side of the tunnel as it is now. `id` names it in the configuration.
    ///
    /// Both ends must agree on algorithms, groups, identities and ranges. Lifetimes, dead peer detection and who starts
    /// are each end's own: a format that lacks one has a comment in its place.
    ///
    /// # Errors
    /// Each setting that both ends must agree on and that the cloud does not show, that is unknown, or that the format does
    /// not have.
    pub fn of(self, tunnel: &Tunnel, id: &TunnelId) -> Result<String, Vec<Fault>> {
        let peer = read::peer(tunnel, id)?;
        match self {
            Self::Strongswan => strongswan::text(&peer),
            Self::Libreswan => libreswan::text(&peer),
            Self::CiscoIos => cisco_ios::text(&peer),
            Self::Juniper => juniper::text(&peer),
            Self::Routeros => routeros::text(&peer),
        }
    }
}

#[cfg(test)]
mod tests;
