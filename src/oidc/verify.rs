//! Verifies a token: the signature with the issuer's keys, then the claims.

use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode};
use serde_json::{Map, Value};

use crate::domain::event::{Actor, ActorKind};
use crate::domain::principal::Principal;
use crate::domain::text;
use crate::domain::timestamp::Timestamp;
use crate::service::identity::InvalidToken;

use super::claims;
use super::key_set::KeySet;
use super::settings::Settings;
use super::token::Wanted;

/// Difference between the clocks of issuer and gateway that is tolerated.
const LEEWAY: Duration = Duration::from_secs(60);
/// The longest subject, in characters (OpenID Connect Core 1.0, 2).
const MAX_SUBJECT_LENGTH: usize = 255;

/// The claims of a token whose signature a key of the issuer verifies.
///
/// # Errors
/// If no key does.
pub(super) fn signature(
    token: &str,
    wanted: &Wanted,
    keys: &KeySet,
) -> Result<Map<String, Value>, InvalidToken> {
    let named = keys.get(&wanted.key_id).ok_or(InvalidToken::UnknownKey)?;
    let fitting = named.iter().filter(|key| key.algorithms.contains(&wanted.algorithm));
    // The times are checked below, by our clock.
    let mut validation = Validation::new(wanted.algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let mut refusal = InvalidToken::OtherKey;
    for key in fitting {
        match decode(token, &key.key, &validation) {
            Ok(verified) => return Ok(verified.claims),
            Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => {
                refusal = InvalidToken::Signature;
            }
            Err(_) => return Err(InvalidToken::Malformed),
        }
    }
    Err(refusal)
}

/// The principal of verified claims.
///
/// # Errors
/// If the token is not for this gateway, or not valid now.
pub(super) fn principal(
    claims: &Map<String, Value>,
    settings: &Settings,
    now: Timestamp,
) -> Result<Principal, InvalidToken> {
    if claims.get("iss").and_then(Value::as_str) != Some(settings.issuer.as_str()) {
        return Err(InvalidToken::UnknownIssuer);
    }
    audience(claims, settings)?;
    let expires_at = moment(claims, "exp").ok_or(InvalidToken::NoExpiry)?.plus(LEEWAY);
    if expires_at <= now {
        return Err(InvalidToken::Expired);
    }
    let latest = now.plus(LEEWAY);
    if claims.contains_key("nbf") && moment(claims, "nbf").is_none_or(|from| latest < from) {
        return Err(InvalidToken::NotYetValid);
    }
    if claims.contains_key("iat") && moment(claims, "iat").is_none_or(|at| latest < at) {
        return Err(InvalidToken::IssuedInFuture);
    }
    // OpenID Connect Back-Channel Logout 1.0, 2.4: an issuer may give a logout token any `typ`.
    if claims.contains_key("events") {
        return Err(InvalidToken::Logout);
    }
    // RFC 7800: without a proof of possession such a token is a stolen one.
    if claims.contains_key("cnf") {
        return Err(InvalidToken::Bound);
    }
    let subject = claims.get("sub").and_then(Value::as_str).filter(|subject| !subject.is_empty());
    let subject = subject.ok_or(InvalidToken::NoSubject)?;
    if subject.chars().count() > MAX_SUBJECT_LENGTH || !text::is_plain(subject) {
        return Err(InvalidToken::Subject);
    }
    // An issuer contains no blank, so the two parts are unambiguous.
    let id = format!("{} {subject}", settings.issuer);
    let name = claims::name(claims, &settings.name_claim).unwrap_or_else(|| subject.to_owned());
    let mut grant_claims: Vec<String> = Vec::new();
    for grant in &settings.grants {
        if !grant_claims.contains(&grant.claim) {
            grant_claims.push(grant.claim.clone());
        }
    }
    Ok(Principal {
        id: id.clone(),
        actor: Actor { name, id: Some(id), kind: ActorKind::Oidc },
        grants: claims::grants(claims, &settings.grants),
        expires_at: Some(expires_at),
        grant_claims,
    })
}

/// Checks that the token is for this gateway: for one of the audiences, or an ID token for the client.
fn audience(claims: &Map<String, Value>, settings: &Settings) -> Result<(), InvalidToken> {
    let names = |wanted: &str| match claims.get("aud") {
        Some(Value::String(audience)) => audience == wanted,
        Some(Value::Array(audiences)) => audiences.iter().any(|audience| audience == wanted),
        _ => false,
    };
    if settings.audiences.iter().any(|audience| names(audience)) {
        return Ok(());
    }
    let Some(client) = settings.client.as_ref().filter(|client| names(&client.id)) else {
        return Err(InvalidToken::Audience);
    };
    // OpenID Connect Core 1.0, 3.1.3.7: the token was issued to another client, which may only pass it on.
    match claims.get("azp") {
        Some(party) if party != client.id.as_str() => Err(InvalidToken::AuthorizedParty),
        _ => Ok(()),
    }
}

/// A NumericDate (RFC 7519): seconds since 1970, perhaps with a fraction.
fn moment(claims: &Map<String, Value>, claim: &str) -> Option<Timestamp> {
    let seconds = claims.get(claim)?.as_f64().filter(|seconds| seconds.is_finite())?;
    // A conversion to an integer saturates.
    #[expect(clippy::cast_possible_truncation, reason = "out of range is the first or the last moment")]
    Some(Timestamp::from_micros((seconds * 1e6) as i64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::principal::{Grant, Scope, VpcScope};
    use crate::oidc::settings::{ClaimGrant, Client};
    use crate::oidc::url::IssuerUrl;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn settings() -> Settings {
        let grant = |claim: &str, value: &str, scope| ClaimGrant {
            claim: claim.into(),
            value: value.into(),
            grants: vec![Grant { scope, vpcs: VpcScope::All }],
        };
        Settings {
            issuer: IssuerUrl::parse("https://login.example.com", false).expect("an issuer"),
            audiences: vec!["tunnelgate".into(), "api://tunnelgate".into()],
            client: Some(Client { id: "console".into(), scopes: vec!["openid".into()] }),
            name_claim: "preferred_username".into(),
            grants: vec![
                grant("groups", "net", Scope::TunnelsRead),
                grant("groups", "audit", Scope::AuditRead),
                grant("roles", "x", Scope::TunnelsWrite),
            ],
        }
    }

    fn verified(change: &Value) -> Result<Principal, InvalidToken> {
        let mut claims = json!({
            "iss": "https://login.example.com", "aud": "tunnelgate", "sub": "4711", "exp": 1_800_000_300,
            "preferred_username": "zoe", "groups": ["net", "audit"]
        });
        for (name, value) in change.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        // `null` stands for a claim that is absent.
        let claims: Map<String, Value> = claims
            .as_object()
            .expect("an object")
            .clone()
            .into_iter()
            .filter(|(_, v)| !v.is_null())
            .collect();
        principal(&claims, &settings(), NOW)
    }

    #[test]
    fn the_principal_is_issuer_and_subject_with_the_name_and_the_rights_that_add_up() {
        let principal = verified(&json!({})).expect("valid");
        let id = "https://login.example.com 4711";
        assert_eq!(principal.id, id);
        assert_eq!(principal.actor, Actor { name: "zoe".into(), id: Some(id.into()), kind: ActorKind::Oidc });
        let scopes: Vec<Scope> = principal.grants.iter().map(|grant| grant.scope).collect();
        assert_eq!(scopes, [Scope::TunnelsRead, Scope::AuditRead]);
        assert_eq!(principal.grant_claims, ["groups", "roles"]);
        assert_eq!(principal.expires_at, Some(NOW.plus(Duration::from_secs(360))));
        let unnamed = verified(&json!({"preferred_username": null, "groups": null})).expect("valid");
        assert_eq!((unnamed.actor.name.as_str(), unnamed.grants.len()), ("4711", 0));
    }

    #[test]
    fn an_audience_is_one_of_the_settings_or_the_client_itself() {
        for fitting in [
            json!({"aud": "api://tunnelgate"}),
            json!({"aud": ["other", "tunnelgate"], "azp": "other"}),
            json!({"aud": "console"}),
            json!({"aud": ["console", "other"], "azp": "console"}),
        ] {
            assert!(verified(&fitting).is_ok(), "{fitting}");
        }
        for other in [json!("other"), json!(["other"]), json!([]), json!(null), json!({"tunnelgate": 1})] {
            assert_eq!(verified(&json!({"aud": other})), Err(InvalidToken::Audience), "{other}");
        }
        let passed_on = verified(&json!({"aud": "console", "azp": "other"}));
        assert_eq!(passed_on, Err(InvalidToken::AuthorizedParty));
    }

    #[test]
    fn times_are_kept_with_a_minute_of_leeway() {
        let at = |claim: &str, seconds: f64| verified(&json!({claim: 1_800_000_000.0 + seconds})).err();
        assert_eq!(at("exp", -59.9), None);
        assert_eq!(at("exp", -60.0), Some(InvalidToken::Expired));
        assert_eq!(at("nbf", 60.0), None);
        assert_eq!(at("nbf", 60.1), Some(InvalidToken::NotYetValid));
        assert_eq!(at("iat", 60.0), None);
        assert_eq!(at("iat", 61.0), Some(InvalidToken::IssuedInFuture));
        for (claim, value, refusal) in [
            ("exp", json!(null), InvalidToken::NoExpiry),
            ("exp", json!("1800000300"), InvalidToken::NoExpiry),
            ("exp", json!(-1e300), InvalidToken::Expired),
            ("nbf", json!("soon"), InvalidToken::NotYetValid),
            ("iat", json!([1]), InvalidToken::IssuedInFuture),
        ] {
            assert_eq!(verified(&json!({claim: value})), Err(refusal), "{claim} {value}");
        }
        assert!(verified(&json!({"exp": 1e300})).is_ok());
    }

    #[test]
    fn a_subject_is_required_and_readable() {
        for (subject, refusal) in [
            (json!(null), InvalidToken::NoSubject),
            (json!(""), InvalidToken::NoSubject),
            (json!(4711), InvalidToken::NoSubject),
            (json!("a\nb"), InvalidToken::Subject),
            (json!("a\0"), InvalidToken::Subject),
            (json!("x".repeat(256)), InvalidToken::Subject),
        ] {
            assert_eq!(verified(&json!({"sub": subject})), Err(refusal), "{subject}");
        }
        assert!(verified(&json!({"sub": "CN=Zoë, O=Net Ops"})).is_ok());
        assert!(verified(&json!({"sub": "x".repeat(255)})).is_ok());
        assert_eq!(verified(&json!({"cnf": {"jkt": "a"}})), Err(InvalidToken::Bound));
        let logout = json!({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}});
        assert_eq!(verified(&logout), Err(InvalidToken::Logout));
        assert_eq!(verified(&json!({"iss": "https://other"})), Err(InvalidToken::UnknownIssuer));
    }
}
