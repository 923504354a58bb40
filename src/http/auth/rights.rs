//! The rights of callers.

use std::fmt::Write;

use actix_web::http::header::{self, HeaderValue};

use crate::domain::ids::TunnelPath;
use crate::domain::principal::{Scope, VpcScope};
use crate::http::call::Call;
use crate::http::problem::{Problem, ProblemType};

impl Call {
    /// The VPCs that the caller's scope covers.
    ///
    /// # Errors
    /// 403 if the caller does not have the scope.
    pub fn vpcs(&self, scope: Scope) -> Result<VpcScope, Problem> {
        self.principal.vpcs(scope).ok_or_else(|| self.forbidden(scope, ""))
    }

    /// Checks that the caller has a scope for all VPCs.
    ///
    /// # Errors
    /// 403 if not.
    pub fn require_all_vpcs(&self, scope: Scope) -> Result<(), Problem> {
        match self.vpcs(scope)? {
            VpcScope::All => Ok(()),
            VpcScope::Matching(_) => Err(self.forbidden(scope, "for all VPCs")),
        }
    }

    /// True if the caller may change tunnels of this VPC.
    pub fn may_change(&self, vpc: &str) -> bool {
        self.principal.vpcs(Scope::TunnelsWrite).is_some_and(|vpcs| vpcs.allows(vpc))
    }

    /// True if the caller may read tunnels of this VPC.
    pub fn may_read(&self, vpc: &str) -> bool {
        self.principal.vpcs(Scope::TunnelsRead).is_some_and(|vpcs| vpcs.allows(vpc))
    }

    /// Checks that the caller may read this tunnel. A refusal is no event of the audit log.
    ///
    /// # Errors
    /// 403 if not.
    pub fn require_read(&self, path: &TunnelPath) -> Result<(), Problem> {
        let vpc = path.vpc_id.as_str();
        if self.may_read(vpc) {
            Ok(())
        } else {
            Err(self.forbidden(Scope::TunnelsRead, &format!("for VPC {vpc}")))
        }
    }

    /// Checks that the caller may change this tunnel. A refusal is an event of the audit log; if it can't be written the
    /// answer is 503, so that no caller can probe its rights without a trace.
    ///
    /// # Errors
    /// 403 if not.
    pub async fn require_change(&self, path: &TunnelPath) -> Result<(), Problem> {
        let Err(forbidden) = self.require_trial(path) else { return Ok(()) };
        let (principal, tunnel, origin) = (self.principal.clone(), path.clone(), self.origin.clone());
        self.state
            .ask(|service| async move { service.record_denied(&principal, &tunnel, origin).await })
            .await?;
        Err(forbidden)
    }

    /// Checks that the caller may change this tunnel. A refusal is no event of the audit log.
    ///
    /// # Errors
    /// 403 if not.
    pub fn require_trial(&self, path: &TunnelPath) -> Result<(), Problem> {
        let vpc = path.vpc_id.as_str();
        if self.may_change(vpc) {
            Ok(())
        } else {
            Err(self.forbidden(Scope::TunnelsWrite, &format!("for VPC {vpc}")))
        }
    }

    /// `for_what` ends the sentence: "the scope … is missing".
    fn forbidden(&self, scope: Scope, for_what: &str) -> Problem {
        self.state.metrics.refused("forbidden");
        let space = if for_what.is_empty() { "" } else { " " };
        let mut detail = format!("the scope {scope}{space}{for_what} is missing");
        let claims = &self.principal.grant_claims;
        if !claims.is_empty() {
            let (plural, verb) = if claims.len() == 1 { ("", "gives") } else { ("s", "give") };
            let names = claims.join(", ");
            let _ = write!(detail, "; the claim{plural} {names} of your token {verb} scopes at this gateway");
        }
        let challenge =
            format!("Bearer realm=\"tunnelgate\", error=\"insufficient_scope\", scope=\"{scope}\"");
        let problem = Problem::new(ProblemType::Forbidden, detail);
        match HeaderValue::from_str(&challenge) {
            Ok(challenge) => problem.with_header(header::WWW_AUTHENTICATE, challenge),
            Err(_) => problem,
        }
    }
}
