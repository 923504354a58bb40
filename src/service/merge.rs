//! Merges a partial group with the tunnel's current settings. No document says whether the cloud keeps an omitted field or
//! resets it to its (weak) default, so the gateway always sends whole groups.

use crate::domain::fault::Fault;
use crate::domain::health_check::HealthCheckSettings;
use crate::domain::ids::TunnelPath;
use crate::domain::patch::{Patch, Requirements};
use crate::domain::tunnel::Tunnel;

use super::cloud::TunnelChange;

/// Why a change can't be filled in from the tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotMerged {
    /// The cloud does not show a setting that the whole group needs.
    Unshown { group: &'static str, setting: &'static str },
    /// The patch has to give more.
    Invalid(Vec<Fault>),
}

/// True if the patch touches only some fields of a group, or of both where they go together.
pub(super) fn is_partial(patch: &Patch, requirements: Requirements) -> bool {
    patch.ike.as_ref().is_some_and(|ike| ike.missing(requirements.api).is_some())
        || patch.ipsec.as_ref().is_some_and(|ipsec| ipsec.missing().is_some())
        || requirements.groups_go_together && patch.ike.is_some() != patch.ipsec.is_some()
        || patch.dpd.is_some()
        || patch.health_check.is_some()
}

/// The change with every group exactly as in the patch.
pub(super) fn as_given(path: &TunnelPath, patch: &Patch) -> TunnelChange {
    TunnelChange {
        path: path.clone(),
        name: patch.name.clone(),
        pre_shared_key: patch.pre_shared_key.clone(),
        ranges: patch.ranges.clone(),
        ike: patch.ike.clone(),
        ipsec: patch.ipsec.clone(),
        dpd: patch.dpd.clone(),
        negotiation_type: patch.negotiation_type.clone(),
        health_check: patch.health_check.clone(),
        customer_gateway_id: patch.customer_gateway_id.clone(),
        bgp: patch.bgp.clone(),
    }
}

/// Fills every touched group of a change with the tunnel's settings.
///
/// # Errors
/// If a setting that neither the patch nor the tunnel gives would be left to the cloud's default.
pub(super) fn fill(
    change: &mut TunnelChange,
    tunnel: &Tunnel,
    requirements: Requirements,
) -> Result<(), NotMerged> {
    let both = requirements.groups_go_together && (change.ike.is_some() || change.ipsec.is_some());
    if both || change.ike.is_some() {
        let settings = tunnel.ike.clone().overlaid(&change.ike.take().unwrap_or_default());
        whole("ike", settings.missing(requirements.api))?;
        change.ike = Some(settings);
    }
    if both || change.ipsec.is_some() {
        let settings = tunnel.ipsec.clone().overlaid(&change.ipsec.take().unwrap_or_default());
        whole("ipsec", settings.missing())?;
        change.ipsec = Some(settings);
    }
    if let Some(dpd) = &mut change.dpd {
        // Parameters of their own, each with a default: what the cloud shows is repeated. Without the switch, whose default
        // is off, a change of another field could turn DPD off.
        *dpd = tunnel.dpd.clone().overlaid(dpd);
        whole("dpd", dpd.enabled.is_none().then_some("enabled"))?;
    }
    if let Some(check) = &mut change.health_check {
        *check = filled_check(check, &tunnel.health_check).map_err(NotMerged::Invalid)?;
        whole("health_check", check.enabled.is_none().then_some("enabled"))?;
    }
    Ok(())
}

fn whole(group: &'static str, missing: Option<&'static str>) -> Result<(), NotMerged> {
    missing.map_or(Ok(()), |setting| Err(NotMerged::Unshown { group, setting }))
}

/// The health check over the tunnel's. A tunnel without one shows no `HealthCheckConfig`: then the patch has to give that
/// record whole.
fn filled_check(
    asked: &HealthCheckSettings,
    tunnel: &HealthCheckSettings,
) -> Result<HealthCheckSettings, Vec<Fault>> {
    let filled = tunnel.clone().overlaid(asked);
    let touches_record = asked.record().iter().any(|(_, setting)| setting.is_some());
    let missing = filled.record().into_iter().filter(|(_, setting)| setting.is_none());
    let faults: Vec<Fault> = missing
        .map(|(name, _)| {
            let detail = "is required: the tunnel has no value that could be kept";
            Fault::new(format!("/health_check/{name}"), "required", detail)
        })
        .collect();
    if faults.is_empty() {
        return Ok(filled);
    }
    if touches_record {
        return Err(faults);
    }
    // The record is sent whole or not at all.
    Ok(HealthCheckSettings { interval_ms: None, timeout_ms: None, failure_threshold: None, ..filled })
}

#[cfg(test)]
mod tests;
