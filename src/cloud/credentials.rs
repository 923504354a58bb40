//! The credentials of an account.

use secrecy::{ExposeSecret, SecretString};

use crate::domain::secret::PreSharedKey;

/// The credentials that sign the calls of an account.
#[derive(Clone)]
pub struct Credentials {
    pub secret_id: String,
    pub secret_key: SecretString,
    /// Only with temporary credentials.
    pub token: Option<SecretString>,
}

impl PartialEq for Credentials {
    fn eq(&self, other: &Self) -> bool {
        self.secrets(None) == other.secrets(None)
    }
}

impl Eq for Credentials {}

impl Credentials {
    /// The secrets that a call contains or is signed with.
    pub(super) fn secrets<'a>(&'a self, key: Option<&'a PreSharedKey>) -> Vec<&'a str> {
        let token = self.token.as_ref().map(ExposeSecret::expose_secret);
        let key = key.map(PreSharedKey::expose);
        let signing = [self.secret_key.expose_secret(), self.secret_id.as_str()];
        key.into_iter().chain(token).chain(signing).collect()
    }
}
