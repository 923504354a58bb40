//! The issuers that people sign in at, as the gateway's pages need them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::service::identity::{SignIn, SignInEndpoints};

/// How people sign in with a browser.
#[derive(Serialize, ToSchema)]
#[schema(as = SignIn)]
pub struct SignInView {
    /// The issuers with a client for this gateway; empty if there are only API keys.
    issuers: Vec<SignInIssuerView>,
}

/// An issuer with its client: an authorization code flow with PKCE (RFC 7636), without a client secret.
#[derive(Serialize, ToSchema)]
#[schema(as = SignInIssuer)]
pub struct SignInIssuerView {
    /// The issuer, as `iss` of its tokens has it.
    #[schema(example = "https://login.example.com/realms/corp")]
    issuer: String,
    /// The public client of this gateway's pages.
    #[schema(example = "tunnelgate-console")]
    client_id: String,
    /// The OAuth scopes to request.
    #[schema(example = json!(["openid", "profile"]))]
    scopes: Vec<String>,
    /// The audiences of tokens that this gateway accepts, beside an ID token for the client.
    #[schema(example = json!(["tunnelgate"]))]
    audiences: Vec<String>,
    /// From the issuer's discovery document; `null` while the issuer can't be reached.
    #[schema(example = "https://login.example.com/realms/corp/protocol/openid-connect/auth")]
    authorization_endpoint: Option<String>,
    /// From the issuer's discovery document; `null` while the issuer can't be reached.
    #[schema(example = "https://login.example.com/realms/corp/protocol/openid-connect/token")]
    token_endpoint: Option<String>,
    /// From the issuer's discovery document; `null` if it has none.
    #[schema(example = "https://login.example.com/realms/corp/protocol/openid-connect/logout")]
    end_session_endpoint: Option<String>,
    /// From the issuer's discovery document: the answer of its authorization endpoint must have `iss` (RFC 9207).
    #[schema(example = true)]
    authorization_response_iss_parameter_supported: bool,
}

impl SignInView {
    pub fn of(sign_ins: Vec<SignIn>) -> Self {
        Self { issuers: sign_ins.into_iter().map(SignInIssuerView::from).collect() }
    }
}

impl From<SignIn> for SignInIssuerView {
    fn from(SignIn { issuer, client_id, scopes, audiences, endpoints }: SignIn) -> Self {
        let none =
            SignInEndpoints { authorization: None, token: None, end_session: None, names_issuer: false };
        let SignInEndpoints { authorization, token, end_session, names_issuer } = endpoints.unwrap_or(none);
        Self {
            issuer,
            client_id,
            scopes,
            audiences,
            authorization_endpoint: authorization,
            token_endpoint: token,
            end_session_endpoint: end_session,
            authorization_response_iss_parameter_supported: names_issuer,
        }
    }
}
