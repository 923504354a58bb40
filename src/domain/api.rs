//! The versions of the cloud's API that the gateway speaks.

use super::words::words;

words! {
    /// A version of the cloud's API.
    pub enum Api {
        /// `ModifyVpnConnEx` and its kind.
        V2 = "2.0",
        /// `ModifyVpnConnectionAttribute` and its kind.
        V3 = "3.0",
    }
}
