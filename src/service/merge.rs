//! Merges a partial group with the tunnel's current settings. No document says whether the cloud keeps an omitted field or
//! resets it to its (weak) default, so the gateway always sends whole groups.

use crate::domain::ids::TunnelPath;
use crate::domain::ike::{Identity, IkePatch, IkeSettings};
use crate::domain::ipsec::{IpsecPatch, IpsecSettings};
use crate::domain::patch::Patch;
use crate::domain::tunnel::Tunnel;

use super::cloud::TunnelChange;

/// The cloud did not show a setting that the merged group needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cloud does not show the tunnel's {0}, so {1} can't be sent whole")]
pub(super) struct Unshown(&'static str, &'static str);

/// True if the patch touches only some fields of a group, or of both where they go together.
pub(super) fn is_partial(patch: &Patch, together: bool) -> bool {
    patch.ike.as_ref().is_some_and(|ike| !ike.is_whole())
        || patch.ipsec.as_ref().is_some_and(|ipsec| !ipsec.is_whole())
        || together && patch.ike.is_some() != patch.ipsec.is_some()
}

/// The change with every group exactly as in the patch.
pub(super) fn as_given(path: &TunnelPath, patch: &Patch) -> TunnelChange {
    TunnelChange {
        path: path.clone(),
        name: patch.name.clone(),
        pre_shared_key: patch.pre_shared_key.clone(),
        ranges: patch.ranges.clone(),
        ike: patch.ike.as_ref().map(|ike| overlay_ike(IkeSettings::default(), ike)),
        ipsec: patch.ipsec.as_ref().map(|ipsec| overlay_ipsec(IpsecSettings::default(), ipsec)),
    }
}

/// The change with every touched group whole: the patch over the tunnel's settings.
///
/// # Errors
/// If a setting that neither the patch nor the tunnel gives would be left to the cloud's default.
pub(super) fn merged(
    path: &TunnelPath,
    patch: &Patch,
    tunnel: &Tunnel,
    together: bool,
) -> Result<TunnelChange, Unshown> {
    let mut change = as_given(path, patch);
    let both = together && (patch.ike.is_some() || patch.ipsec.is_some());
    if both || patch.ike.is_some() {
        let mut settings = tunnel.ike.clone();
        if let Some(ike) = &patch.ike {
            settings = overlay_ike(settings, ike);
        }
        whole_ike(&settings)?;
        change.ike = Some(settings);
    }
    if both || patch.ipsec.is_some() {
        let mut settings = tunnel.ipsec.clone();
        if let Some(ipsec) = &patch.ipsec {
            settings = overlay_ipsec(settings, ipsec);
        }
        whole_ipsec(&settings)?;
        change.ipsec = Some(settings);
    }
    Ok(change)
}

fn overlay_ike(mut settings: IkeSettings, patch: &IkePatch) -> IkeSettings {
    put(&mut settings.encryption_algorithm, patch.encryption_algorithm);
    put(&mut settings.authentication_algorithm, patch.authentication_algorithm);
    put(&mut settings.exchange_mode, patch.exchange_mode);
    put(&mut settings.dh_group, patch.dh_group);
    put(&mut settings.sa_lifetime_seconds, patch.sa_lifetime_seconds);
    if let Some(identity) = &patch.local_identity {
        let (address, fqdn) = named(identity);
        settings.local_identity = Some(identity.kind().to_string());
        settings.local_address = address;
        settings.local_fqdn = fqdn;
    }
    if let Some(identity) = &patch.remote_identity {
        let (address, fqdn) = named(identity);
        settings.remote_identity = Some(identity.kind().to_string());
        settings.remote_address = address;
        settings.remote_fqdn = fqdn;
    }
    settings
}

fn overlay_ipsec(mut settings: IpsecSettings, patch: &IpsecPatch) -> IpsecSettings {
    put(&mut settings.encryption_algorithm, patch.encryption_algorithm);
    put(&mut settings.integrity_algorithm, patch.integrity_algorithm);
    put(&mut settings.sa_lifetime_seconds, patch.sa_lifetime_seconds);
    put(&mut settings.sa_lifetime_kilobytes, patch.sa_lifetime_kilobytes);
    put(&mut settings.pfs_dh_group, patch.pfs_dh_group);
    settings
}

fn put<T: ToString>(setting: &mut Option<String>, asked: Option<T>) {
    if let Some(asked) = asked {
        *setting = Some(asked.to_string());
    }
}

fn named(identity: &Identity) -> (Option<String>, Option<String>) {
    match identity {
        Identity::Address(address) => (address.map(|a| a.to_string()), None),
        Identity::Fqdn(fqdn) => (None, Some(fqdn.clone())),
    }
}

fn whole_ike(settings: &IkeSettings) -> Result<(), Unshown> {
    let shown = |setting: &Option<String>, name| {
        if setting.is_some() { Ok(()) } else { Err(Unshown(name, "ike")) }
    };
    shown(&settings.encryption_algorithm, "ike.encryption_algorithm")?;
    shown(&settings.authentication_algorithm, "ike.authentication_algorithm")?;
    shown(&settings.exchange_mode, "ike.exchange_mode")?;
    shown(&settings.dh_group, "ike.dh_group")?;
    shown(&settings.sa_lifetime_seconds, "ike.sa_lifetime_seconds")?;
    shown(&settings.local_identity, "ike.local_identity")?;
    shown(&settings.remote_identity, "ike.remote_identity")?;
    // Without a local address the cloud uses the gateway's own, which the tunnel had.
    if settings.local_identity.as_deref() == Some("fqdn") {
        shown(&settings.local_fqdn, "ike.local_identity.fqdn")?;
    }
    match settings.remote_identity.as_deref() {
        Some("fqdn") => shown(&settings.remote_fqdn, "ike.remote_identity.fqdn"),
        _ => shown(&settings.remote_address, "ike.remote_identity.address"),
    }
}

fn whole_ipsec(settings: &IpsecSettings) -> Result<(), Unshown> {
    let shown = |setting: &Option<String>, name| {
        if setting.is_some() { Ok(()) } else { Err(Unshown(name, "ipsec")) }
    };
    shown(&settings.encryption_algorithm, "ipsec.encryption_algorithm")?;
    shown(&settings.integrity_algorithm, "ipsec.integrity_algorithm")?;
    shown(&settings.sa_lifetime_seconds, "ipsec.sa_lifetime_seconds")?;
    shown(&settings.sa_lifetime_kilobytes, "ipsec.sa_lifetime_kilobytes")?;
    shown(&settings.pfs_dh_group, "ipsec.pfs_dh_group")
}
