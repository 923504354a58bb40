//! Security policies as the cloud stores them.

use crate::domain::policy::SecurityPolicy;

/// The policies with one entry for each range of the VPC, in their order: both APIs take a range of the VPC once.
pub(super) fn joined(policies: &[SecurityPolicy]) -> Vec<(String, Vec<String>)> {
    let mut rules: Vec<(String, Vec<String>)> = Vec::new();
    for policy in policies {
        let local = policy.local_cidr.to_string();
        let index = rules.iter().position(|(known, _)| *known == local).unwrap_or_else(|| {
            rules.push((local, Vec::new()));
            rules.len() - 1
        });
        let peers = &mut rules[index].1;
        for cidr in policy.peer_cidrs.iter().map(ToString::to_string) {
            if !peers.contains(&cidr) {
                peers.push(cidr);
            }
        }
    }
    rules
}
