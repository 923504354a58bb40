//! The tokens that were used since their last use was stored.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use crate::domain::day::Day;

use super::ledger::ApiToken;

/// The SHA-256 of tokens whose last use is to be stored, with the day of that use.
#[derive(Debug, Default)]
pub(super) struct UsedTokens(Mutex<HashMap<[u8; 32], Day>>);

impl UsedTokens {
    /// Notes the use of a token, unless its last use of that day is stored already.
    pub(super) fn note(&self, token: &ApiToken, today: &Day) {
        if token.last_used_on.as_ref().is_none_or(|day| day < today) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(token.sha256, today.clone());
        }
    }

    /// Removes and returns the noted tokens, by the day of their last use.
    pub(super) fn take(&self) -> BTreeMap<Day, Vec<[u8; 32]>> {
        let mut by_day: BTreeMap<Day, Vec<[u8; 32]>> = BTreeMap::new();
        for (token, day) in self.0.lock().unwrap_or_else(PoisonError::into_inner).drain() {
            by_day.entry(day).or_default().push(token);
        }
        by_day
    }

    /// Takes back tokens that could not be stored. A later use stays.
    pub(super) fn put_back(&self, by_day: BTreeMap<Day, Vec<[u8; 32]>>) {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (day, tokens) in by_day {
            for token in tokens {
                used.entry(token).or_insert_with(|| day.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::timestamp::Timestamp;

    fn token(name: u8, last_used_on: Option<&Day>) -> ApiToken {
        ApiToken {
            sha256: [name; 32],
            created_at: Timestamp::from_micros(0),
            valid_until: None,
            last_used_on: last_used_on.cloned(),
        }
    }

    #[test]
    fn a_use_before_midnight_keeps_its_day_until_it_is_stored() {
        let [first, second] = ["2026-03-01", "2026-03-02"].map(|day| Day::parse(day).expect("a day"));
        let used = UsedTokens::default();
        used.note(&token(1, None), &first);
        used.note(&token(2, None), &first);
        used.note(&token(2, None), &second);
        used.note(&token(3, Some(&second)), &second);
        let expected = BTreeMap::from([(first, vec![[1; 32]]), (second.clone(), vec![[2; 32]])]);
        assert_eq!(used.take(), expected);
        assert!(used.take().is_empty());
        used.note(&token(1, None), &second);
        used.put_back(expected);
        let mut taken = used.take();
        let tokens = taken.remove(&second).expect("the day of the later use");
        assert!(taken.is_empty() && tokens.len() == 2 && tokens.contains(&[1; 32]), "the later use stays");
    }
}
