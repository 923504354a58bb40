//! The requests of a connection that are in progress: from the end of the head to the end of the answer.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::Error;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use pin_project_lite::pin_project;
use tokio::time::Instant;

struct Counts {
    started: Cell<u64>,
    in_progress: Cell<u32>,
    /// When the newest request ended; at first, the begin of the connection.
    idle_since: Cell<Instant>,
    /// Answers whose next part was given to the server and is not taken yet: since when, and the number of the request.
    waiting: RefCell<BTreeSet<(Instant, u64)>>,
}

/// The counts of a connection. Clones share them; a worker thread owns all of them.
#[derive(Clone)]
pub struct Requests(Rc<Counts>);

/// A request in progress, until it is dropped.
pub struct InProgress {
    counts: Rc<Counts>,
    number: u64,
    waits_since: Option<Instant>,
}

impl InProgress {
    /// A part of the answer waits for the caller from now on.
    fn waits(&mut self) {
        let now = Instant::now();
        self.waits_since = Some(now);
        self.counts.waiting.borrow_mut().insert((now, self.number));
    }

    /// The caller has taken it.
    fn goes_on(&mut self) {
        if let Some(since) = self.waits_since.take() {
            self.counts.waiting.borrow_mut().remove(&(since, self.number));
        }
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.goes_on();
        self.counts.in_progress.set(self.counts.in_progress.get().saturating_sub(1));
        self.counts.idle_since.set(Instant::now());
    }
}

impl Default for Requests {
    fn default() -> Self {
        Self(Rc::new(Counts {
            started: Cell::default(),
            in_progress: Cell::default(),
            idle_since: Cell::new(Instant::now()),
            waiting: RefCell::default(),
        }))
    }
}

impl Requests {
    pub fn begin(&self) -> InProgress {
        let number = self.0.started.get().wrapping_add(1);
        self.0.started.set(number);
        self.0.in_progress.set(self.0.in_progress.get().saturating_add(1));
        InProgress { counts: self.0.clone(), number, waits_since: None }
    }

    /// The number of requests whose head has arrived.
    pub fn started(&self) -> u64 {
        self.0.started.get()
    }

    /// The number of requests that are in progress.
    pub fn in_progress(&self) -> u32 {
        self.0.in_progress.get()
    }

    /// When the newest request ended, or the caller took the rest of its answer; at first, the begin of the connection.
    pub fn idle_since(&self) -> Instant {
        self.0.idle_since.get()
    }

    /// The caller has taken bytes that waited.
    pub fn taken(&self) {
        self.0.idle_since.set(Instant::now());
    }

    /// Since when the caller has not taken the next part of an answer.
    pub fn waits_since(&self) -> Option<Instant> {
        self.0.waiting.borrow().first().map(|(since, _)| *since)
    }
}

/// The outermost middleware: counts the request on its connection until its answer is sent or dropped.
pub async fn counted(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let in_progress = request.conn_data::<Requests>().map(Requests::begin);
    let response = next.call(request).await?;
    Ok(response.map_body(|_, body| Counted { body, in_progress }))
}

pin_project! {
    /// A body that counts until it is dropped.
    pub struct Counted<B> {
        #[pin]
        body: B,
        in_progress: Option<InProgress>,
    }
}

impl<B: MessageBody> MessageBody for Counted<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, B::Error>>> {
        let this = self.project();
        if let Some(in_progress) = this.in_progress {
            in_progress.goes_on();
        }
        let next = ready!(this.body.poll_next(cx));
        // The server asks for the next part once the caller has taken this one.
        if let (Some(Ok(_)), Some(in_progress)) = (&next, this.in_progress) {
            in_progress.waits();
        }
        Poll::Ready(next)
    }
}

#[cfg(test)]
impl<B> Counted<B> {
    pub fn new(body: B, requests: &Requests) -> Self {
        Self { body, in_progress: Some(requests.begin()) }
    }
}
