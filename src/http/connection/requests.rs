//! The requests of a connection that are in progress: from the end of the head to the end of the answer.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::Error;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use pin_project_lite::pin_project;

#[derive(Default)]
struct Counts {
    started: Cell<u64>,
    in_progress: Cell<u32>,
}

/// The counts of a connection. Clones share them; a worker thread owns all of them.
#[derive(Clone, Default)]
pub struct Requests(Rc<Counts>);

/// A request in progress, until it is dropped.
struct InProgress(Rc<Counts>);

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.in_progress.set(self.0.in_progress.get().saturating_sub(1));
    }
}

impl Requests {
    fn begin(&self) -> InProgress {
        self.0.started.set(self.0.started.get().wrapping_add(1));
        self.0.in_progress.set(self.0.in_progress.get().saturating_add(1));
        InProgress(self.0.clone())
    }

    /// The number of requests whose head has arrived.
    pub fn started(&self) -> u64 {
        self.0.started.get()
    }

    /// The number of requests that are in progress.
    pub fn in_progress(&self) -> u32 {
        self.0.in_progress.get()
    }
}

/// The outermost middleware: counts the request on its connection until its answer is sent or dropped.
pub async fn counted(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let in_progress = request.conn_data::<Requests>().map(Requests::begin);
    let response = next.call(request).await?;
    Ok(response.map_body(|_, body| Counted { body, _in_progress: in_progress }))
}

pin_project! {
    /// A body that counts until it is dropped.
    struct Counted<B> {
        #[pin]
        body: B,
        _in_progress: Option<InProgress>,
    }
}

impl<B: MessageBody> MessageBody for Counted<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, B::Error>>> {
        self.project().body.poll_next(cx)
    }
}
