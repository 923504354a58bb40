//! Pairs: two tunnels of a VPC that share a peer range. One of them carries the traffic while the other one changes.

use std::collections::{BTreeMap, HashMap};

use ipnet::Ipv4Net;

/// What decides whether two tunnels are a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// A tunnel that could not be read. It may be a pair with every other one.
    Unknown,
    Known {
        /// The cloud's id of the VPC.
        vpc: String,
        /// The ranges on the peer's side, those that the tunnel has and those that it gets. `None` if they are not known: it
        /// may be a pair with every tunnel of its VPC.
        peers: Option<Vec<Ipv4Net>>,
    },
}

impl Member {
    /// A member with these ranges, in any notation of the cloud. One that can't be read makes all of them unknown; so does an
    /// empty list, because a tunnel without ranges may carry any traffic.
    #[must_use]
    pub fn new<'a>(vpc: &str, peers: impl IntoIterator<Item = &'a str>) -> Self {
        let read = |range: &str| range.parse::<Ipv4Net>().ok().map(|range| range.trunc());
        let peers: Option<Vec<Ipv4Net>> = peers.into_iter().map(read).collect();
        Self::Known { vpc: vpc.to_owned(), peers: peers.filter(|peers| !peers.is_empty()) }
    }

    /// A tunnel of this VPC whose ranges are not known.
    #[must_use]
    pub fn unknown_of(vpc: &str) -> Self {
        Self::Known { vpc: vpc.to_owned(), peers: None }
    }
}

/// A set of tunnels that tells whether a further one is a pair with one of them, without a look at each. Tunnels are indexes
/// into the members; one that is not there is unknown.
#[derive(Debug)]
pub struct Group<'a> {
    members: &'a [Member],
    /// The first tunnel.
    any: Option<usize>,
    unknown: Option<usize>,
    vpcs: HashMap<&'a str, OfVpc>,
}

/// The tunnels of one VPC.
#[derive(Debug, Default)]
struct OfVpc {
    /// The first tunnel.
    any: Option<usize>,
    /// The first one without known ranges.
    unknown: Option<usize>,
    /// The first tunnel of each range: first address and prefix length.
    ranges: BTreeMap<(u32, u8), usize>,
    /// A bit for each prefix length that occurs.
    lengths: u64,
}

impl<'a> Group<'a> {
    #[must_use]
    pub fn new(members: &'a [Member]) -> Self {
        Self { members, any: None, unknown: None, vpcs: HashMap::new() }
    }

    /// A group of these tunnels.
    #[must_use]
    pub fn of(members: &'a [Member], tunnels: impl IntoIterator<Item = usize>) -> Self {
        let mut group = Self::new(members);
        tunnels.into_iter().for_each(|tunnel| group.add(tunnel));
        group
    }

    pub fn add(&mut self, tunnel: usize) {
        self.any.get_or_insert(tunnel);
        let Some(Member::Known { vpc, peers }) = self.members.get(tunnel) else {
            self.unknown.get_or_insert(tunnel);
            return;
        };
        let of_vpc = self.vpcs.entry(vpc).or_default();
        of_vpc.any.get_or_insert(tunnel);
        match peers {
            Some(peers) => {
                for range in peers {
                    of_vpc.ranges.entry(place(range)).or_insert(tunnel);
                    of_vpc.lengths |= 1 << range.prefix_len();
                }
            }
            None => _ = of_vpc.unknown.get_or_insert(tunnel),
        }
    }

    /// A tunnel of the group that this one, which is none of the group, is a pair with.
    #[must_use]
    pub fn partner(&self, tunnel: usize) -> Option<usize> {
        let Some(Member::Known { vpc, peers }) = self.members.get(tunnel) else { return self.any };
        let of_vpc = self.vpcs.get(vpc.as_str());
        let partner = of_vpc.and_then(|of_vpc| match peers {
            Some(peers) => {
                of_vpc.unknown.or_else(|| peers.iter().find_map(|range| of_vpc.overlapping(range)))
            }
            None => of_vpc.any,
        });
        partner.or(self.unknown)
    }
}

impl OfVpc {
    /// A tunnel with a range that contains this one, or is contained in it.
    fn overlapping(&self, range: &Ipv4Net) -> Option<usize> {
        let lengths = (0..=range.prefix_len()).filter(|length| self.lengths & (1 << length) != 0);
        let mut wider = lengths.filter_map(|length| Ipv4Net::new(range.addr(), length).ok());
        let wider = wider.find_map(|wider| self.ranges.get(&place(&wider)));
        let (first, last) = (u32::from(range.network()), u32::from(range.broadcast()));
        let narrower = || self.ranges.range((first, 0)..=(last, u8::MAX)).next().map(|(_, tunnel)| tunnel);
        wider.or_else(narrower).copied()
    }
}

fn place(range: &Ipv4Net) -> (u32, u8) {
    (range.network().into(), range.prefix_len())
}

/// The number of tunnels that are a pair with another one of them.
#[must_use]
pub fn count_paired(tunnels: &[usize], members: &[Member]) -> usize {
    let mut is_paired = vec![false; tunnels.len()];
    // Each is compared with those before it, and then with those after it.
    let mut before = Group::new(members);
    let mut after = Group::new(members);
    let forth = 0..tunnels.len();
    for (group, order) in
        [(&mut before, forth.clone().collect::<Vec<_>>()), (&mut after, forth.rev().collect::<Vec<_>>())]
    {
        for at in order {
            is_paired[at] |= group.partner(tunnels[at]).is_some();
            group.add(tunnels[at]);
        }
    }
    is_paired.into_iter().filter(|is_paired| *is_paired).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::{Chance, SystemChance};

    fn member(vpc: &str, peers: &[&str]) -> Member {
        Member::new(vpc, peers.iter().copied())
    }

    /// The definition of a pair, which looks at both.
    fn are_paired(one: &Member, other: &Member) -> bool {
        let (
            Member::Known { vpc: ours, peers: our_peers },
            Member::Known { vpc: theirs, peers: their_peers },
        ) = (one, other)
        else {
            return true;
        };
        let overlaps = |one: &Ipv4Net, another: &Ipv4Net| one.contains(another) || another.contains(one);
        ours == theirs
            && match (our_peers, their_peers) {
                (Some(ours), Some(theirs)) => {
                    ours.iter().any(|one| theirs.iter().any(|another| overlaps(one, another)))
                }
                _ => true,
            }
    }

    /// Whether the two are a pair, whichever comes first.
    fn is_pair(one: &Member, other: &Member) -> bool {
        let members = [one.clone(), other.clone()];
        let (forth, back) = (Group::of(&members, [0]).partner(1), Group::of(&members, [1]).partner(0));
        assert_eq!((forth.is_some(), back.is_some()), (back.is_some(), are_paired(one, other)));
        forth.is_some()
    }

    #[test]
    fn tunnels_of_a_vpc_that_share_a_part_of_a_range_are_a_pair() {
        let ours = member("vpc-1", &["10.1.0.0/16", "192.168.7.0/24"]);
        assert!(is_pair(&ours, &member("vpc-1", &["172.16.0.0/12", "10.1.2.0/24"])));
        assert!(is_pair(&ours, &member("vpc-1", &["0.0.0.0/0"])));
        assert!(is_pair(&ours, &member("vpc-1", &["10.1.9.9/16"])), "host bits");
        assert!(is_pair(&ours, &member("vpc-1", &["10.1.255.255/32"])), "the last address");
        assert!(!is_pair(&ours, &member("vpc-1", &["10.2.0.0/16", "192.168.8.0/24"])));
        assert!(!is_pair(&ours, &member("vpc-2", &["10.1.0.0/16"])));
    }

    #[test]
    fn a_tunnel_whose_ranges_are_not_known_may_be_a_pair_with_every_one_of_its_vpc() {
        let ours = member("vpc-1", &["10.1.0.0/16"]);
        for unknown in [&[][..], &["fd00::/8"][..], &["10.9.0.0/16", "everything"][..]] {
            assert!(is_pair(&ours, &member("vpc-1", unknown)), "{unknown:?}");
            assert!(!is_pair(&ours, &member("vpc-2", unknown)), "{unknown:?}");
        }
        assert!(is_pair(&ours, &Member::Unknown) && is_pair(&Member::Unknown, &Member::Unknown));
    }

    #[test]
    fn a_group_finds_the_same_pairs_as_a_look_at_each_of_its_tunnels() {
        let chance = SystemChance;
        let mut bytes = [0_u8; 8];
        let mut random = |below: u8| {
            chance.fill(&mut bytes);
            bytes[0] % below
        };
        for _ in 0..200 {
            let members: Vec<Member> = (0..12)
                .map(|_| {
                    let vpc = format!("vpc-{}", random(2));
                    let ranges: Vec<String> = (0..random(4))
                        .map(|_| format!("10.{}.{}.0/{}", random(4), random(4) * 64, 8 + random(25)))
                        .collect();
                    match random(20) {
                        0 => Member::Unknown,
                        1 => Member::unknown_of(&vpc),
                        _ => Member::new(&vpc, ranges.iter().map(String::as_str)),
                    }
                })
                .collect();
            let group = Group::of(&members, 0..8);
            for tunnel in 8..12 {
                let expected = (0..8).any(|other| are_paired(&members[tunnel], &members[other]));
                let found = group.partner(tunnel);
                assert_eq!(found.is_some(), expected, "{tunnel} of {members:?}");
                assert!(found.is_none_or(|other| are_paired(&members[tunnel], &members[other])));
            }
            let all: Vec<usize> = (0..12).collect();
            let has_pair = |one: &usize| {
                all.iter().any(|other| one != other && are_paired(&members[*one], &members[*other]))
            };
            let expected = all.iter().filter(|one| has_pair(one)).count();
            assert_eq!(count_paired(&all, &members), expected, "{members:?}");
        }
        let members = [member("vpc-1", &["10.0.0.0/8"])];
        assert_eq!(Group::of(&members, [0]).partner(7), Some(0), "a tunnel that is not there is unknown");
    }
}
