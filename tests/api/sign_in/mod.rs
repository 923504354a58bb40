//! Callers with tokens of OIDC issuers.

mod actor;
mod browser;
mod issuer_fails;
mod keys;
mod refusals;
mod rights;

use tunnelgate::domain::api::Api;
use tunnelgate::domain::principal::{Grant, Scope, VpcScope};
use tunnelgate::oidc::{ClaimGrant, Client, IssuerUrl, Settings};

use crate::harness::Harness;
use crate::issuer::Issuer;
use crate::support::Store;

/// A grant for all subjects with this value in a claim.
pub fn grant(claim: &str, value: &str, scopes: &[Scope], vpcs: &VpcScope) -> ClaimGrant {
    let grants = scopes.iter().map(|scope| Grant { scope: *scope, vpcs: vpcs.clone() }).collect();
    ClaimGrant { claim: claim.into(), value: value.into(), grants }
}

/// Settings in which the group `net-admins` has every right.
pub fn settings(issuer: &Issuer) -> Settings {
    Settings {
        issuer: IssuerUrl::parse(&issuer.url, false).expect("an issuer"),
        audiences: vec!["tunnelgate".into()],
        client: Some(Client { id: "console".into(), scopes: vec!["openid".into()] }),
        name_claim: "preferred_username".into(),
        grants: vec![grant("groups", "net-admins", Scope::ALL, &VpcScope::All)],
    }
}

/// A gateway that accepts tokens of these issuers.
pub async fn gateway(store: Store, issuers: &[&Issuer]) -> Harness {
    let settings: Vec<Settings> = issuers.iter().map(|issuer| settings(issuer)).collect();
    Harness::on_api(store, Api::V2, |all| all.issuers = settings).await
}
