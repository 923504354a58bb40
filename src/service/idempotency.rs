//! What a repeated request under an `Idempotency-Key` leads to.

use sha2::{Digest, Sha256};

use crate::domain::changes::Changes;
use crate::domain::operation::{Operation, State};

use super::Service;
use super::ledger::{Idempotency, LedgerError, RequestIdentity, SecretIdentity, Written};
use super::request::{Modified, Modify, ModifyError};

impl Service {
    /// The request as a later one under the same key is compared with it: equal requests ask for the same changes of the
    /// same tunnel under the same `If-Match` and for the same reason, and roll back the same operation, if any.
    pub(super) fn idempotency(&self, request: &Modify, changes: &Changes) -> Option<Idempotency> {
        let key = request.idempotency_key.clone()?;
        let path = &request.path;
        // Without the secret, so that the hash needs no key and outlives a change of credentials.
        let mut members = changes.members().clone();
        let has_secret = members.remove("pre_shared_key").is_some();
        let if_match = request.if_match.as_ref().map(ToString::to_string);
        let rollback = request.rollback.as_ref();
        let parts = serde_json::json!([
            path.vpc_id.as_str(),
            path.gateway_id.as_str(),
            path.tunnel_id.as_str(),
            members,
            has_secret,
            if_match,
            request.reason,
            rollback.map(|rollback| (rollback.of.id, rollback.is_forced)),
        ]);
        let secret = changes.key_fingerprint().map(|fingerprint| SecretIdentity {
            fingerprint: fingerprint.to_owned(),
            key_id: self.fingerprints.id().to_owned(),
        });
        let sha256 = Sha256::digest(parts.to_string().as_bytes()).to_vec();
        let request_identity = RequestIdentity { sha256, secret };
        Some(Idempotency { principal_id: request.principal.id.clone(), key, request: request_identity })
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
