//! Bodies in pieces. The server copies the next piece of a body into the buffer of its connection, where it stays until the
//! caller takes it: with whole bodies, callers that never read could fill the memory.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use pin_project_lite::pin_project;

/// The largest piece, in bytes.
const MAX_PIECE: usize = 16 * 1024;

pin_project! {
    /// A body whose chunks are at most [`MAX_PIECE`] long.
    pub struct Pieces<B> {
        #[pin]
        body: B,
        rest: Bytes,
    }
}

impl<B> Pieces<B> {
    pub fn of(body: B) -> Self {
        Self { body, rest: Bytes::new() }
    }
}

impl<B: MessageBody> MessageBody for Pieces<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, B::Error>>> {
        let this = self.project();
        if this.rest.is_empty() {
            match this.body.poll_next(cx) {
                Poll::Ready(Some(Ok(chunk))) => *this.rest = chunk,
                other => return other,
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(MAX_PIECE));
        Poll::Ready(Some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[tokio::test]
    async fn a_long_body_comes_in_pieces_and_whole() {
        let text = "0123456789".repeat(10_000);
        let mut body = pin!(Pieces::of(text.clone()));
        assert_eq!(body.size(), BodySize::Sized(100_000));
        let mut found = Vec::new();
        while let Some(piece) = std::future::poll_fn(|cx| body.as_mut().poll_next(cx)).await {
            let piece = piece.expect("a piece");
            assert!((1..=MAX_PIECE).contains(&piece.len()));
            found.extend_from_slice(&piece);
        }
        assert!(found == text.as_bytes());
    }
}
