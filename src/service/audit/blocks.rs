//! Computing on blocks of rows while the next block is read.

use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::domain::stored::StoredEvent;
use crate::service::ledger::{EventBlock, LedgerError, Snapshot};

use super::verdict::Break;

/// Rows of one block. Memory stays constant, however long the log is.
pub(super) const BLOCK: u32 = 2000;

/// Runs `work` on a thread of its own.
///
/// # Errors
/// If the work panicked.
pub async fn computed<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, LedgerError> {
    spawn_blocking(work).await.map_err(|failed| LedgerError::Unavailable(Box::new(failed)))
}

/// What follows events one by one.
pub trait Follow: Send + 'static {
    /// Follows the next event.
    ///
    /// # Errors
    /// If the event is not what must follow.
    fn follow(&mut self, event: &StoredEvent<'_>) -> Result<(), Break>;
}

/// Which events are followed.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    /// Starts after this `seq`.
    pub after: i64,
    pub limit: u64,
    /// After this time the stretch ends with the current block.
    pub deadline: Option<Instant>,
}

/// The end of a stretch.
pub enum Followed<F> {
    /// No event is left.
    ToTheEnd(F),
    /// The limit or the deadline ended the stretch.
    ToTheLimit(F),
    /// The first bad row.
    Broken { seq: i64, why: Break },
}

/// Follows the events of a stretch block by block.
///
/// # Errors
/// If the ledger could not be read.
pub async fn follow<F: Follow>(
    snapshot: &mut dyn Snapshot,
    stretch: Stretch,
    mut follower: F,
) -> Result<Followed<F>, LedgerError> {
    let Stretch { mut after, limit: mut left, deadline } = stretch;
    let size = |left: u64| u32::try_from(left).unwrap_or(BLOCK).min(BLOCK);
    let mut block = snapshot.events(after, size(left)).await?;
    loop {
        let length = block.count();
        if length == 0 {
            return Ok(Followed::ToTheEnd(follower));
        }
        after = block.event(length - 1).map_or_else(|seq| seq, |event| event.seq);
        left = left.saturating_sub(length as u64);
        // The current block is always finished, so that each call makes progress.
        let is_over = left == 0 || deadline.is_some_and(|deadline| Instant::now() >= deadline);
        let work = computed(move || through(follower, &*block));
        let ahead = async { if is_over { None } else { Some(snapshot.events(after, size(left)).await) } };
        let (next, followed) = tokio::join!(ahead, work);
        match followed? {
            Ok(whole) => follower = whole,
            Err((seq, why)) => return Ok(Followed::Broken { seq, why }),
        }
        match next {
            Some(next) => block = next?,
            None => return Ok(Followed::ToTheLimit(follower)),
        }
    }
}

/// Follows a block of events up to the first bad row.
pub(super) fn through<F: Follow>(mut follower: F, block: &dyn EventBlock) -> Result<F, (i64, Break)> {
    for index in 0..block.count() {
        let event = block.event(index).map_err(|seq| (seq, Break::Unreadable))?;
        follower.follow(&event).map_err(|why| (event.seq, why))?;
    }
    Ok(follower)
}
