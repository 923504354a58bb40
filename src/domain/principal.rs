//! Principals: callers with their scopes, and the VPCs that each scope covers.

use std::fmt;

use super::event::Actor;
use super::timestamp::Timestamp;
use super::words::words;

/// The longest VPC pattern, in characters.
pub const MAX_PATTERN_LENGTH: usize = 64;

words! {
    /// A right of a principal.
    pub enum Scope {
        /// Read tunnels and operations.
        TunnelsRead = "tunnels:read",
        /// Change tunnels.
        TunnelsWrite = "tunnels:write",
        /// Read the audit log.
        AuditRead = "audit:read",
    }
}

/// A VPC id in which `*` matches any run of characters: `vpc-prod-*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VpcPattern(String);

/// The text is not a VPC pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be 1 to {MAX_PATTERN_LENGTH} characters of A-Z a-z 0-9 _ - and *, which matches any run of characters"
)]
pub struct InvalidPattern;

impl VpcPattern {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if the pattern matches the whole id.
    #[must_use]
    pub fn matches(&self, vpc_id: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = vpc_id.strip_prefix(first) else {
            return false;
        };
        let mut parts = parts.peekable();
        if parts.peek().is_none() {
            return rest.is_empty();
        }
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return rest.ends_with(part);
            }
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        true
    }
}

impl VpcPattern {
    /// True if some id could match both patterns.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        // `meets[j]`: the rest of `a` from the current byte and the rest of `b` from j have a text in common.
        let mut meets = vec![false; b.len() + 1];
        for i in (0..=a.len()).rev() {
            let below = meets.clone();
            for j in (0..=b.len()).rev() {
                meets[j] = match (a.get(i), b.get(j)) {
                    (None, None) => true,
                    // A star matches nothing, or the next character of the other pattern.
                    (Some(b'*'), next) => below[j] || next.is_some() && meets[j + 1],
                    (next, Some(b'*')) => meets[j + 1] || next.is_some() && below[j],
                    (Some(one), Some(other)) => one == other && below[j + 1],
                    (None, Some(_)) | (Some(_), None) => false,
                };
            }
        }
        meets[0]
    }
}

impl std::str::FromStr for VpcPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'*');
        if text.is_empty() || text.len() > MAX_PATTERN_LENGTH || !text.bytes().all(allowed) {
            return Err(InvalidPattern);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for VpcPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The VPCs that a grant covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VpcScope {
    /// All VPCs.
    All,
    /// The VPCs that match one of the patterns.
    Matching(Vec<VpcPattern>),
}

impl VpcScope {
    /// True if the grant covers this VPC.
    #[must_use]
    pub fn allows(&self, vpc_id: &str) -> bool {
        match self {
            Self::All => true,
            Self::Matching(patterns) => patterns.iter().any(|p| p.matches(vpc_id)),
        }
    }

    /// The ids that the grant covers, if it names each of them.
    #[must_use]
    pub fn named(&self) -> Option<Vec<&str>> {
        match self {
            Self::All => None,
            Self::Matching(patterns) => {
                let is_id = |pattern: &VpcPattern| !pattern.as_str().contains('*');
                patterns.iter().all(is_id).then(|| patterns.iter().map(VpcPattern::as_str).collect())
            }
        }
    }

    /// True if the grant covers some id that the pattern matches.
    #[must_use]
    pub fn reaches(&self, pattern: &VpcPattern) -> bool {
        match self {
            Self::All => true,
            Self::Matching(patterns) => patterns.iter().any(|own| own.overlaps(pattern)),
        }
    }
}

/// A scope with the VPCs that it covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub scope: Scope,
    pub vpcs: VpcScope,
}

/// A caller with its rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The same for every call with one API key or by one subject. Idempotency keys belong to this id.
    pub id: String,
    pub actor: Actor,
    pub grants: Vec<Grant>,
    /// The principal has no rights after this moment.
    pub expires_at: Option<Timestamp>,
    /// The claims that decide on the grants of an OIDC subject; empty for an API key.
    pub grant_claims: Vec<String>,
}

impl Principal {
    /// The VPCs that a scope covers; `None` if the principal does not have the scope.
    #[must_use]
    pub fn vpcs(&self, scope: Scope) -> Option<VpcScope> {
        let mut patterns = Vec::new();
        let mut granted = false;
        for grant in self.grants.iter().filter(|grant| grant.scope == scope) {
            granted = true;
            match &grant.vpcs {
                VpcScope::All => return Some(VpcScope::All),
                VpcScope::Matching(more) => patterns.extend(more.iter().cloned()),
            }
        }
        granted.then_some(VpcScope::Matching(patterns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_overlap_where_an_id_could_match_both() {
        let pattern = |text: &str| text.parse::<VpcPattern>().expect("a pattern");
        for (one, other, expected) in [
            ("vpc-1", "vpc-1", true),
            ("vpc-1", "vpc-2", false),
            ("vpc-*", "vpc-1", true),
            ("vpc-*", "*-1", true),
            ("vpc-prod-*", "vpc-test-*", false),
            ("*", "*", true),
            ("a*b", "a*c", false),
            ("*a*", "b*", true),
            ("a*a", "a", false),
            ("**", "x", true),
        ] {
            assert_eq!(pattern(one).overlaps(&pattern(other)), expected, "{one} {other}");
            assert_eq!(pattern(other).overlaps(&pattern(one)), expected, "{other} {one}");
        }
    }

    #[test]
    fn a_star_stands_for_any_run() -> Result<(), InvalidPattern> {
        let cases = [
            ("vpc-1", "vpc-1", true),
            ("vpc-1", "vpc-12", false),
            ("vpc-prod-*", "vpc-prod-", true),
            ("vpc-prod-*", "vpc-prod-7", true),
            ("vpc-prod-*", "vpc-test-7", false),
            ("*", "anything", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("*a", "ba", true),
            ("ab*ba", "aba", false),
        ];
        for (pattern, id, expected) in cases {
            let pattern: VpcPattern = pattern.parse()?;
            assert_eq!(pattern.matches(id), expected, "{pattern} {id}");
        }
        Ok(())
    }

    #[test]
    fn one_grant_for_all_beats_patterns() -> Result<(), InvalidPattern> {
        let grant = |scope, vpcs| Grant { scope, vpcs };
        let pattern: VpcPattern = "vpc-prod-*".parse()?;
        let principal = Principal {
            id: "k".into(),
            actor: Actor { name: "k".into(), id: None, kind: super::super::event::ActorKind::ApiKey },
            grants: vec![
                grant(Scope::TunnelsRead, VpcScope::Matching(vec![pattern])),
                grant(Scope::TunnelsRead, VpcScope::All),
            ],
            expires_at: None,
            grant_claims: Vec::new(),
        };
        assert_eq!(principal.vpcs(Scope::TunnelsRead), Some(VpcScope::All));
        assert_eq!(principal.vpcs(Scope::AuditRead), None);
        Ok(())
    }
}
