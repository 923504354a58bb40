//! The order of changes: batches without pairs.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use super::pairs::{Group, Member};

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
    let (mut batch, mut group) = (Vec::new(), Group::new(members));
    for tunnel in queue {
        if batch.len() == size {
            break;
        }
        if group.partner(*tunnel).is_none() {
            batch.push(*tunnel);
            group.add(*tunnel);
        }
    }
    batch
}

/// The first batches, at most `limit`, if every change succeeds; and whether they are all.
#[must_use]
pub fn batches(
    queue: &[usize],
    sizes: &BatchSizes,
    total: usize,
    members: &[Member],
    limit: usize,
) -> (Vec<Vec<usize>>, bool) {
    let mut rest = queue.to_vec();
    let mut batches = Vec::new();
    while !rest.is_empty() && batches.len() < limit {
        let batch = next_batch(&rest, sizes.size(batches.len(), total), members);
        let taken: HashSet<usize> = batch.iter().copied().collect();
        rest.retain(|tunnel| !taken.contains(tunnel));
        batches.push(batch);
    }
    (batches, rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::pairs::count_paired;

    fn member(vpc: &str, peers: &[&str]) -> Member {
        Member::new(vpc, peers.iter().copied())
    }

    fn sizes(text: &str) -> BatchSizes {
        text.parse().expect("sizes")
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
            let (batches, is_all) = batches(&queue, &sizes(text), members.len(), &members, usize::MAX);
            assert!(is_all);
            let mut seen: Vec<usize> = batches.iter().flatten().copied().collect();
            seen.sort_unstable();
            assert_eq!(seen, queue, "{text}");
            for batch in &batches {
                assert_eq!(count_paired(batch, &members), 0, "{text}: {batch:?}");
            }
        }
        let counted = |limit| {
            let (batches, is_all) = batches(&queue, &sizes("100%"), members.len(), &members, limit);
            (batches.len(), is_all)
        };
        assert_eq!([counted(usize::MAX), counted(10), counted(9)], [(10, true), (10, true), (9, false)]);
    }
}
