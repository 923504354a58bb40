//! `/sign-in` in the OpenAPI document.
#![allow(dead_code, reason = "the functions carry the descriptions, and are never called")]

use serde_json::{Value, json};

use super::view::SignInView;
use crate::http::openapi::answers::problems;

problems!(SignInProblems: &[], Internal);

/// List the issuers that people sign in at with a browser
///
/// For pages that get a token with an authorization code and PKCE. Programs get their tokens from the issuer directly, or
/// have API keys.
#[utoipa::path(get, path = "/sign-in", tag = "health", operation_id = "list_sign_ins",
    responses(
        (status = 200, description = "The issuers, in the order of the gateway's configuration", body = SignInView, example = json!(sign_in())),
        SignInProblems
    ))]
pub fn list_sign_ins() {}

fn sign_in() -> Value {
    json!({"issuers": [{
        "issuer": "https://login.example.com/realms/corp", "client_id": "tunnelgate-console",
        "scopes": ["openid", "profile"], "audiences": ["tunnelgate"],
        "authorization_endpoint": "https://login.example.com/realms/corp/protocol/openid-connect/auth",
        "token_endpoint": "https://login.example.com/realms/corp/protocol/openid-connect/token",
        "end_session_endpoint": "https://login.example.com/realms/corp/protocol/openid-connect/logout",
        "authorization_response_iss_parameter_supported": true
    }]})
}
