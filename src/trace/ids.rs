//! The ids of spans: random, or the one that the next span must have.

use std::cell::Cell;

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

thread_local! {
    static NEXT: Cell<Option<SpanId>> = const { Cell::new(None) };
}

/// Random ids, except inside [`next_is`].
#[derive(Debug, Default)]
pub struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        self.0.new_trace_id()
    }

    fn new_span_id(&self) -> SpanId {
        NEXT.take().unwrap_or_else(|| self.0.new_span_id())
    }
}

/// Gives the span that `start` starts this id.
pub(super) fn next_is<T>(id: SpanId, start: impl FnOnce() -> T) -> T {
    NEXT.set(Some(id));
    let started = start();
    NEXT.set(None);
    started
}
