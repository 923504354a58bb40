//! Callers that sign in at an OIDC issuer: the trait that verifies their tokens, and the reasons of refusals.

use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::domain::principal::Principal;

/// Declares the reasons with their texts.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $variant:ident = $word:literal, $description:literal;)+) => {
        /// Why a token of an issuer is refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum InvalidToken { $($(#[doc = $doc])* $variant),+ }

        impl InvalidToken {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The reason as a label of a metric.
            #[must_use]
            pub const fn reason(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The reason for the caller: constant text that fits `error_description` (RFC 6750), without any part of
            /// the token.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => $description),+ }
            }
        }
    };
}

reasons! {
    TooLong = "too_long", "the token is longer than 16384 bytes";
    Malformed = "malformed", "the token is not a signed JWT: header, claims and signature in base64url, separated by dots";
    UnknownIssuer = "unknown_issuer", "the token's iss is not an issuer that this gateway accepts";
    Type = "type", "the token's typ is neither JWT nor at+jwt";
    Critical = "critical", "the token's header has crit, and this gateway supports no critical header";
    Algorithm = "algorithm", "the token's alg is not RS256, PS256, ES256, ES384 or EdDSA";
    NoKeyId = "no_kid", "the token's header has no kid";
    UnknownKey = "unknown_kid", "the issuer publishes no key with the token's kid";
    OtherKey = "other_key", "the issuer's key with the token's kid is not a key for the token's alg";
    Signature = "signature", "the token's signature does not match the issuer's key";
    Audience = "audience", "the token's aud is not this gateway's audience";
    AuthorizedParty = "authorized_party", "the token's azp is not the client that its aud names";
    NoExpiry = "no_exp", "the token has no exp, or exp is not a number";
    Expired = "expired", "the token has expired (exp)";
    NotYetValid = "not_yet_valid", "the token is not valid yet (nbf)";
    IssuedInFuture = "issued_in_future", "the token was issued in the future (iat)";
    NoSubject = "no_sub", "the token has no sub";
    Subject = "sub", "the token's sub is longer than 255 characters or has control characters";
    Logout = "logout_token", "the token has events: it is a logout token, which signs nobody in";
    Bound = "bound", "the token is bound to a key (cnf), and this gateway accepts bearer tokens only";
}

/// Why a token of an issuer gives no principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenError {
    Invalid(InvalidToken),
    /// The issuer's keys can't be fetched, so that the token can't be verified.
    IssuerUnavailable {
        /// Until the next attempt.
        retry_after: Duration,
    },
}

/// An issuer that people sign in at with a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    pub issuer: String,
    /// The public client of the gateway's pages.
    pub client_id: String,
    /// The OAuth scopes that the pages request.
    pub scopes: Vec<String>,
    /// The audiences of tokens that the gateway accepts, beside the client itself.
    pub audiences: Vec<String>,
    /// Where the issuer's discovery document was read; `None` before that.
    pub endpoints: Option<SignInEndpoints>,
}

/// The addresses of a sign-in, as the issuer's discovery document has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInEndpoints {
    pub authorization: Option<String>,
    pub token: Option<String>,
    pub end_session: Option<String>,
    /// Answers of the authorization endpoint name the issuer in `iss` (RFC 9207).
    pub names_issuer: bool,
}

/// Verifies tokens of OIDC issuers.
#[async_trait]
pub trait Identity: Send + Sync + 'static {
    /// The principal of a JWT.
    ///
    /// # Errors
    /// If the token is invalid, or its issuer's keys can't be fetched.
    async fn principal(&self, token: &SecretString) -> Result<Principal, TokenError>;

    /// A number that changes whenever the issuers or their grants do.
    fn version(&self) -> u64;

    /// The issuers with a client, in the order of the settings.
    async fn sign_ins(&self) -> Vec<SignIn>;

    /// The token endpoints of the issuers with a client, as they were last read, however long ago; without a fetch.
    fn token_endpoints(&self) -> Vec<String>;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_description_fits_the_header_and_no_reason_occurs_twice() {
        let mut reasons = BTreeSet::new();
        for reason in InvalidToken::ALL {
            assert!(reasons.insert(reason.reason()), "{}", reason.reason());
            // RFC 6750: %x20-21 / %x23-5B / %x5D-7E.
            let fits = |byte: u8| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
            assert!(reason.description().bytes().all(fits), "{}", reason.description());
        }
    }
}
