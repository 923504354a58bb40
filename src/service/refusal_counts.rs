//! How many refusals each principal had in its current minute.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::ids::TunnelPath;
use crate::domain::principal::Principal;

/// Refusals of one principal in one minute that have an event each. The others of that minute share one.
const EVENTS_A_MINUTE: u32 = 60;
const MINUTE: Duration = Duration::from_secs(60);

/// The refusals of every principal in its current minute.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<String, Minute>>);

/// The refusals of one principal since its first one.
#[derive(Debug)]
struct Minute {
    began: Instant,
    refusals: u32,
    /// The last refusal that has no event of its own.
    uncounted: Option<(Principal, TunnelPath)>,
}

impl Refusals {
    fn minutes(&self) -> MutexGuard<'_, HashMap<String, Minute>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a refusal; true if it gets an event of its own.
    pub(super) fn count(&self, principal: &Principal, path: &TunnelPath, now: Instant) -> bool {
        let mut minutes = self.minutes();
        let minute = minutes.entry(principal.id.clone()).or_insert_with(|| Minute {
            began: now,
            refusals: 0,
            uncounted: None,
        });
        minute.refusals += 1;
        if minute.refusals <= EVENTS_A_MINUTE {
            return true;
        }
        minute.uncounted = Some((principal.clone(), path.clone()));
        false
    }

    /// Removes the minutes that are over; returns what has no event yet, with its number.
    pub(super) fn ended(&self, now: Instant, all: bool) -> Vec<(Principal, TunnelPath, u32)> {
        let mut ended = Vec::new();
        self.minutes().retain(|_, minute| {
            if !all && now.duration_since(minute.began) < MINUTE {
                return true;
            }
            if let Some((principal, path)) = minute.uncounted.take() {
                ended.push((principal, path, minute.refusals - EVENTS_A_MINUTE));
            }
            false
        });
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{Actor, ActorKind};

    fn principal(id: &str) -> Principal {
        let actor = Actor { name: id.into(), id: None, kind: ActorKind::ApiKey };
        Principal { id: id.into(), actor, grants: Vec::new(), expires_at: None, grant_claims: Vec::new() }
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_beyond_the_limit_are_counted_by_principal_and_minute() {
        let (refusals, path) = (
            Refusals::default(),
            TunnelPath {
                vpc_id: "vpc-1".parse().expect("an id"),
                gateway_id: "vpngw-1".parse().expect("an id"),
                tunnel_id: "vpnx-1".parse().expect("an id"),
            },
        );
        let (one, other) = (principal("one"), principal("other"));
        let count = |principal| refusals.count(principal, &path, Instant::now());
        let events = (0..200).filter(|_| count(&one)).count();
        assert_eq!((events, count(&other)), (60, true));
        assert!(refusals.ended(Instant::now(), false).is_empty(), "the minute is not over");
        tokio::time::advance(MINUTE).await;
        let ended: Vec<_> =
            refusals.ended(Instant::now(), false).into_iter().map(|(who, _, n)| (who.id, n)).collect();
        assert_eq!(ended, [("one".to_owned(), 140)]);
        assert!(count(&one), "a new minute");
    }
}
