//! The order in which waiting calls get their slots: priorities share by weight, principals take turns.

use std::collections::{HashMap, VecDeque};

use crate::service::cloud::Priority;

/// How far a class moves for one call, divided by its weight.
const STRIDE: u64 = 1_000;

const fn weight(priority: Priority) -> u64 {
    match priority {
        Priority::Change | Priority::Poll => 4,
        Priority::Read => 2,
        Priority::Sweep => 1,
    }
}

const fn index(priority: Priority) -> usize {
    match priority {
        Priority::Change => 0,
        Priority::Poll => 1,
        Priority::Read => 2,
        Priority::Sweep => 3,
    }
}

const PRIORITIES: [Priority; 4] = [Priority::Change, Priority::Poll, Priority::Read, Priority::Sweep];

/// What a slot is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cloud) struct Need<'a> {
    pub priority: Priority,
    /// The last call of a change that already had its read. It goes before the first calls of other changes, so that
    /// changes under way finish.
    pub is_last: bool,
    /// The call of a change that is recorded already, and has to start within its lease. It goes before all other changes.
    pub is_recorded: bool,
    /// Whose turn it takes.
    pub principal: &'a str,
}

/// Waiting calls of one kind, in turns by principal.
#[derive(Debug)]
struct Turns<T> {
    lines: HashMap<String, VecDeque<T>>,
    /// The principals that have a line, in the order of their turns.
    order: VecDeque<String>,
    len: usize,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self { lines: HashMap::new(), order: VecDeque::new(), len: 0 }
    }
}

impl<T> Turns<T> {
    fn push(&mut self, principal: &str, item: T) {
        let line = self.lines.entry(principal.to_owned()).or_default();
        if line.is_empty() {
            self.order.push_back(principal.to_owned());
        }
        line.push_back(item);
        self.len += 1;
    }

    fn into_items(self) -> impl Iterator<Item = T> {
        self.lines.into_values().flatten()
    }

    fn pop(&mut self) -> Option<T> {
        let principal = self.order.pop_front()?;
        let line = self.lines.get_mut(&principal)?;
        let item = line.pop_front();
        if line.is_empty() {
            self.lines.remove(&principal);
        } else {
            self.order.push_back(principal);
        }
        self.len -= usize::from(item.is_some());
        item
    }

    /// Calls that go before the next one of this principal.
    fn ahead(&self, principal: &str) -> usize {
        let own = self.lines.get(principal).map_or(0, VecDeque::len);
        let others = self.lines.iter().filter(|(name, _)| *name != principal);
        own + others.map(|(_, line)| line.len().min(own + 1)).sum::<usize>()
    }
}

/// Waiting calls of one priority.
#[derive(Debug)]
struct Class<T> {
    recorded: Turns<T>,
    last: Turns<T>,
    first: Turns<T>,
    /// Where it is in virtual time; the class with the lowest pass is next.
    pass: u64,
}

impl<T> Default for Class<T> {
    fn default() -> Self {
        Self { recorded: Turns::default(), last: Turns::default(), first: Turns::default(), pass: 0 }
    }
}

impl<T> Class<T> {
    const fn len(&self) -> usize {
        self.recorded.len + self.last.len + self.first.len
    }
}

/// All waiting calls.
#[derive(Debug)]
pub(super) struct Queue<T> {
    classes: [Class<T>; 4],
    now: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { classes: Default::default(), now: 0 }
    }
}

impl<T> Queue<T> {
    pub(super) fn push(&mut self, need: Need<'_>, item: T) {
        let class = &mut self.classes[index(need.priority)];
        if class.len() == 0 {
            // A class that was idle has saved nothing up.
            class.pass = class.pass.max(self.now);
        }
        let turns = match need {
            Need { is_recorded: true, .. } => &mut class.recorded,
            Need { is_last: true, .. } => &mut class.last,
            _ => &mut class.first,
        };
        turns.push(need.principal, item);
    }

    /// The next call. Calls whose callers have left are dropped, and cost their class no turn.
    pub(super) fn pop(&mut self, is_gone: impl Fn(&T) -> bool) -> Option<T> {
        loop {
            let next = PRIORITIES
                .into_iter()
                .filter(|priority| self.classes[index(*priority)].len() > 0)
                .min_by_key(|priority| self.classes[index(*priority)].pass)?;
            let class = &mut self.classes[index(next)];
            let call = class.recorded.pop().or_else(|| class.last.pop()).or_else(|| class.first.pop())?;
            if is_gone(&call) {
                continue;
            }
            self.now = class.pass;
            class.pass += STRIDE / weight(next);
            return Some(call);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn len(&self) -> usize {
        self.classes.iter().map(Class::len).sum()
    }

    /// All waiting calls, in no order.
    pub(super) fn into_items(self) -> impl Iterator<Item = T> {
        self.classes.into_iter().flat_map(|Class { recorded, last, first, .. }| {
            recorded.into_items().chain(last.into_items()).chain(first.into_items())
        })
    }

    /// How many calls go before this one, as far as is known now.
    pub(super) fn ahead(&self, need: Need<'_>) -> usize {
        let own = &self.classes[index(need.priority)];
        let in_class = match need {
            Need { is_recorded: true, .. } => own.recorded.ahead(need.principal),
            Need { is_last: true, .. } => own.recorded.len + own.last.ahead(need.principal),
            _ => own.recorded.len + own.last.len + own.first.ahead(need.principal),
        };
        let others = PRIORITIES.into_iter().filter(|priority| *priority != need.priority);
        let others: usize = others
            .map(|priority| {
                // While this call and those before it go, another class gets its share of calls.
                let share = (in_class as u64 + 1) * weight(priority) / weight(need.priority);
                self.classes[index(priority)].len().min(usize::try_from(share).unwrap_or(usize::MAX))
            })
            .sum();
        in_class + others
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Priority::{Change, Poll, Read, Sweep};

    fn need(priority: Priority, principal: &str) -> Need<'_> {
        Need { priority, is_last: false, is_recorded: false, principal }
    }

    #[test]
    fn every_priority_gets_its_share_while_all_wait() {
        let mut queue = Queue::default();
        for priority in PRIORITIES {
            (0..100).for_each(|_| queue.push(need(priority, ""), priority));
        }
        let served: Vec<Priority> = (0..55).filter_map(|_| queue.pop(|_| false)).collect();
        let count = |wanted| served.iter().filter(|priority| **priority == wanted).count();
        assert_eq!((count(Change), count(Poll), count(Read), count(Sweep)), (20, 20, 10, 5));
    }

    #[test]
    fn a_priority_that_waits_alone_gets_everything_and_saves_nothing_up() {
        let mut queue = Queue::default();
        (0..100).for_each(|_| queue.push(need(Poll, ""), Poll));
        (0..50).for_each(|_| assert_eq!(queue.pop(|_| false), Some(Poll)));
        (0..10).for_each(|_| queue.push(need(Change, ""), Change));
        let served: Vec<Priority> = (0..8).filter_map(|_| queue.pop(|_| false)).collect();
        assert!(served.iter().filter(|priority| **priority == Poll).count() >= 3, "{served:?}");
    }

    #[test]
    fn principals_take_turns_and_a_change_under_way_goes_first() {
        let mut queue = Queue::default();
        (0..5).for_each(|n| queue.push(need(Change, "flood"), format!("flood {n}")));
        queue.push(need(Change, "one"), "one".to_owned());
        assert_eq!(queue.ahead(need(Change, "one")), 3);
        assert_eq!(queue.ahead(need(Change, "flood")), 6);
        assert_eq!(queue.ahead(need(Change, "new")), 2);
        queue.push(Need { is_last: true, ..need(Change, "flood") }, "last".to_owned());
        let recorded = Need { is_last: true, is_recorded: true, ..need(Change, "") };
        assert_eq!(queue.ahead(recorded), 0);
        queue.push(recorded, "recorded".to_owned());
        assert_eq!(queue.ahead(Need { is_last: true, ..need(Change, "one") }), 2);
        let served: Vec<String> = (0..5).filter_map(|_| queue.pop(|_| false)).collect();
        assert_eq!(served, ["recorded", "last", "flood 0", "one", "flood 1"]);
    }

    #[test]
    fn what_goes_before_a_call_counts_the_share_of_the_others() {
        let mut queue = Queue::default();
        (0..100).for_each(|_| queue.push(need(Poll, ""), ()));
        assert_eq!(queue.ahead(need(Change, "")), 1);
        assert_eq!(queue.ahead(need(Read, "")), 2);
        assert_eq!(queue.ahead(need(Poll, "")), 100);
    }
}
