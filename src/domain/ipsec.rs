//! IPsec (phase 2) settings of a tunnel.

use super::words::words;

/// The shortest and longest IPsec SA lifetime, in seconds (API 2.0, ModifyVpnConnEx).
pub const SA_LIFETIME_SECONDS: std::ops::RangeInclusive<u32> = 180..=604_800;
/// The smallest and largest IPsec SA lifetime, in kilobytes (API 2.0, ModifyVpnConnEx).
pub const SA_LIFETIME_KILOBYTES: std::ops::RangeInclusive<u32> = 2560..=604_800;
/// A second spelling of `none` that a patch may use: the text `null`, not JSON's null.
pub const NONE_ALIAS: &str = "null";
/// A second spelling of `sha` that a patch may use.
pub const SHA_ALIAS: &str = "sha1";

words! {
    /// IPsec encryption (`encryptAlgorithm`); `none` is the cloud's word `null`.
    pub enum IpsecEncryption {
        TripleDesCbc = "3des-cbc",
        AesCbc128 = "aes-cbc-128",
        AesCbc192 = "aes-cbc-192",
        AesCbc256 = "aes-cbc-256",
        DesCbc = "des-cbc",
        None = "none",
    }
}

words! {
    /// IPsec integrity (`integrityAlgorith`, sic); `sha` is SHA-1, which the cloud answers as `sha1`.
    pub enum IpsecIntegrity {
        Md5 = "md5",
        Sha = "sha",
    }
}

words! {
    /// Diffie-Hellman group of perfect forward secrecy (`pfsDhGroup`); `none` is the cloud's word `null`.
    pub enum PfsDhGroup {
        None = "none",
        DhGroup1 = "dh-group1",
        DhGroup2 = "dh-group2",
        DhGroup5 = "dh-group5",
        DhGroup14 = "dh-group14",
        DhGroup24 = "dh-group24",
    }
}

/// The IPsec part of a patch: what is `None` was not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IpsecPatch {
    pub encryption_algorithm: Option<IpsecEncryption>,
    pub integrity_algorithm: Option<IpsecIntegrity>,
    pub sa_lifetime_seconds: Option<u32>,
    pub sa_lifetime_kilobytes: Option<u32>,
    pub pfs_dh_group: Option<PfsDhGroup>,
}

impl IpsecPatch {
    /// True if every field is given, so that nothing has to be read before it is sent.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.encryption_algorithm.is_some()
            && self.integrity_algorithm.is_some()
            && self.sa_lifetime_seconds.is_some()
            && self.sa_lifetime_kilobytes.is_some()
            && self.pfs_dh_group.is_some()
    }
}

/// IPsec settings in our words (`none`, `sha`) but as free text: as the cloud has them, or as they will be sent.
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
