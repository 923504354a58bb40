//! The socket of a connection, with time limits.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};
use tracing::info;

use crate::http::problem::ProblemType;

use super::frames::{self, ENHANCE_YOUR_CALM, Excess, Frames, NO_ERROR};
use super::refusal;
use super::requests::Requests;

/// Limit for receiving the head of a request, from its first byte.
pub const HEAD_LIMIT: Duration = Duration::from_secs(30);
/// Limit of idle connections. Load balancers usually close idle connections after 60 s: with a longer limit here, the
/// service never closes a connection on which a load balancer is sending a request.
pub const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Limit for a caller to take the next bytes of its answer; HTTP/2: of each of its answers.
const WRITE_LIMIT: Duration = Duration::from_secs(60);
/// The most requests in progress on a connection: HTTP/2 callers may send any number before they take an answer.
const MAX_REQUESTS: u32 = 256;
/// How long a refused connection is still read. A socket that is closed with unread bytes is reset, and the caller then
/// loses the answer.
const LINGER: Duration = Duration::from_secs(2);
/// Refused connections whose answers may take as long as those of other connections. Refused connections do not count as open
/// ones, and each holds a file descriptor.
static PATIENT: Semaphore = Semaphore::const_new(64);
/// The most bytes of a refused connection that are still read.
const LINGER_BYTES: usize = 16 << 20;

type Timer = Option<Pin<Box<Sleep>>>;

/// Writes the answer for what is no request.
type Refuse = Box<dyn Fn(ProblemType) -> Vec<u8>>;

/// True if the time is over. Sets the timer if it is not set.
fn is_over(timer: &mut Timer, limit: Duration, cx: &mut Context<'_>) -> bool {
    timer.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx).is_ready()
}

/// A part of a head that has been received.
#[derive(Default)]
struct Head {
    /// The length of its first line so far, in bytes.
    line: usize,
    is_line_whole: bool,
    timer: Timer,
    /// The time limit of its first byte.
    idle: Timer,
    /// The number of requests before this one.
    after: u64,
}

impl Head {
    fn received(&mut self, bytes: &[u8]) {
        if self.is_line_whole {
            return;
        }
        let end = bytes.iter().position(|byte| *byte == b'\n');
        self.is_line_whole = end.is_some();
        self.line = self.line.saturating_add(end.unwrap_or(bytes.len()));
    }
}

/// What the protocol of a connection needs.
enum Protocol {
    Http1(Head),
    Http2 {
        frames: Frames,
        /// The time limit of an open header block.
        timer: Timer,
        /// The time limit of an idle connection, or of an answer that waits for the caller.
        idle: Timer,
        /// The server's settings have been sent.
        is_greeted: bool,
        /// The rest of the server's settings.
        greeting: Vec<u8>,
    },
}

impl Protocol {
    fn http_2() -> Self {
        let frames = Frames::default();
        Self::Http2 { frames, timer: None, idle: None, is_greeted: false, greeting: Vec::new() }
    }
}

/// A connection: a socket, or a TLS session on one.
pub struct Stream<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    /// `None` once the connection is refused and left to [`end`].
    io: Option<T>,
    protocol: Protocol,
    answer: Refuse,
    requests: Requests,
    stalled: Timer,
    /// The answer of a refused connection that is not written yet.
    refused: Option<Vec<u8>>,
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream<T> {
    /// `answer` writes the answer for what is no request (HTTP/1.1).
    pub fn new(io: T, is_http_1: bool, answer: impl Fn(ProblemType) -> Vec<u8> + 'static) -> Self {
        Self {
            io: Some(io),
            protocol: if is_http_1 { Protocol::Http1(Head::default()) } else { Protocol::http_2() },
            answer: Box::new(answer),
            requests: Requests::default(),
            stalled: None,
            refused: None,
        }
    }

    /// The counts of the connection's requests.
    pub fn requests(&self) -> &Requests {
        &self.requests
    }

    /// Ends the connection with this problem, after bytes that are still to be written. The rest of a body that an early answer
    /// refused is no request, and gets no second answer.
    fn refuse(&mut self, kind: ProblemType, before: &[u8]) {
        if matches!(self.protocol, Protocol::Http2 { .. }) {
            return self.leave(ENHANCE_YOUR_CALM, kind.code());
        }
        let is_rest = self.requests.in_progress() == 0 && self.requests.is_body_unread();
        let answer = if is_rest { Vec::new() } else { (self.answer)(kind) };
        self.refused = Some([before, &answer].concat());
    }

    /// Ends an HTTP/2 connection.
    fn leave(&mut self, code: u8, reason: &'static str) {
        if let Protocol::Http2 { frames, .. } = &self.protocol {
            self.refused = Some(frames::goodbye(frames.streams.newest(), code, reason));
        }
    }

    /// Looks at what the caller sent. Returns why it is more than a caller may send (HTTP/2).
    fn received(&mut self, bytes: &[u8]) -> Option<&'static str> {
        let in_progress = self.requests.in_progress();
        match &mut self.protocol {
            Protocol::Http1(head) => {
                if in_progress == 0 {
                    head.received(bytes);
                }
                None
            }
            Protocol::Http2 { frames, timer, .. } => {
                let followed = frames.received(bytes);
                if !frames.is_block_open() {
                    *timer = None;
                }
                let in_progress = in_progress.saturating_add(frames.streams.opened());
                match followed {
                    Err(Excess::Headers) => Some("headers too large"),
                    Err(Excess::SmallFrames) => Some("too many small frames of bodies"),
                    Ok(()) if in_progress > MAX_REQUESTS => Some("too many streams"),
                    Ok(()) => None,
                }
            }
        }
    }

    /// True if part of a head has come and the rest is late.
    fn is_head_late(&mut self, cx: &mut Context<'_>) -> bool {
        match &mut self.protocol {
            Protocol::Http1(head) => {
                self.requests.in_progress() == 0 && head.line > 0 && is_over(&mut head.timer, HEAD_LIMIT, cx)
            }
            Protocol::Http2 { frames, timer, .. } => frames.is_block_open() && is_over(timer, HEAD_LIMIT, cx),
        }
    }

    /// True if nothing has come since the last answer. The server itself waits without a limit for the rest of a body that
    /// it has refused.
    fn is_idle(&mut self, cx: &mut Context<'_>) -> bool {
        let Protocol::Http1(head) = &mut self.protocol else { return false };
        self.requests.in_progress() == 0
            && head.line == 0
            && is_over(&mut head.idle, KEEP_ALIVE + Duration::from_secs(5), cx)
    }

    /// True until the requests of the streams that were opened have begun, so that their number is known (HTTP/2).
    fn waits_for_requests(&mut self) -> bool {
        let Protocol::Http2 { frames, .. } = &mut self.protocol else { return false };
        let waits = frames.streams.wait(self.requests.started());
        if !waits {
            frames.streams.forget(self.requests.in_progress());
        }
        waits
    }

    /// Why an HTTP/2 connection is over: its caller does not take an answer, or has no request.
    fn is_left(&mut self, cx: &mut Context<'_>) -> Option<(u8, &'static str)> {
        let Protocol::Http2 { idle, .. } = &mut self.protocol else { return None };
        loop {
            let now = Instant::now();
            let is_busy = self.requests.in_progress() > 0 || self.stalled.is_some();
            let (end, why) = match self.requests.waits_since() {
                Some(since) => (since + WRITE_LIMIT, Some((ENHANCE_YOUR_CALM, "answer not taken"))),
                // The limit of an answer that waits from now on ends later.
                None if is_busy => (now + WRITE_LIMIT, None),
                None => (self.requests.idle_since() + KEEP_ALIVE, Some((NO_ERROR, "idle"))),
            };
            if end <= now {
                return why;
            }
            let timer = idle.get_or_insert_with(|| Box::pin(sleep_until(end)));
            if timer.is_elapsed() || timer.deadline() > end {
                timer.as_mut().reset(end);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return None;
            }
        }
    }

    /// Writes what is left of the server's settings, before anything else.
    fn poll_greet(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Protocol::Http2 { greeting, .. } = &mut self.protocol else { return Poll::Ready(Ok(())) };
        let Some(io) = self.io.as_mut() else { return Poll::Ready(Err(ErrorKind::NotConnected.into())) };
        while !greeting.is_empty() {
            match ready!(Pin::new(&mut *io).poll_write(cx, greeting))? {
                0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                written => drop(greeting.drain(..written)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Takes the server's settings out of the first bytes that it writes, to add our limits; returns how many bytes.
    fn greet(&mut self, written: &[u8]) -> Option<usize> {
        let Protocol::Http2 { is_greeted: is_greeted @ false, greeting, .. } = &mut self.protocol else {
            return None;
        };
        *is_greeted = true;
        let (length, settings) = frames::with_limits(written, MAX_REQUESTS)?;
        *greeting = settings;
        Some(length)
    }

    /// The result of a write, or an error if the caller takes nothing, or not the next part of an answer, for too long.
    fn unless_stalled<R>(
        &mut self,
        written: Poll<io::Result<R>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<R>> {
        match written {
            Poll::Ready(result) => {
                if self.stalled.take().is_some() {
                    self.requests.taken();
                }
                Poll::Ready(result)
            }
            // An answer can wait while the caller takes a few other bytes at a time.
            Poll::Pending if is_over(&mut self.stalled, WRITE_LIMIT, cx) || self.is_left(cx).is_some() => {
                Poll::Ready(Err(ErrorKind::TimedOut.into()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncRead for Stream<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let started = this.requests.started();
        if let Protocol::Http1(head) = &mut this.protocol
            && head.after != started
        {
            *head = Head { after: started, ..Head::default() };
        }
        if this.waits_for_requests() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let Some(io) = this.io.as_mut() else { return Poll::Ready(Ok(())) };
        if Pin::new(io).poll_read(cx, buf)?.is_ready() {
            if let Some(reason) = this.received(buf.filled().get(before..).unwrap_or_default()) {
                info!(reason, "closing an HTTP/2 connection");
                this.leave(ENHANCE_YOUR_CALM, reason);
                return Poll::Ready(Err(ErrorKind::InvalidData.into()));
            }
            return Poll::Ready(Ok(()));
        }
        if this.is_idle(cx) {
            return Poll::Ready(Err(ErrorKind::TimedOut.into()));
        }
        if let Some((code, reason)) = this.is_left(cx) {
            if code != NO_ERROR {
                info!(reason, "closing an HTTP/2 connection");
            }
            this.leave(code, reason);
            return Poll::Ready(Err(ErrorKind::TimedOut.into()));
        }
        if this.is_head_late(cx) {
            this.refuse(ProblemType::RequestTimeout, &[]);
            return Poll::Ready(Err(ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncWrite for Stream<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.refused.is_some() {
            return Poll::Ready(Ok(buf.len()));
        }
        if let Protocol::Http1(head) = &this.protocol
            && let Some((at, status)) = refusal::bare(buf)
        {
            let kind = refusal::kind(status, head.line);
            this.refuse(kind, buf.get(..at).unwrap_or_default());
            return Poll::Ready(Ok(buf.len()));
        }
        if let Some(length) = this.greet(buf) {
            return Poll::Ready(Ok(length));
        }
        let greeted = this.poll_greet(cx);
        ready!(this.unless_stalled(greeted, cx))?;
        let Some(io) = this.io.as_mut() else { return Poll::Ready(Err(ErrorKind::NotConnected.into())) };
        let written = Pin::new(io).poll_write(cx, buf);
        this.unless_stalled(written, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.refused.is_some() {
            return Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()));
        }
        if let Some(length) = bufs.first().and_then(|first| this.greet(first)) {
            return Poll::Ready(Ok(length));
        }
        let greeted = this.poll_greet(cx);
        ready!(this.unless_stalled(greeted, cx))?;
        let Some(io) = this.io.as_mut() else { return Poll::Ready(Err(ErrorKind::NotConnected.into())) };
        let written = Pin::new(io).poll_write_vectored(cx, bufs);
        this.unless_stalled(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        // HTTP/1 answers are searched for the server's own, so each is written from one buffer.
        matches!(self.protocol, Protocol::Http2 { .. })
            && self.io.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.refused.is_some() {
            // Written by `end`.
            return Poll::Ready(Ok(()));
        }
        let greeted = this.poll_greet(cx);
        ready!(this.unless_stalled(greeted, cx))?;
        let Some(io) = this.io.as_mut() else { return Poll::Ready(Err(ErrorKind::NotConnected.into())) };
        let flushed = Pin::new(io).poll_flush(cx);
        this.unless_stalled(flushed, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.refused.is_some() {
            return Poll::Ready(Ok(()));
        }
        let Some(io) = this.io.as_mut() else { return Poll::Ready(Ok(())) };
        let ended = Pin::new(io).poll_shutdown(cx);
        Poll::Ready(ready!(this.unless_stalled(ended, cx)))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Drop for Stream<T> {
    fn drop(&mut self) {
        if let (Some(answer), Some(io), Ok(runtime)) =
            (self.refused.take(), self.io.take(), Handle::try_current())
        {
            runtime.spawn(end(io, answer));
        }
    }
}

/// Writes the answer of a refused connection, and reads what the caller still sends; each within its time limit.
async fn end(mut io: impl AsyncRead + AsyncWrite + Unpin, answer: Vec<u8>) {
    let write = async {
        io.write_all(&answer).await?;
        io.shutdown().await
    };
    let patient = PATIENT.try_acquire();
    let limit = if patient.is_ok() { WRITE_LIMIT } else { LINGER };
    if !matches!(timeout(limit, write).await, Ok(Ok(()))) {
        return;
    }
    drop(patient);
    let read = async {
        let mut bytes = [0; 4096];
        let mut left = LINGER_BYTES;
        while let Ok(more @ 1..) = io.read(&mut bytes).await
            && more < left
        {
            left -= more;
        }
    };
    let _ = timeout(LINGER, read).await;
}

#[cfg(test)]
mod tests;
