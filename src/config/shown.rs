//! Settings as text, with secrets masked.

use std::fmt::Write;
use std::time::Duration;

use crate::cloud::endpoint::Endpoint;
use crate::cloud::{self, Endpoints};
use crate::domain::api::Api;
use crate::domain::principal::VpcScope;
use crate::oidc;
use crate::webhooks;

const MASKED: &str = "***";

/// An account as the configuration file has it.
#[must_use]
pub fn section(account: &cloud::Settings) -> String {
    let vpcs = vpcs(&account.vpcs);
    let own = Endpoints::default();
    let Endpoints { v2, v3 } = &account.endpoints;
    let (api, endpoint, has_other) = match account.api {
        Api::V2 => ("v2", v2, *v3 != own.v3),
        Api::V3 => ("v3", v3, *v2 != own.v2),
    };
    // An operation ends on the API that it began on, so the other API's endpoint counts too.
    let shown = |of: fn(&Endpoint) -> &String| {
        if has_other {
            format!("{{ v2 = {:?}, v3 = {:?} }}", of(v2), of(v3))
        } else {
            format!("{:?}", of(endpoint))
        }
    };
    let (url, signed_host) = (shown(|of| &of.url), shown(|of| &of.signed_host));
    let mut text = format!(
        "[[accounts]]\nname = {:?}\n{vpcs}\napi = {api:?}\nregion = {:?}\nurl = {url}\nsigned_host = {signed_host}\n\
         secret_id = {MASKED:?}\nsecret_key = {MASKED:?}\n",
        account.account, account.region,
    );
    if account.credentials.token.is_some() {
        let _ = writeln!(text, "token = {MASKED:?}");
    }
    if account.api == Api::V2 {
        let (method, style) = (account.signature_method, account.param_style);
        let _ = writeln!(text, "signature_method = \"{method}\"\nparam_style = \"{style}\"");
    }
    let millis = account.timeout.as_millis();
    let _ = writeln!(text, "rps = {}\ntimeout = \"{millis}ms\"", account.calls_per_second);
    text
}

/// An issuer as the configuration file has it. Nothing of it is secret.
#[must_use]
pub fn issuer_section(issuer: &oidc::Settings) -> String {
    let mut text = format!(
        "[[oidc]]\nissuer = {:?}\naudience = {:?}\nname_claim = {:?}\n",
        issuer.issuer.as_str(),
        issuer.audiences,
        issuer.name_claim
    );
    if let Some(client) = &issuer.client {
        let _ = writeln!(text, "client_id = {:?}\nclient_scopes = {:?}", client.id, client.scopes);
    }
    for grant in &issuer.grants {
        let scopes: Vec<&str> = grant.grants.iter().map(|grant| grant.scope.as_str()).collect();
        let vpcs = grant.grants.first().map(|grant| vpcs(&grant.vpcs)).unwrap_or_default();
        let _ = writeln!(
            text,
            "[[oidc.grants]]\nclaim = {:?}\nvalue = {:?}\nscopes = {scopes:?}\n{vpcs}",
            grant.claim, grant.value
        );
    }
    text
}

/// The interval of drift checks as the configuration file has it.
#[must_use]
pub fn drift_section(interval: Duration) -> String {
    format!("[drift]\ninterval = \"{}ms\"\n", interval.as_millis())
}

/// A webhook as the configuration file has it.
#[must_use]
pub fn webhook_section(webhook: &webhooks::Settings) -> String {
    let secrets = vec![MASKED; webhook.keys.len()];
    let mut text = format!(
        "[[webhooks]]\nname = {:?}\nurl = {:?}\nsecrets = {secrets:?}\n",
        webhook.name,
        webhook.url.masked()
    );
    if let Some(events) = &webhook.filter.events {
        let events: Vec<&str> = events.iter().map(|kind| kind.as_str()).collect();
        let _ = writeln!(text, "events = {events:?}");
    }
    let _ = writeln!(text, "{}", vpcs(&webhook.filter.vpcs));
    text
}

/// The line `vpcs`. Without the key all VPCs are meant, and events without a VPC; `*` matches VPCs only.
fn vpcs(vpcs: &VpcScope) -> String {
    match vpcs {
        VpcScope::All => "# vpcs: all".to_owned(),
        VpcScope::Matching(patterns) => {
            let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
            format!("vpcs = {patterns:?}")
        }
    }
}
