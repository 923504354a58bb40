//! IKE (phase 1) settings of a tunnel.

use std::net::Ipv4Addr;

use super::words::words;

/// The shortest and longest IKE SA lifetime, in seconds (API 2.0, ModifyVpnConnEx).
pub const SA_LIFETIME_SECONDS: std::ops::RangeInclusive<u32> = 60..=604_800;
/// The longest FQDN identity, in characters (the limit of a DNS name).
pub const MAX_FQDN_LENGTH: usize = 255;

words! {
    /// IKE encryption (`propoEncryAlgorithm`).
    pub enum IkeEncryption {
        TripleDesCbc = "3des-cbc",
        AesCbc128 = "aes-cbc-128",
        AesCbc192 = "aes-cbc-192",
        AesCbc256 = "aes-cbc-256",
        DesCbc = "des-cbc",
    }
}

words! {
    /// IKE authentication (`propoAuthenAlgorithm`); `sha` is SHA-1.
    pub enum IkeAuthentication {
        Md5 = "md5",
        Sha = "sha",
    }
}

words! {
    /// IKE exchange mode (`exchangeMode`).
    pub enum ExchangeMode {
        Main = "main",
        Aggressive = "aggressive",
    }
}

words! {
    /// Diffie-Hellman group of IKE (`dhGroupName`).
    pub enum DhGroup {
        Group1 = "group1",
        Group2 = "group2",
        Group5 = "group5",
        Group14 = "group14",
        Group24 = "group24",
    }
}

words! {
    /// The type of identity (`localIdentity`, `remoteIdentity`).
    pub enum IdentityType {
        Address = "address",
        Fqdn = "fqdn",
    }
}

/// The identity of one side of the tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// An address. `None`, on the local side only, means the gateway's public IP.
    Address(Option<Ipv4Addr>),
    /// A fully qualified domain name.
    Fqdn(String),
}

impl Identity {
    /// The type of this identity.
    #[must_use]
    pub const fn kind(&self) -> IdentityType {
        match self {
            Self::Address(_) => IdentityType::Address,
            Self::Fqdn(_) => IdentityType::Fqdn,
        }
    }
}

/// The IKE part of a patch. The patch does not change a field that is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IkePatch {
    pub encryption_algorithm: Option<IkeEncryption>,
    pub authentication_algorithm: Option<IkeAuthentication>,
    pub exchange_mode: Option<ExchangeMode>,
    pub local_identity: Option<Identity>,
    pub remote_identity: Option<Identity>,
    pub dh_group: Option<DhGroup>,
    pub sa_lifetime_seconds: Option<u32>,
}

impl IkePatch {
    /// True if the patch gives every field, so that no field has to be read from the tunnel first.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.encryption_algorithm.is_some()
            && self.authentication_algorithm.is_some()
            && self.exchange_mode.is_some()
            && self.local_identity.is_some()
            && self.remote_identity.is_some()
            && self.dh_group.is_some()
            && self.sa_lifetime_seconds.is_some()
    }
}

/// IKE settings, read from the cloud or about to be sent. They are texts in the words of a patch, because a merge must
/// keep a setting of the cloud even if a patch may not ask for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IkeSettings {
    pub encryption_algorithm: Option<String>,
    pub authentication_algorithm: Option<String>,
    pub exchange_mode: Option<String>,
    /// `address` or `fqdn`.
    pub local_identity: Option<String>,
    pub local_address: Option<String>,
    pub local_fqdn: Option<String>,
    /// `address` or `fqdn`.
    pub remote_identity: Option<String>,
    pub remote_address: Option<String>,
    pub remote_fqdn: Option<String>,
    pub dh_group: Option<String>,
    /// Seconds, in digits.
    pub sa_lifetime_seconds: Option<String>,
}
