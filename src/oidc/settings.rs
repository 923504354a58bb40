//! The settings of an issuer.

use crate::domain::principal::Grant;

use super::url::IssuerUrl;

/// An issuer whose tokens the gateway accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub issuer: IssuerUrl,
    /// A token must name one of them in `aud`, or the client. At least one.
    pub audiences: Vec<String>,
    /// The client of the gateway's own pages; `None` if people can't sign in there.
    pub client: Option<Client>,
    /// The claim with the actor's name; `sub` where a token lacks it.
    pub name_claim: String,
    /// At least one.
    pub grants: Vec<ClaimGrant>,
}

/// A public client, registered at the issuer, for sign-in by browser (authorization code with PKCE).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    pub id: String,
    /// The OAuth scopes that a sign-in requests.
    pub scopes: Vec<String>,
}

/// Rights of the subjects whose token has a value in a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimGrant {
    pub claim: String,
    pub value: String,
    /// One for each scope.
    pub grants: Vec<Grant>,
}
