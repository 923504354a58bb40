//! The requests of a connection that are in progress: from the end of the head to the end of the answer.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::Version;
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage};
use futures_util::{StreamExt, stream};
use pin_project_lite::pin_project;
use tokio::time::Instant;

struct Counts {
    started: Cell<u64>,
    in_progress: Cell<u32>,
    /// When the newest request ended; at first, the begin of the connection.
    idle_since: Cell<Instant>,
    /// Answers whose next part was given to the server and is not taken yet: since when, and the number of the request.
    waiting: RefCell<BTreeSet<(Instant, u64)>>,
    /// The end of the newest request's body was not read.
    is_body_unread: Cell<bool>,
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
            is_body_unread: Cell::default(),
        }))
    }
}

impl Requests {
    pub fn begin(&self) -> InProgress {
        let number = self.0.started.get().wrapping_add(1);
        self.0.started.set(number);
        self.0.in_progress.set(self.0.in_progress.get().saturating_add(1));
        self.0.is_body_unread.set(false);
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

    /// True if the newest request has a body without a length whose end was not read.
    pub fn is_body_unread(&self) -> bool {
        self.0.is_body_unread.get()
    }

    /// Notes whether this payload, of the newest request, is read to its end.
    pub fn watched(&self, payload: Payload) -> Payload {
        self.0.is_body_unread.set(true);
        let counts = self.0.clone();
        let end = stream::poll_fn(move |_| {
            counts.is_body_unread.set(false);
            Poll::Ready(None)
        });
        Payload::Stream { payload: Box::pin(payload.chain(end)) }
    }
}

/// The outermost middleware: counts the request on its connection until its answer is sent or dropped.
pub async fn counted(
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let requests = request.conn_data::<Requests>().cloned();
    let in_progress = requests.as_ref().map(Requests::begin);
    if let Some(requests) = requests
        && request.version() < Version::HTTP_2
        && request.chunked().unwrap_or(false)
    {
        let payload = request.take_payload();
        request.set_payload(requests.watched(payload));
    }
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
