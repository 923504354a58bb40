//! `peer_cidrs` on API 3.0, which has security policies only.

use std::collections::BTreeSet;

use crate::domain::cidr::Ipv4Cidr;
use crate::domain::fault::Fault;
use crate::domain::patch::Ranges;
use crate::domain::policy::SecurityPolicy;
use crate::domain::tunnel::Tunnel;

/// Security policies from each range that the tunnel has on the cloud's side to the given peers.
///
/// # Errors
/// If the tunnel has no such range, or one that a patch can't give.
pub(super) fn as_policies(peers: &[Ipv4Cidr], tunnel: &Tunnel) -> Result<Ranges, Fault> {
    let shown = tunnel.local_cidrs.iter().flatten().collect::<BTreeSet<_>>();
    let fault = |detail: String| Fault::new("/peer_cidrs", "no_local_ranges", detail);
    if shown.is_empty() {
        return Err(fault(
            "needs a tunnel with ranges on the cloud's side, and this one has none; give security_policies"
                .into(),
        ));
    }
    let policies = shown.into_iter().map(|range| {
        let local_cidr = range.parse().map_err(|_| {
            fault(format!(
                "the tunnel's range {range} on the cloud's side is not IPv4; give security_policies"
            ))
        })?;
        Ok(SecurityPolicy { local_cidr, peer_cidrs: peers.to_vec() })
    });
    policies.collect::<Result<_, Fault>>().map(Ranges::SecurityPolicies)
}
