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
    /// IPsec encryption (`encryptAlgorithm`).
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
    /// IPsec integrity (`integrityAlgorith`, sic); `sha` is SHA-1.
    pub enum IpsecIntegrity {
        Md5 = "md5",
        Sha = "sha",
    }
}

words! {
    /// Diffie-Hellman group of perfect forward secrecy (`pfsDhGroup`).
    pub enum PfsDhGroup {
        None = "none",
        DhGroup1 = "dh-group1",
        DhGroup2 = "dh-group2",
        DhGroup5 = "dh-group5",
        DhGroup14 = "dh-group14",
        DhGroup24 = "dh-group24",
    }
}

/// The IPsec part of a patch. The patch does not change a field that is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IpsecPatch {
    pub encryption_algorithm: Option<IpsecEncryption>,
    pub integrity_algorithm: Option<IpsecIntegrity>,
    pub sa_lifetime_seconds: Option<u32>,
    pub sa_lifetime_kilobytes: Option<u32>,
    pub pfs_dh_group: Option<PfsDhGroup>,
}

impl IpsecPatch {
    /// True if the patch gives every field, so that no field has to be read from the tunnel first.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.encryption_algorithm.is_some()
            && self.integrity_algorithm.is_some()
            && self.sa_lifetime_seconds.is_some()
            && self.sa_lifetime_kilobytes.is_some()
            && self.pfs_dh_group.is_some()
    }
}

/// IPsec settings, read from the cloud or about to be sent. They are texts in the words of a patch (`none`, `sha`),
/// because a merge must keep a setting of the cloud even if a patch may not ask for it.
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
