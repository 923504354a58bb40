//! A principal, as it sees itself. Never with a token.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::event::ActorKind;
use crate::domain::principal::{Principal, Scope, VpcPattern, VpcScope};
use crate::domain::timestamp::Timestamp;

/// The caller that a token belongs to.
#[derive(Serialize, ToSchema)]
#[schema(as = Principal)]
pub struct PrincipalView {
    kind: ActorKind,
    /// The same for all tokens of one API key, also after a rotation, and of one subject of an issuer: the key's UUID, or the
    /// issuer, a blank and the subject. Idempotency keys and rate limits belong to this id, and events have it as `actor_id`.
    #[schema(example = "0199a0c4-1d2e-7b6f-8a90-0123456789ab")]
    id: String,
    /// The name in operations (`requested_by`) and events (`actor`). Names can be used again.
    #[schema(example = "netops-ci")]
    name: String,
    /// The scopes; empty if the token gives none at this gateway.
    scopes: Vec<ScopeView>,
    /// The token is refused from this moment; `null` if it does not end by itself. For a token of an issuer it is `exp` with 60 seconds of leeway.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// A scope with the VPCs that it covers, as the log has those of an API key.
#[derive(Serialize, ToSchema)]
#[schema(as = PrincipalScope)]
pub struct ScopeView {
    scope: Scope,
    /// Patterns of VPC ids; `null` if the scope is not limited to VPCs. A pattern `*` covers every VPC, but not the events
    /// without a VPC.
    #[schema(example = json!(["vpc-prod-*"]))]
    vpcs: Option<Vec<String>>,
}

impl PrincipalView {
    pub fn of(principal: &Principal) -> Self {
        let scopes = Scope::ALL.iter().filter_map(|scope| {
            let vpcs = match principal.vpcs(*scope)? {
                VpcScope::All => None,
                VpcScope::Matching(patterns) => Some(patterns.iter().map(VpcPattern::to_string).collect()),
            };
            Some(ScopeView { scope: *scope, vpcs })
        });
        Self {
            kind: principal.actor.kind,
            id: principal.id.clone(),
            name: principal.actor.name.clone(),
            scopes: scopes.collect(),
            expires_at: principal.expires_at,
        }
    }
}
