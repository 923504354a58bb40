//! What a rollout does when another caller goes on with it. Its requests under the first caller's idempotency keys must not
//! be repeated: the gateway would carry them out again.

use futures_util::stream::{self, StreamExt};
use uuid::Uuid;

use super::caller::Caller;
use super::client::Client;
use super::error::RolloutError;
use super::state::{Entry, Request, Step, Store};

/// Searches at the same time.
const AT_ONCE: usize = 8;

/// The operations of requests that another caller sent and whose answers are not known.
#[derive(Debug, Default)]
pub(super) struct Adopted(Vec<(usize, Uuid)>);

impl Adopted {
    /// Finds them.
    ///
    /// # Errors
    /// If a request may still be on its way, because it has no operation.
    pub(super) async fn find(client: &Client, store: &Store, caller: &Caller) -> Result<Self, RolloutError> {
        let known = store.look(|state| state.caller.clone());
        if known.is(caller) {
            return Ok(Self::default());
        }
        let sending = |(index, entry): (usize, &Entry)| match &entry.step {
            Step::Sending { request } => Some((index, entry.clone(), request.clone())),
            _ => None,
        };
        let sent =
            store.look(|state| state.tunnels.iter().enumerate().filter_map(sending).collect::<Vec<_>>());
        let searches = sent.into_iter().map(|(index, entry, request): (usize, Entry, Request)| async move {
            let unsearched = |error: String| RolloutError::Search { tunnel: entry.shown(), error };
            let path = entry.path().ok_or_else(|| unsearched("an id is not valid".into()))?;
            let found = client.operation_of(&path, &request).await;
            let found = found.map_err(|error| unsearched(error.to_string()))?;
            Ok::<_, RolloutError>((index, entry.shown(), found))
        });
        let searches = stream::iter(searches.collect::<Vec<_>>()).buffered(AT_ONCE);
        let mut adopted = Vec::new();
        let mut missing = Vec::new();
        for search in searches.collect::<Vec<_>>().await {
            match search? {
                (index, _, Some(operation)) => adopted.push((index, operation)),
                (_, tunnel, None) => missing.push(tunnel),
            }
        }
        if missing.is_empty() {
            Ok(Self(adopted))
        } else {
            let (known, given) = (Box::new(known), Box::new(caller.clone()));
            Err(RolloutError::OtherCaller { known, given, tunnels: missing })
        }
    }

    /// A sentence about them.
    pub(super) fn note(&self, store: &Store) -> Option<String> {
        let known = store.look(|state| state.caller.clone());
        (!self.0.is_empty())
            .then(|| format!("{} changes that {known} sent are followed to their end", self.0.len()))
    }

    /// Writes down the operations, and who goes on.
    ///
    /// # Errors
    /// If the state can't be written.
    pub(super) async fn record(&self, store: &Store, caller: &Caller) -> Result<(), RolloutError> {
        if store.look(|state| state.caller == *caller) {
            return Ok(());
        }
        let record = store.update(|state| {
            state.caller = caller.clone();
            for (index, operation_id) in &self.0 {
                if let Some(entry) = state.tunnels.get_mut(*index) {
                    entry.step = Step::Running { operation_id: *operation_id };
                }
            }
        });
        Ok(record.await?)
    }
}
