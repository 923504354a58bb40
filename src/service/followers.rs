//! What the feed shares with its followers.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use tokio::sync::{Semaphore, broadcast};

use crate::domain::event::Event;

/// Blocks that a slow follower may be behind. Then it reads the ledger by itself until it has caught up.
const KEPT_BLOCKS: usize = 32;
/// Followers that read the ledger at the same time, so that a thousand that reconnect leave connections for others.
const READERS: usize = 4;

/// An event with its JSON, which all followers share.
#[derive(Debug)]
pub struct Entry {
    pub event: Event,
    pub json: String,
}

/// Events that follow each other in the log.
#[derive(Debug)]
pub struct Block {
    /// Seq of the event before the first of the block.
    pub after: i64,
    /// Seq of the last event of the block.
    pub last: i64,
    pub entries: Vec<Entry>,
}

/// What the loop tells the followers.
#[derive(Debug, Clone)]
pub enum News {
    Block(Arc<Block>),
    /// The log went back: seqs that were published are gone, or are used again.
    WentBack,
}

/// The followers, and the permits to read for them.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) news: broadcast::Sender<News>,
    pub(super) readers: Semaphore,
    /// The newest seq that a follower or the loop has seen.
    pub(super) newest: AtomicI64,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            news: broadcast::Sender::new(KEPT_BLOCKS),
            readers: Semaphore::new(READERS),
            newest: AtomicI64::default(),
        }
    }
}
