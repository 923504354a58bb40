//! IPsec (phase 2) settings of a tunnel.

use std::ops::RangeInclusive;

use super::api::Api;
use super::overlay::{self, overlay};
use super::wire_words::wire_words;

/// The shortest and longest IPsec SA lifetime, in seconds (both APIs).
pub const SA_LIFETIME_SECONDS: RangeInclusive<u64> = 180..=604_800;

/// The smallest and largest IPsec SA lifetime, in kilobytes.
#[must_use]
pub const fn sa_lifetime_kilobytes(api: Api) -> RangeInclusive<u64> {
    match api {
        Api::V2 => 2560..=604_800,
        Api::V3 => 2560..=4_294_967_295,
    }
}

wire_words! {
    /// IPsec encryption (`encryptAlgorithm`).
    pub enum IpsecEncryption {
        TripleDesCbc = "3des-cbc" (v2 "3des-cbc", v3 "3DES-CBC"),
        AesCbc128 = "aes-cbc-128" (v2 "aes-cbc-128", v3 "AES-CBC-128"),
        AesCbc192 = "aes-cbc-192" (v2 "aes-cbc-192", v3 "AES-CBC-192"),
        AesCbc256 = "aes-cbc-256" (v2 "aes-cbc-256", v3 "AES-CBC-256"),
        DesCbc = "des-cbc" (v2 "des-cbc", v3 "DES-CBC"),
        Sm4 = "sm4" (v3 "SM4"),
        AesGcm128 = "aes-gcm-128" (v3 "AES128GCM128"),
        AesGcm192 = "aes-gcm-192" (v3 "AES192GCM128"),
        AesGcm256 = "aes-gcm-256" (v3 "AES256GCM128"),
        None = "none" (v2 "null", v3 "NULL"),
    }
}

wire_words! {
    /// IPsec integrity (`integrityAlgorith`, sic); `sha` is SHA-1. API 2.0 takes `sha` and answers `sha1`.
    pub enum IpsecIntegrity {
        Md5 = "md5" (v2 "md5", v3 "MD5"),
        Sha = "sha" (v2 "sha", v3 "SHA1"),
        Sha256 = "sha-256" (v3 "SHA-256"),
        Sha384 = "sha-384" (v3 "SHA-384"),
        Sha512 = "sha-512" (v3 "SHA-512"),
        Sm3 = "sm3" (v3 "SM3"),
    }
}

wire_words! {
    /// Diffie-Hellman group of perfect forward secrecy (`pfsDhGroup`).
    pub enum PfsDhGroup {
        None = "none" (v2 "null", v3 "NULL"),
        DhGroup1 = "dh-group1" (v2 "dh-group1", v3 "DH-GROUP1"),
        DhGroup2 = "dh-group2" (v2 "dh-group2", v3 "DH-GROUP2"),
        DhGroup5 = "dh-group5" (v2 "dh-group5", v3 "DH-GROUP5"),
        DhGroup14 = "dh-group14" (v2 "dh-group14", v3 "DH-GROUP14"),
        DhGroup15 = "dh-group15" (v3 "DH-GROUP15"),
        DhGroup16 = "dh-group16" (v3 "DH-GROUP16"),
        DhGroup19 = "dh-group19" (v3 "DH-GROUP19"),
        DhGroup20 = "dh-group20" (v3 "DH-GROUP20"),
        DhGroup21 = "dh-group21" (v3 "DH-GROUP21"),
        DhGroup24 = "dh-group24" (v2 "dh-group24", v3 "DH-GROUP24"),
    }
}

/// IPsec settings: what a patch gives, what the cloud shows, or what is sent. They are texts in our words, because the
/// gateway keeps a setting of the cloud even if it does not know the value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IpsecSettings {
    pub encryption_algorithm: Option<String>,
    pub integrity_algorithm: Option<String>,
    /// Seconds, in digits.
    pub sa_lifetime_seconds: Option<String>,
    /// Kilobytes, in digits.
    pub sa_lifetime_kilobytes: Option<String>,
    pub pfs_dh_group: Option<String>,
}

impl IpsecSettings {
    /// These settings with those of `over` in their place.
    #[must_use]
    pub fn overlaid(mut self, over: &Self) -> Self {
        overlay!(self, over: encryption_algorithm, integrity_algorithm, sa_lifetime_seconds, sa_lifetime_kilobytes,
            pfs_dh_group);
        self
    }

    /// The first setting that is missing for a whole group.
    #[must_use]
    pub fn missing(&self) -> Option<&'static str> {
        overlay::missing(&[
            ("encryption_algorithm", &self.encryption_algorithm),
            ("integrity_algorithm", &self.integrity_algorithm),
            ("sa_lifetime_seconds", &self.sa_lifetime_seconds),
            ("sa_lifetime_kilobytes", &self.sa_lifetime_kilobytes),
            ("pfs_dh_group", &self.pfs_dh_group),
        ])
    }
}
