//! A token before its signature is verified: its form, its issuer, and what its header asks for.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use crate::service::identity::InvalidToken;

use super::key_set;

/// The longest token, in bytes. Entra ID lists up to 200 groups in a token, about 8 kB.
const MAX_LENGTH: usize = 16_384;

/// What a token claims to be.
pub(super) struct Unverified<'t> {
    pub(super) token: &'t str,
    pub(super) issuer: String,
    header: Map<String, Value>,
}

/// The key that a token asks for.
pub(super) struct Wanted {
    pub(super) key_id: String,
    pub(super) algorithm: Algorithm,
}

impl<'t> Unverified<'t> {
    /// Reads a signed JWT in its compact form.
    ///
    /// # Errors
    /// If the text has another form, or names no issuer.
    pub(super) fn parse(token: &'t str) -> Result<Self, InvalidToken> {
        if token.len() > MAX_LENGTH {
            return Err(InvalidToken::TooLong);
        }
        let parts: Vec<&str> = token.split('.').collect();
        let [header, claims, _signature] = parts.as_slice() else { return Err(InvalidToken::Malformed) };
        let header = object(header).ok_or(InvalidToken::Malformed)?;
        let claims = object(claims).ok_or(InvalidToken::Malformed)?;
        let issuer = claims.get("iss").and_then(Value::as_str).ok_or(InvalidToken::UnknownIssuer)?.to_owned();
        Ok(Self { token, issuer, header })
    }

    /// Checks the header. `jwk`, `jku`, `x5c` and `x5u` have no effect: keys come from the issuer's JWKS only.
    ///
    /// # Errors
    /// If the token is of another type, or asks for what is not supported.
    pub(super) fn wanted(&self) -> Result<Wanted, InvalidToken> {
        let header = &self.header;
        if let Some(kind) = header.get("typ") {
            let kind = kind.as_str().unwrap_or_default().to_ascii_lowercase();
            // RFC 7515, 4.1.9: `application/` may be omitted. Logout tokens and DPoP proofs have types of their own.
            if !matches!(kind.strip_prefix("application/").unwrap_or(&kind), "jwt" | "at+jwt") {
                return Err(InvalidToken::Type);
            }
        }
        if header.contains_key("crit") {
            return Err(InvalidToken::Critical);
        }
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(key_set::algorithm);
        let algorithm = algorithm.ok_or(InvalidToken::Algorithm)?;
        let key_id = header.get("kid").and_then(Value::as_str).filter(|id| !id.is_empty());
        Ok(Wanted { key_id: key_id.ok_or(InvalidToken::NoKeyId)?.to_owned(), algorithm })
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
