//! Reads claims by name, and decides which grants they give.

use serde_json::{Map, Value};

use crate::domain::principal::Grant;
use crate::domain::text;

use super::settings::ClaimGrant;

/// The longest name of an actor, in characters; longer ones are cut.
const MAX_NAME_LENGTH: usize = 128;
/// Claims whose text is a list of words separated by blanks (RFC 8693; `scp` at Entra ID).
const LISTS_OF_WORDS: [&str; 2] = ["scope", "scp"];

/// The value of a claim. The whole name comes first, so that a name may contain dots; then each dot may lead into an object.
pub(super) fn find<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    name.match_indices('.').find_map(|(at, _)| {
        let inner = claims.get(&name[..at])?.as_object()?;
        find(inner, &name[at + 1..])
    })
}

/// The rights that the claims give: all that match add up.
pub(super) fn grants(claims: &Map<String, Value>, grants: &[ClaimGrant]) -> Vec<Grant> {
    let matching = grants.iter().filter(|grant| {
        find(claims, &grant.claim).is_some_and(|value| matches(&grant.claim, value, &grant.value))
    });
    let mut all: Vec<Grant> = Vec::new();
    for grant in matching.flat_map(|grant| &grant.grants) {
        if !all.contains(grant) {
            all.push(grant.clone());
        }
    }
    all
}

fn matches(claim: &str, value: &Value, wanted: &str) -> bool {
    match value {
        Value::String(text) if LISTS_OF_WORDS.contains(&claim) => text.split(' ').any(|word| word == wanted),
        Value::String(text) => text == wanted,
        Value::Array(items) => items.iter().any(|item| !item.is_array() && matches("", item, wanted)),
        Value::Bool(_) | Value::Number(_) => {
            let text = value.to_string();
            text == wanted
        }
        Value::Null | Value::Object(_) => false,
    }
}

/// A name for people, for logs and lists: without characters that control a line or its direction, and not too long. `None`
/// if nothing is left.
pub(super) fn name(claims: &Map<String, Value>, claim: &str) -> Option<String> {
    let name = find(claims, claim)?.as_str()?;
    let name: String = name.chars().filter(|character| text::is_plain_character(*character)).collect();
    let name: String = name.trim().chars().take(MAX_NAME_LENGTH).collect();
    let name = name.trim_end();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::principal::{Scope, VpcScope};

    fn claims() -> Map<String, Value> {
        let claims = json!({
            "groups": ["net-admins", "staff", 7, ["nested"]],
            "department": "Net Ops",
            "realm_access": {"roles": ["operator"]},
            "resource_access": {"my.client": {"roles": ["reader"]}},
            "https://example.com/roles": ["writer"],
            "a.b": "whole", "a": {"b": "inner", "c": "inner"},
            "scope": "openid tunnels", "email_verified": true, "level": 3, "none": null
        });
        claims.as_object().expect("an object").clone()
    }

    #[test]
    fn a_claim_is_found_by_its_whole_name_first_and_then_by_its_members() {
        for (name, value) in [
            ("department", json!("Net Ops")),
            ("realm_access.roles", json!(["operator"])),
            ("resource_access.my.client.roles", json!(["reader"])),
            ("https://example.com/roles", json!(["writer"])),
            ("a.b", json!("whole")),
            ("a.c", json!("inner")),
        ] {
            assert_eq!(find(&claims(), name), Some(&value), "{name}");
        }
        for name in ["realm_access.groups", "department.x", "", ".", "groups.0", "realm_access.", ".roles"] {
            assert_eq!(find(&claims(), name), None, "{name}");
        }
    }

    #[test]
    fn a_value_matches_a_text_or_an_item_of_a_list() {
        for (claim, value, expected) in [
            ("groups", "net-admins", true),
            ("groups", "net", false),
            ("groups", "7", true),
            ("groups", "nested", false),
            ("department", "Net Ops", true),
            ("department", "Net", false),
            ("department", "net ops", false),
            ("scope", "tunnels", true),
            ("scope", "openid tunnels", false),
            ("email_verified", "true", true),
            ("level", "3", true),
            ("none", "null", false),
            ("realm_access", "operator", false),
        ] {
            let grant = ClaimGrant {
                claim: claim.into(),
                value: value.into(),
                grants: vec![Grant { scope: Scope::TunnelsRead, vpcs: VpcScope::All }],
            };
            assert_eq!(!grants(&claims(), &[grant]).is_empty(), expected, "{claim} {value}");
        }
    }

    #[test]
    fn a_name_has_no_controls_and_a_bounded_length() {
        let name_of = |value: Value| {
            let claims = json!({ "name": value });
            name(claims.as_object().expect("an object"), "name")
        };
        assert_eq!(name_of(json!(" Zoë\u{202e}\n\0 Müller ")), Some("Zoë Müller".into()));
        assert_eq!(name_of(json!("x".repeat(500))), Some("x".repeat(128)));
        for none in [json!(""), json!(" \n"), json!(7), json!(null), json!(["a"])] {
            assert_eq!(name_of(none.clone()), None, "{none}");
        }
    }
}
