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
    if tunnel.local_cidrs.is_none() {
        return Err(fault("needs the tunnel's ranges on the cloud's side, which the cloud does not show; give security_policies".into()));
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn tunnel(local: &[&str]) -> Tunnel {
        Tunnel { local_cidrs: Some(local.iter().map(ToString::to_string).collect()), ..Tunnel::default() }
    }

    #[test]
    fn each_range_of_the_tunnel_gets_a_policy_to_all_peers() {
        let peers = ["172.16.0.0/16", "172.17.0.0/16"].map(|text| text.parse().expect("a range"));
        let Ok(Ranges::SecurityPolicies(policies)) =
            as_policies(&peers, &tunnel(&["10.0.1.0/24", "10.0.0.0/24", "10.0.1.0/24"]))
        else {
            panic!("the tunnel has ranges");
        };
        let locals: Vec<String> = policies.iter().map(|policy| policy.local_cidr.to_string()).collect();
        assert_eq!(locals, ["10.0.0.0/24", "10.0.1.0/24"], "each once");
        assert!(policies.iter().all(|policy| policy.peer_cidrs == peers));
    }

    #[test]
    fn a_tunnel_without_ranges_or_with_other_ranges_is_a_fault() {
        let peers = ["172.16.0.0/16".parse().expect("a range")];
        for there in [tunnel(&[]), Tunnel::default(), tunnel(&["10.0.0.0/24", "2001:db8::/32"])] {
            let fault = as_policies(&peers, &there).expect_err("no policy is left out in silence");
            assert_eq!((fault.pointer.as_str(), fault.code), ("/peer_cidrs", "no_local_ranges"));
        }
    }
}
