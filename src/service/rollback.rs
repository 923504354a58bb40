//! What a rollback checks beyond a patch: the old pre-shared key, and that the tunnel still has what the operation left.

use std::collections::HashMap;

use serde_json::Value;

use crate::domain::changes::Changes;
use crate::domain::fault::Fault;
use crate::domain::fingerprint::FingerprintKey;
use crate::domain::operation::{Operation, State};
use crate::domain::rollback::KEY_POINTER;
use crate::domain::tunnel::Tunnel;
use crate::domain::verification::{ChangedField, Difference, Verification};

use super::request::{Modify, ModifyError, Rollback};
use super::{Service, read_back};

impl Service {
    /// Checks that a rollback gives the key that the tunnel had, and gives none if the operation did not change the key.
    pub(super) fn check_old_key(&self, request: &Modify) -> Result<(), ModifyError> {
        let Some(Rollback { of, .. }) = &request.rollback else { return Ok(()) };
        let had = of.before.as_ref().and_then(Changes::key_fingerprint);
        let fault = match (had, &request.patch.pre_shared_key) {
            (None, None) => return Ok(()),
            (None, Some(_)) => ("not_allowed", "the operation did not change the key"),
            (Some(_), None) => (
                "required",
                "is required: the gateway does not store keys, so give the one before the change",
            ),
            (Some(had), Some(key)) => {
                self.check_comparable(request)?;
                if self.fingerprints.of_key(key) == had {
                    return Ok(());
                }
                ("other_key", "is not the key that the tunnel had before the change")
            }
        };
        Err(ModifyError::Invalid(vec![Fault::new(KEY_POINTER, fault.0, fault.1)]))
    }

    /// Checks that a key can be compared with the one that the tunnel had. A dry run checks no more: it leaves no event, so
    /// it must not tell whether a guess is right.
    pub(super) fn check_comparable(&self, request: &Modify) -> Result<(), ModifyError> {
        let Some(Rollback { of, .. }) = &request.rollback else { return Ok(()) };
        if of.changes.key_fingerprint().is_none() || self.fingerprints_of(of).is_some() {
            return Ok(());
        }
        let detail = "the gateway's fingerprint key was replaced since the operation, so the gateway can't tell whether a key \
                      is the one before the change";
        let reasons = vec![Fault::new(KEY_POINTER, "unverifiable", detail)];
        Err(ModifyError::NotReversible { of: of.id, reasons })
    }

    /// Checks that the tunnel still has what the operation left.
    pub(super) fn check_unchanged(&self, rollback: &Rollback, tunnel: &Tunnel) -> Result<(), ModifyError> {
        let Rollback { of, is_forced } = rollback;
        let differences = changed_since(of, tunnel, self.fingerprints_of(of));
        if *is_forced || differences.is_empty() {
            return Ok(());
        }
        Err(ModifyError::ChangedSince { of: of.id, differences })
    }
}

/// The fields that are not as the operation left them. A field that can't be compared now does not count.
fn changed_since(
    operation: &Operation,
    tunnel: &Tunnel,
    fingerprints: Option<&FingerprintKey>,
) -> Vec<ChangedField> {
    let differences = read_back::compare(&operation.changes, tunnel, fingerprints).differences;
    differences
        .into_iter()
        .filter_map(|difference| changed_field(&operation.state, operation.before.as_ref(), difference))
        .collect()
}

/// A field whose value is not the requested one; `None` if the operation may have left it so.
fn changed_field(state: &State, before: Option<&Changes>, difference: Difference) -> Option<ChangedField> {
    let Difference { pointer, asked, observed } = difference;
    let left = match state {
        State::Diverged { verification: Verification::Diverged { differences }, .. } => {
            differences.iter().find(|left| left.pointer == pointer).map(|left| &left.observed)
        }
        // The change may never have happened.
        State::TimedOut { .. } => {
            let before: HashMap<String, &Value> = before.into_iter().flat_map(Changes::fields).collect();
            // `before` has policies beside `peer_cidrs` where the ranges alone say too little.
            let policies = before.get("/security_policies").filter(|_| pointer == "/peer_cidrs");
            policies.or(before.get(&pointer)).copied()
        }
        _ => None,
    };
    if left.is_some_and(|left| read_back::is_same_observed(&pointer, left, &observed)) {
        return None;
    }
    let expected = match state {
        State::Diverged { .. } => left.cloned().unwrap_or(asked),
        _ => asked,
    };
    Some(ChangedField { pointer, expected, observed })
}

#[cfg(test)]
mod tests;
