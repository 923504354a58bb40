//! Bearer tokens: an API key, or a token of an OIDC issuer.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::domain::principal::Principal;

use super::Service;
use super::identity::{InvalidToken, SignIn, TokenError};
use super::ledger::LedgerError;

/// Why a bearer token gives no principal.
#[derive(Debug)]
pub enum SignInError {
    /// No valid API key, and no JWT.
    Unknown,
    /// A JWT that is refused.
    Invalid(InvalidToken),
    /// A JWT whose issuer's keys can't be fetched.
    IssuerUnavailable {
        /// Until the next attempt.
        retry_after: Duration,
    },
    Ledger(LedgerError),
}

/// True if the token was meant as a JWT. No API key has a dot.
#[must_use]
pub fn is_jwt(token: &SecretString) -> bool {
    token.expose_secret().contains('.')
}

impl Service {
    /// The principal of a bearer token: an API key, or a JWT of an issuer.
    ///
    /// # Errors
    /// If the token is not valid, or that can't be determined now.
    pub async fn principal_of_token(&self, token: &SecretString) -> Result<Principal, SignInError> {
        if !is_jwt(token) {
            let found = self.principal_of_key(token).await.map_err(SignInError::Ledger)?;
            return found.ok_or(SignInError::Unknown);
        }
        self.identity.principal(token).await.map_err(|error| match error {
            TokenError::Invalid(reason) => SignInError::Invalid(reason),
            TokenError::IssuerUnavailable { retry_after } => SignInError::IssuerUnavailable { retry_after },
        })
    }

    /// A number that changes whenever the issuers or their grants do.
    #[must_use]
    pub fn identity_version(&self) -> u64 {
        self.identity.version()
    }

    /// The issuers that people sign in at with a browser.
    pub async fn sign_ins(&self) -> Vec<SignIn> {
        self.identity.sign_ins().await
    }

    /// The token endpoints of these issuers, as they were last read, however long ago.
    #[must_use]
    pub fn token_endpoints(&self) -> Vec<String> {
        self.identity.token_endpoints()
    }
}
