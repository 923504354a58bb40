//! The order of changes: batches in which no two tunnels share a peer range. Of two tunnels that do, one carries the traffic
//! while the other changes.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use ipnet::Ipv4Net;

/// What decides whether two tunnels are a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The cloud's id of the VPC. `None` if it is not known.
    pub vpc: Option<String>,
    /// The ranges on the peer's side, those that the tunnel has and those that it gets. `None` if they are not known.
    pub peers: Option<Vec<Ipv4Net>>,
}

impl Member {
    /// A member with these ranges, in any notation of the cloud. One that can't be read makes all of them unknown; so does an
    /// empty list, because a tunnel without ranges may carry any traffic.
    #[must_use]
    pub fn new<'a>(vpc: &str, peers: impl IntoIterator<Item = &'a str>) -> Self {
        let peers: Option<Vec<Ipv4Net>> = peers.into_iter().map(|range| range.parse().ok()).collect();
        Self { vpc: Some(vpc.to_owned()), peers: peers.filter(|peers| !peers.is_empty()) }
    }

    /// A tunnel of this VPC whose ranges are not known.
    #[must_use]
    pub fn unknown_of(vpc: &str) -> Self {
        Self { vpc: Some(vpc.to_owned()), peers: None }
    }

    /// A tunnel that could not be read. It may be a pair with every other one.
    #[must_use]
    pub const fn unknown() -> Self {
        Self { vpc: None, peers: None }
    }

    /// True if both serve the same VPC and share a part of a peer range, or may share one.
    #[must_use]
    pub fn is_paired_with(&self, other: &Self) -> bool {
        let overlaps = |one: &Ipv4Net, another: &Ipv4Net| one.contains(another) || another.contains(one);
        let share = |ours: &[Ipv4Net], theirs: &[Ipv4Net]| {
            ours.iter().any(|one| theirs.iter().any(|another| overlaps(one, another)))
        };
        let is_same_vpc = match (&self.vpc, &other.vpc) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        };
        is_same_vpc
            && match (&self.peers, &other.peers) {
                (Some(ours), Some(theirs)) => share(ours, theirs),
                _ => true,
            }
    }
}

/// The size of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Tunnels(usize),
    /// A part of all tunnels.
    Percent(usize),
}

/// The sizes of the batches; the last one repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchSizes(Vec<Size>);

impl BatchSizes {
    /// The size of a batch, counted from 0, of a rollout of `total` tunnels. At least 1.
    #[must_use]
    pub fn size(&self, batch: usize, total: usize) -> usize {
        let size = match self.0.get(batch).or(self.0.last()) {
            Some(Size::Tunnels(number)) => *number,
            Some(Size::Percent(percent)) => (total * percent).div_ceil(100),
            None => 1,
        };
        size.max(1)
    }
}

impl FromStr for BatchSizes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "must be numbers and percentages between commas, such as 1,5,25%".to_owned();
        let size = |text: &str| {
            let (digits, is_percent) = match text.trim().strip_suffix('%') {
                Some(digits) => (digits, true),
                None => (text.trim(), false),
            };
            let number: usize = digits.parse().map_err(|_| wrong())?;
            match (number, is_percent) {
                (0, _) => Err("a batch has at least one tunnel".to_owned()),
                (101.., true) => Err("must be at most 100%".to_owned()),
                (_, true) => Ok(Size::Percent(number)),
                (_, false) => Ok(Size::Tunnels(number)),
            }
        };
        Ok(Self(text.split(',').map(size).collect::<Result<_, _>>()?))
    }
}

impl fmt::Display for BatchSizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, size) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            match size {
                Size::Tunnels(number) => write!(f, "{separator}{number}")?,
                Size::Percent(percent) => write!(f, "{separator}{percent}%")?,
            }
        }
        Ok(())
    }
}

/// The first tunnels of the queue of which no two are a pair, at most `size`. Tunnels are indexes into `members`.
#[must_use]
pub fn next_batch(queue: &[usize], size: usize, members: &[Member]) -> Vec<usize> {
    let mut batch: Vec<usize> = Vec::new();
    for tunnel in queue {
        if batch.len() == size {
            break;
        }
        if !is_paired(*tunnel, &batch, members) {
            batch.push(*tunnel);
        }
    }
    batch
}

/// True if a tunnel is a pair with one of the others.
#[must_use]
pub fn is_paired(tunnel: usize, others: &[usize], members: &[Member]) -> bool {
    paired_with(tunnel, others, members).is_some()
}

/// The first of the others that a tunnel is a pair with. A tunnel that is not in `members` is a pair with every one.
#[must_use]
pub fn paired_with(tunnel: usize, others: &[usize], members: &[Member]) -> Option<usize> {
    let is_pair = |other: usize| match (members.get(tunnel), members.get(other)) {
        (Some(ours), Some(theirs)) => ours.is_paired_with(theirs),
        _ => true,
    };
    others.iter().copied().find(|other| *other != tunnel && is_pair(*other))
}

/// All batches, if every change succeeds.
#[must_use]
pub fn batches(queue: &[usize], sizes: &BatchSizes, total: usize, members: &[Member]) -> Vec<Vec<usize>> {
    let mut rest = queue.to_vec();
    let mut batches = Vec::new();
    while !rest.is_empty() {
        let batch = next_batch(&rest, sizes.size(batches.len(), total), members);
        let taken: HashSet<usize> = batch.iter().copied().collect();
        rest.retain(|tunnel| !taken.contains(tunnel));
        batches.push(batch);
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(vpc: &str, peers: &[&str]) -> Member {
        Member::new(vpc, peers.iter().copied())
    }

    fn sizes(text: &str) -> BatchSizes {
        text.parse().expect("sizes")
    }

    #[test]
    fn tunnels_of_a_vpc_that_share_a_part_of_a_range_are_a_pair() {
        let ours = member("vpc-1", &["10.1.0.0/16", "192.168.7.0/24"]);
        assert!(ours.is_paired_with(&member("vpc-1", &["172.16.0.0/12", "10.1.2.0/24"])));
        assert!(ours.is_paired_with(&member("vpc-1", &["0.0.0.0/0"])));
        assert!(ours.is_paired_with(&member("vpc-1", &["10.1.9.9/16"])), "host bits");
        assert!(!ours.is_paired_with(&member("vpc-1", &["10.2.0.0/16", "192.168.8.0/24"])));
        assert!(!ours.is_paired_with(&member("vpc-2", &["10.1.0.0/16"])));
    }

    #[test]
    fn a_tunnel_whose_ranges_are_not_known_may_be_a_pair_with_every_one_of_its_vpc() {
        let ours = member("vpc-1", &["10.1.0.0/16"]);
        for unknown in [&[][..], &["fd00::/8"][..], &["10.9.0.0/16", "everything"][..]] {
            assert!(ours.is_paired_with(&member("vpc-1", unknown)), "{unknown:?}");
            assert!(!ours.is_paired_with(&member("vpc-2", unknown)), "{unknown:?}");
        }
        assert!(ours.is_paired_with(&Member::unknown()) && Member::unknown().is_paired_with(&ours));
    }

    #[test]
    fn the_last_size_repeats_and_percentages_are_rounded_up() {
        let of =
            |text: &str, total: usize| (0..5).map(|batch| sizes(text).size(batch, total)).collect::<Vec<_>>();
        assert_eq!(of("1,5,25%", 50), [1, 5, 13, 13, 13]);
        assert_eq!(of("100%", 7), [7, 7, 7, 7, 7]);
        assert_eq!(of("1%", 7), [1, 1, 1, 1, 1]);
        for wrong in ["", "0", "0%", "101%", "5%%", "a", "1,", "-1"] {
            assert!(wrong.parse::<BatchSizes>().is_err(), "{wrong}");
        }
        assert_eq!(sizes(" 1, 25%").to_string(), "1,25%");
    }

    #[test]
    fn no_batch_has_both_of_a_pair_and_every_tunnel_has_its_turn() {
        // 100 pairs, the two of each far from each other in the plan, and 10 tunnels that all share a range.
        let pairs = (0..200).map(|n| member("vpc-1", &[format!("10.{}.0.0/16", n % 100).as_str()]));
        let others = (0..10).map(|_| member("vpc-1", &["192.168.0.0/16"]));
        let members: Vec<Member> = pairs.chain(others).collect();
        let queue: Vec<usize> = (0..members.len()).collect();
        for text in ["1,5,25%", "100%", "7"] {
            let batches = batches(&queue, &sizes(text), members.len(), &members);
            let mut seen: Vec<usize> = batches.iter().flatten().copied().collect();
            seen.sort_unstable();
            assert_eq!(seen, queue, "{text}");
            for batch in &batches {
                for (at, tunnel) in batch.iter().enumerate() {
                    assert!(!is_paired(*tunnel, &batch[at + 1..], &members), "{text}: {batch:?}");
                }
            }
        }
        assert_eq!(batches(&queue, &sizes("100%"), members.len(), &members).len(), 10);
    }
}
