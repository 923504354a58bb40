//! One `[[oidc]]` of the configuration file.

use crate::domain::principal::{Grant, Scope, VpcPattern, VpcScope};
use crate::domain::text;
use crate::oidc::{ClaimGrant, Client, IssuerUrl, Settings};

use super::account::{Defaults, one_of};
use super::table::Table;

/// The claim with the actor's name where the file does not say.
const NAME_CLAIM: &str = "sub";
/// The OAuth scopes of a sign-in by browser where the file does not say.
const CLIENT_SCOPES: [&str; 2] = ["openid", "profile"];
/// The OAuth scope without which a sign-in gives no ID token.
const OPENID: &str = "openid";

/// Reads an issuer, and collects its faults.
pub(super) fn read(mut table: Table<'_, '_>, defaults: Defaults) -> Option<Settings> {
    for key in ["issuer", "audience", "grants"] {
        table.require(key);
    }
    let issuer = table.parsed("issuer", |text| IssuerUrl::parse(text, defaults.allow_plain_http));
    let audiences = audiences(&mut table);
    let name_claim = table.parsed("name_claim", plain);
    let has_name = !table.has("name_claim") || name_claim.is_some();
    let client = client(&mut table);
    let tables = table.tables("grants");
    let count = tables.len();
    let grants: Vec<ClaimGrant> = tables.into_iter().filter_map(grant).collect();
    if count == 0 && table.is_list("grants") {
        table.fault("grants", "must have at least one item");
    }
    let is_whole = has_name && grants.len() == count && count > 0;
    table.finish();
    let client = client?;
    is_whole.then_some(Settings {
        issuer: issuer?,
        audiences: audiences?,
        client,
        name_claim: name_claim.unwrap_or_else(|| NAME_CLAIM.to_owned()),
        grants,
    })
}

/// One audience as a text, or several as a list.
fn audiences(table: &mut Table<'_, '_>) -> Option<Vec<String>> {
    if table.is_list("audience") {
        return table.list("audience", plain);
    }
    table.parsed("audience", plain).map(|audience| vec![audience])
}

/// The client of the gateway's pages. `None` if something is wrong with it.
fn client(table: &mut Table<'_, '_>) -> Option<Option<Client>> {
    let id = table.parsed("client_id", plain);
    let scopes = table.list("client_scopes", oauth_scope);
    if !table.has("client_id") {
        if table.has("client_scopes") {
            table.fault("client_scopes", "has no effect without client_id");
            return None;
        }
        return Some(None);
    }
    let scopes = match scopes {
        Some(scopes) if scopes.iter().any(|scope| scope == OPENID) => scopes,
        Some(_) => {
            table.fault("client_scopes", "must contain openid");
            return None;
        }
        None if table.has("client_scopes") => return None,
        None => CLIENT_SCOPES.map(str::to_owned).to_vec(),
    };
    Some(Some(Client { id: id?, scopes }))
}

/// One `[[oidc.grants]]`.
fn grant(mut table: Table<'_, '_>) -> Option<ClaimGrant> {
    for key in ["claim", "value", "scopes"] {
        table.require(key);
    }
    let claim = table.parsed("claim", plain);
    let value = table.parsed("value", plain);
    let scopes = table.list("scopes", |word| Scope::from_word(word).ok_or_else(|| one_of(Scope::WORDS)));
    let vpcs = table.list("vpcs", str::parse::<VpcPattern>);
    let has_vpcs = table.has("vpcs");
    table.finish();
    let vpcs = match (vpcs, has_vpcs) {
        (Some(patterns), _) => VpcScope::Matching(patterns),
        (None, false) => VpcScope::All,
        (None, true) => return None,
    };
    let grants = scopes?.into_iter().map(|scope| Grant { scope, vpcs: vpcs.clone() }).collect();
    Some(ClaimGrant { claim: claim?, value: value?, grants })
}

fn plain(text: &str) -> Result<String, &'static str> {
    if text.is_empty() || !text::is_plain(text) || text.trim() != text {
        return Err("must be a text without control characters, and without blanks around it");
    }
    Ok(text.to_owned())
}

/// RFC 6749, 3.3.
fn oauth_scope(text: &str) -> Result<String, &'static str> {
    let allowed = |byte: u8| (0x21..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
    if text.is_empty() || !text.bytes().all(allowed) {
        return Err("must be an OAuth scope: printable ASCII without blanks and quotes");
    }
    Ok(text.to_owned())
}
