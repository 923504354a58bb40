//! The words of a tunnel's fields, each with its spelling in both versions of the API.

/// A word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    v2: Option<&'static str>,
    v3: &'static str,
}

impl Word {
    /// The word in an answer of API 2.0. A word that only API 3.0 has keeps its spelling of 3.0.
    pub(super) fn in_v2(self) -> &'static str {
        self.v2.unwrap_or(self.v3)
    }

    pub(super) const fn in_v3(self) -> &'static str {
        self.v3
    }

    /// The word that a call of API 2.0 gives.
    pub(super) fn from_v2(list: &[Self], text: &str) -> Option<Self> {
        list.iter().copied().find(|word| word.v2 == Some(text))
    }

    /// The word that a call of API 3.0 gives.
    pub(super) fn from_v3(list: &[Self], text: &str) -> Option<Self> {
        list.iter().copied().find(|word| word.v3 == text)
    }
}

const fn both(v2: &'static str, v3: &'static str) -> Word {
    Word { v2: Some(v2), v3 }
}

const fn v3(v3: &'static str) -> Word {
    Word { v2: None, v3 }
}

pub(super) const TRIPLE_DES: Word = both("3des-cbc", "3DES-CBC");
pub(super) const AES_128: Word = both("aes-cbc-128", "AES-CBC-128");
pub(super) const AES_256: Word = both("aes-cbc-256", "AES-CBC-256");
const AES_192: Word = both("aes-cbc-192", "AES-CBC-192");
const DES: Word = both("des-cbc", "DES-CBC");
const SM4: Word = v3("SM4");
const GCM_128: Word = v3("AES128GCM128");
const GCM_192: Word = v3("AES192GCM128");
const GCM_256: Word = v3("AES256GCM128");

pub(super) const IKE_CIPHERS: &[Word] =
    &[TRIPLE_DES, AES_128, AES_192, AES_256, DES, SM4, GCM_128, GCM_192, GCM_256];
pub(super) const IPSEC_CIPHERS: &[Word] =
    &[TRIPLE_DES, AES_128, AES_192, AES_256, DES, SM4, GCM_128, GCM_192, GCM_256, both("null", "NULL")];
/// The ciphers that need a gateway of version 4.0.
pub(super) const GCM: &[Word] = &[GCM_128, GCM_192, GCM_256];

pub(super) const MD5: Word = both("md5", "MD5");
pub(super) const IKE_SHA: Word = both("sha", "SHA");
pub(super) const IPSEC_SHA: Word = both("sha", "SHA1");
const SHA_256: Word = v3("SHA-256");
const SHA_512: Word = v3("SHA-512");

pub(super) const IKE_HASHES: &[Word] = &[MD5, IKE_SHA, SHA_256, SHA_512];
pub(super) const IPSEC_HASHES: &[Word] = &[MD5, IPSEC_SHA, SHA_256, v3("SHA-384"), SHA_512, v3("SM3")];
/// The values of `IntegrityAlgorithm`, the second field of API 3.0 for the same thing.
pub(super) const INTEGRITY_ALGORITHMS: &[Word] = &[MD5, IPSEC_SHA, SHA_256];

pub(super) const MAIN: Word = both("main", "MAIN");
pub(super) const EXCHANGES: &[Word] = &[MAIN, both("aggressive", "AGGRESSIVE")];

pub(super) const GROUP_1: Word = both("group1", "GROUP1");
pub(super) const GROUP_14: Word = both("group14", "GROUP14");
pub(super) const GROUPS: &[Word] = &[
    GROUP_1,
    both("group2", "GROUP2"),
    both("group5", "GROUP5"),
    GROUP_14,
    v3("GROUP15"),
    v3("GROUP16"),
    v3("GROUP19"),
    v3("GROUP20"),
    v3("GROUP21"),
    both("group24", "GROUP24"),
];

pub(super) const NO_PFS: Word = both("null", "NULL");
pub(super) const PFS_14: Word = both("dh-group14", "DH-GROUP14");
pub(super) const PFS: &[Word] = &[
    NO_PFS,
    both("dh-group1", "DH-GROUP1"),
    both("dh-group2", "DH-GROUP2"),
    both("dh-group5", "DH-GROUP5"),
    PFS_14,
    v3("DH-GROUP15"),
    v3("DH-GROUP16"),
    v3("DH-GROUP19"),
    v3("DH-GROUP20"),
    v3("DH-GROUP21"),
    both("dh-group24", "DH-GROUP24"),
];

pub(super) const IKE_V1: Word = v3("IKEV1");
pub(super) const IKE_VERSIONS: &[Word] = &[IKE_V1, v3("IKEV2")];

pub(super) const ACTIVE: Word = v3("active");
pub(super) const NEGOTIATION_TYPES: &[Word] = &[ACTIVE, v3("passive"), v3("flowTrigger")];

pub(super) const CLEAR: Word = v3("clear");
pub(super) const DPD_ACTIONS: &[Word] = &[CLEAR, v3("restart")];
