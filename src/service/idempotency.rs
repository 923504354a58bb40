//! What a repeated request under an `Idempotency-Key` leads to.

use sha2::{Digest, Sha256};

use crate::domain::changes::Changes;
use crate::domain::etag::Precondition;
use crate::domain::ids::TunnelPath;
use crate::domain::operation::{Operation, OperationId, State};

use super::Service;
use super::ledger::{Idempotency, LedgerError, RequestIdentity, SecretIdentity, Written};
use super::request::{Modified, Modify, ModifyError, Retry};

/// What requests under one key are compared by: equal ones ask for the same changes of the same tunnel under the same
/// `If-Match` and for the same reason, or roll back the same operation.
struct Compared<'a> {
    principal_id: &'a str,
    key: &'a str,
    path: &'a TunnelPath,
    changes: &'a Changes,
    if_match: Option<&'a Precondition>,
    reason: Option<&'a str>,
    rollback: Option<(OperationId, bool)>,
}

impl Service {
    /// The request as a later one under the same key is compared with it.
    pub(super) fn idempotency(&self, request: &Modify, changes: &Changes) -> Option<Idempotency> {
        let rollback = request.rollback.as_ref();
        Some(self.identity(&Compared {
            principal_id: &request.principal.id,
            key: request.idempotency_key.as_deref()?,
            path: &request.path,
            changes,
            if_match: request.if_match.as_ref(),
            reason: request.reason.as_deref(),
            rollback: rollback.map(|rollback| (rollback.of.id, rollback.is_forced)),
        }))
    }

    /// The answer to a retry of a request that could not be carried out today, because the accounts, their API or the tunnel
    /// have changed since; `None` if the request is the first under its key.
    ///
    /// # Errors
    /// If the key was used for another request, or its first request is still being sent.
    pub async fn earlier(&self, retry: &Retry) -> Result<Option<Modified>, ModifyError> {
        let changes = Changes::of(&retry.patch, &self.fingerprints);
        let asked = self.identity(&Compared {
            principal_id: &retry.principal_id,
            key: &retry.idempotency_key,
            path: &retry.path,
            changes: &changes,
            if_match: retry.if_match.as_ref(),
            reason: retry.reason.as_deref(),
            rollback: retry.rollback,
        });
        self.repeated(&asked).await
    }

    fn identity(&self, compared: &Compared<'_>) -> Idempotency {
        let Compared { path, changes, .. } = compared;
        // Without the secret, so that the hash needs no key and outlives a change of credentials.
        let mut members = changes.members().clone();
        let has_secret = members.remove("pre_shared_key").is_some();
        if compared.rollback.is_some() {
            // They follow from the operation and the API of its account.
            members.clear();
        }
        let parts = serde_json::json!([
            path.vpc_id.as_str(),
            path.gateway_id.as_str(),
            path.tunnel_id.as_str(),
            members,
            has_secret,
            compared.if_match.map(ToString::to_string),
            compared.reason,
            compared.rollback,
        ]);
        let secret = changes.key_fingerprint().map(|fingerprint| SecretIdentity {
            fingerprint: fingerprint.to_owned(),
            key_id: self.fingerprints.id().to_owned(),
        });
        let sha256 = Sha256::digest(parts.to_string().as_bytes()).to_vec();
        let request = RequestIdentity { sha256, secret };
        Idempotency { principal_id: compared.principal_id.to_owned(), key: compared.key.to_owned(), request }
    }

    /// The answer to a request whose key is in use; `None` if the request is the first under its key.
    pub(super) async fn repeated(&self, asked: &Idempotency) -> Result<Option<Modified>, ModifyError> {
        let now = self.clock.now();
        let first = self.ledger.first_request(&asked.principal_id, &asked.key, now).await?;
        match first.filter(|first| !first.operation.leaves_key_unused()) {
            Some(first) => of_repeated(first.answer(asked)).map(Some),
            None => Ok(None),
        }
    }
}

/// The answer to a request that the ledger knows already.
pub(super) fn of_repeated(written: Written) -> Result<Modified, ModifyError> {
    match written {
        Written::Repeated(first) if first.state == State::Pending => Err(ModifyError::KeyInFlight(first.id)),
        Written::Repeated(first) => Ok(Modified::Repeated(Operation::clone(&first))),
        Written::KeyReused => Err(ModifyError::KeyReused),
        Written::KeyUnverifiable(first) => Err(ModifyError::KeyUnverifiable(first)),
        Written::InProgress(other) => Err(ModifyError::InProgress(other)),
        other => Err(ModifyError::Ledger(LedgerError::Corrupt(format!(
            "an opening was answered like another step: {other:?}"
        )))),
    }
}
