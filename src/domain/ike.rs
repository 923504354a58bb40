//! IKE (phase 1) settings of a tunnel.

use std::ops::RangeInclusive;

use super::api::Api;
use super::overlay::{self, overlay};
use super::wire_words::wire_words;

/// The shortest and longest IKE SA lifetime, in seconds (both APIs).
pub const SA_LIFETIME_SECONDS: RangeInclusive<u64> = 60..=604_800;
/// The longest FQDN identity, in characters (the limit of a DNS name).
pub const MAX_FQDN_LENGTH: usize = 255;

wire_words! {
    /// IKE encryption (`propoEncryAlgorithm`).
    pub enum IkeEncryption {
        TripleDesCbc = "3des-cbc" (v2 "3des-cbc", v3 "3DES-CBC"),
        AesCbc128 = "aes-cbc-128" (v2 "aes-cbc-128", v3 "AES-CBC-128"),
        AesCbc192 = "aes-cbc-192" (v2 "aes-cbc-192", v3 "AES-CBC-192"),
        AesCbc256 = "aes-cbc-256" (v2 "aes-cbc-256", v3 "AES-CBC-256"),
        DesCbc = "des-cbc" (v2 "des-cbc", v3 "DES-CBC"),
        Sm4 = "sm4" (v3 "SM4"),
        AesGcm128 = "aes-gcm-128" (v3 "AES128GCM128"),
        AesGcm192 = "aes-gcm-192" (v3 "AES192GCM128"),
        AesGcm256 = "aes-gcm-256" (v3 "AES256GCM128"),
    }
}

wire_words! {
    /// IKE authentication (`propoAuthenAlgorithm`); `sha` is SHA-1.
    pub enum IkeAuthentication {
        Md5 = "md5" (v2 "md5", v3 "MD5"),
        Sha = "sha" (v2 "sha", v3 "SHA", also "sha1"),
        Sha256 = "sha-256" (v3 "SHA-256"),
        Sha512 = "sha-512" (v3 "SHA-512"),
    }
}

wire_words! {
    /// IKE exchange mode (`exchangeMode`).
    pub enum ExchangeMode {
        Main = "main" (v2 "main", v3 "MAIN"),
        Aggressive = "aggressive" (v2 "aggressive", v3 "AGGRESSIVE"),
    }
}

wire_words! {
    /// Diffie-Hellman group of IKE (`dhGroupName`).
    pub enum DhGroup {
        Group1 = "group1" (v2 "group1", v3 "GROUP1"),
        Group2 = "group2" (v2 "group2", v3 "GROUP2"),
        Group5 = "group5" (v2 "group5", v3 "GROUP5"),
        Group14 = "group14" (v2 "group14", v3 "GROUP14"),
        Group15 = "group15" (v3 "GROUP15"),
        Group16 = "group16" (v3 "GROUP16"),
        Group19 = "group19" (v3 "GROUP19"),
        Group20 = "group20" (v3 "GROUP20"),
        Group21 = "group21" (v3 "GROUP21"),
        Group24 = "group24" (v2 "group24", v3 "GROUP24"),
    }
}

wire_words! {
    /// The type of identity (`localIdentity`, `remoteIdentity`).
    pub enum IdentityType {
        Address = "address" (v2 "address", v3 "ADDRESS"),
        Fqdn = "fqdn" (v2 "fqdn", v3 "FQDN"),
    }
}

wire_words! {
    /// The version of IKE (`IKEVersion`).
    pub enum IkeVersion {
        Ikev1 = "ikev1" (v3 "IKEV1"),
        Ikev2 = "ikev2" (v3 "IKEV2"),
    }
}

/// IKE settings: what a patch gives, what the cloud shows, or what is sent. They are texts in our words, because the
/// gateway keeps a setting of the cloud even if it does not know the value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IkeSettings {
    /// API 3.0 only.
    pub version: Option<String>,
    pub encryption_algorithm: Option<String>,
    pub authentication_algorithm: Option<String>,
    pub exchange_mode: Option<String>,
    /// `address` or `fqdn`.
    pub local_identity: Option<String>,
    /// Without it, an identity of type `address` is the gateway's public IP.
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

impl IkeSettings {
    /// These settings with those of `over` in their place.
    #[must_use]
    pub fn overlaid(mut self, over: &Self) -> Self {
        overlay!(self, over: version, encryption_algorithm, authentication_algorithm, exchange_mode, dh_group,
            sa_lifetime_seconds);
        // An identity is one value with three settings.
        if over.local_identity.is_some() {
            self.local_identity.clone_from(&over.local_identity);
            self.local_address.clone_from(&over.local_address);
            self.local_fqdn.clone_from(&over.local_fqdn);
        }
        if over.remote_identity.is_some() {
            self.remote_identity.clone_from(&over.remote_identity);
            self.remote_address.clone_from(&over.remote_address);
            self.remote_fqdn.clone_from(&over.remote_fqdn);
        }
        self
    }

    /// The first setting that is missing for a whole group in a call of the API.
    #[must_use]
    pub fn missing(&self, api: Api) -> Option<&'static str> {
        let is_fqdn = |identity: &Option<String>| identity.as_deref() == Some("fqdn");
        // Without a local address the cloud uses the gateway's own.
        let local = if is_fqdn(&self.local_identity) { &self.local_fqdn } else { &self.local_identity };
        let remote = if is_fqdn(&self.remote_identity) {
            ("remote_identity.fqdn", &self.remote_fqdn)
        } else {
            ("remote_identity.address", &self.remote_address)
        };
        overlay::missing(&[
            ("encryption_algorithm", &self.encryption_algorithm),
            ("authentication_algorithm", &self.authentication_algorithm),
            ("exchange_mode", &self.exchange_mode),
            ("dh_group", &self.dh_group),
            ("sa_lifetime_seconds", &self.sa_lifetime_seconds),
            ("local_identity", &self.local_identity),
            ("local_identity.fqdn", local),
            ("remote_identity", &self.remote_identity),
            remote,
        ])
        .or_else(|| (api == Api::V3 && self.version.is_none()).then_some("version"))
    }
}
