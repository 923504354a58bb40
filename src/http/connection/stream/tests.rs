//! The limits, in a time that passes at once.

use std::future::poll_fn;

use actix_web::body::MessageBody;
use actix_web::web::Bytes;
use futures_util::stream;
use tokio::io::{DuplexStream, duplex};
use tokio::time::advance;

use super::super::requests::Counted;
use super::*;

const END_STREAM_AND_HEADERS: u8 = 5;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&[a, b, c, kind, flags][..], &stream.to_be_bytes(), payload].concat()
}

fn requests(streams: impl Iterator<Item = u32>) -> Vec<u8> {
    streams.flat_map(|stream| frame(1, END_STREAM_AND_HEADERS, 2 * stream + 1, &[0x82])).collect()
}

/// A connection, and its other end.
async fn connection(is_http_1: bool) -> (Stream<DuplexStream>, DuplexStream) {
    let (mut caller, socket) = duplex(1 << 20);
    if !is_http_1 {
        caller.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("sent");
    }
    (Stream::new(socket, is_http_1, |kind| kind.code().as_bytes().to_vec()), caller)
}

/// Reads until the connection ends.
async fn ends(stream: &mut Stream<DuplexStream>) -> ErrorKind {
    let mut bytes = vec![0; 16_384];
    loop {
        match stream.read(&mut bytes).await {
            Ok(0) => return ErrorKind::UnexpectedEof,
            Ok(_) => {}
            Err(error) => return error.kind(),
        }
    }
}

/// What the caller gets when the connection is dropped.
async fn rest(stream: Stream<DuplexStream>, mut caller: DuplexStream) -> Vec<u8> {
    drop(stream);
    let mut bytes = Vec::new();
    caller.read_to_end(&mut bytes).await.expect("an end");
    bytes
}

/// An answer of so many parts.
fn answer(requests: &Requests, parts: usize) -> Pin<Box<impl MessageBody<Error = io::Error> + use<>>> {
    let parts = stream::iter((0..parts).map(|_| Ok::<_, io::Error>(Bytes::from_static(b"part"))));
    Box::pin(Counted::new(actix_web::body::BodyStream::new(parts), requests))
}

#[tokio::test(start_paused = true)]
async fn http_2_connections_without_a_request_end() {
    let (mut stream, mut caller) = connection(false).await;
    let started = Instant::now();
    caller.write_all(&requests(0..2)).await.expect("sent");
    let (first, second) = (stream.requests().begin(), stream.requests().begin());
    assert!(timeout(10 * KEEP_ALIVE, ends(&mut stream)).await.is_err(), "an answer is still to come");
    drop(first);
    advance(KEEP_ALIVE).await;
    drop(second);
    assert!(timeout(KEEP_ALIVE / 2, ends(&mut stream)).await.is_err(), "not idle for long");
    // Pings are no requests.
    caller.write_all(&frame(6, 0, 0, b"12345678")).await.expect("sent");
    assert_eq!(ends(&mut stream).await, ErrorKind::TimedOut);
    assert_eq!(started.elapsed(), 12 * KEEP_ALIVE);
    assert_eq!(rest(stream, caller).await, frames::goodbye(3, NO_ERROR, "idle"));
}

#[tokio::test(start_paused = true)]
async fn answers_that_a_caller_of_http_2_does_not_take_end_the_connection() {
    let (mut stream, caller) = connection(false).await;
    let mut taken = answer(stream.requests(), 1000);
    let mut left = answer(stream.requests(), 2);
    let part = poll_fn(|cx| left.as_mut().poll_next(cx)).await;
    assert!(part.is_some());
    let started = Instant::now();
    let end = {
        let end = ends(&mut stream);
        tokio::pin!(end);
        loop {
            tokio::select! {
                end = &mut end => break end,
                () = sleep(Duration::from_secs(7)) => assert!(poll_fn(|cx| taken.as_mut().poll_next(cx)).await.is_some()),
            }
        }
    };
    assert_eq!((end, started.elapsed()), (ErrorKind::TimedOut, WRITE_LIMIT));
    assert_eq!(rest(stream, caller).await, frames::goodbye(0, ENHANCE_YOUR_CALM, "answer not taken"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_waits_no_longer_while_the_caller_takes_a_few_other_bytes() {
    let (mut caller, socket) = duplex(16);
    let mut stream = Stream::new(socket, false, |_| Vec::new());
    let mut left = answer(stream.requests(), 2);
    assert!(poll_fn(|cx| left.as_mut().poll_next(cx)).await.is_some());
    let started = Instant::now();
    let written = async {
        loop {
            if let Err(error) = stream.write_all(b"pong").await {
                break error.kind();
            }
        }
    };
    tokio::pin!(written);
    let end = loop {
        tokio::select! {
            end = &mut written => break end,
            () = sleep(Duration::from_secs(7)) => assert_eq!(caller.read(&mut [0; 4]).await.expect("read"), 4),
        }
    };
    assert_eq!((end, started.elapsed()), (ErrorKind::TimedOut, WRITE_LIMIT));
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_taken_or_have_no_next_part_yet_go_on() {
    let (mut stream, _caller) = connection(false).await;
    let mut taken = answer(stream.requests(), 1000);
    let events = stream::pending::<Result<Bytes, io::Error>>();
    let mut events = Box::pin(Counted::new(actix_web::body::BodyStream::new(events), stream.requests()));
    tokio::select! {
        biased;
        _ = poll_fn(|cx| events.as_mut().poll_next(cx)) => panic!("an event"),
        () = std::future::ready(()) => {}
    }
    let end = ends(&mut stream);
    tokio::pin!(end);
    for _ in 0..1000 {
        assert!(poll_fn(|cx| taken.as_mut().poll_next(cx)).await.is_some());
        let until = timeout(WRITE_LIMIT - Duration::from_secs(1), &mut end).await;
        assert!(until.is_err(), "{until:?}");
    }
    assert!(poll_fn(|cx| taken.as_mut().poll_next(cx)).await.is_none());
    drop(taken);
    assert!(timeout(10 * KEEP_ALIVE, &mut end).await.is_err(), "the stream of events goes on");
    drop(events);
    assert_eq!(end.await, ErrorKind::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn more_streams_than_the_limit_are_refused_before_any_request_begins() {
    for streams in [MAX_REQUESTS, MAX_REQUESTS + 1] {
        let (mut stream, mut caller) = connection(false).await;
        caller.write_all(&requests(0..streams)).await.expect("sent");
        let expected = if streams > MAX_REQUESTS { ErrorKind::InvalidData } else { ErrorKind::TimedOut };
        assert_eq!(ends(&mut stream).await, expected, "{streams}");
    }
    // Also in many reads, in between which requests end.
    let (mut stream, mut caller) = connection(false).await;
    for at in 0..100 {
        caller.write_all(&requests(200 * at..200 * (at + 1))).await.expect("sent");
        let mut bytes = vec![0; 16_384];
        assert!(stream.read(&mut bytes).await.is_ok());
        let begun: Vec<_> = (0..200).map(|_| stream.requests().begin()).collect();
        drop(begun);
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_head_is_answered_and_the_late_rest_of_a_body_is_not() {
    for is_body in [false, true] {
        let (mut stream, mut caller) = connection(true).await;
        let request = stream.requests().begin();
        if is_body {
            stream.requests().watched(actix_web::dev::Payload::None);
        }
        drop(request);
        caller.write_all(b"5\r\nabc").await.expect("sent");
        let started = Instant::now();
        assert_eq!((ends(&mut stream).await, started.elapsed()), (ErrorKind::TimedOut, HEAD_LIMIT));
        let expected: &[u8] = if is_body { b"" } else { b"request_timeout" };
        assert_eq!(rest(stream, caller).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_a_refused_connection_owes_have_the_time_of_other_answers() {
    let (mut caller, socket) = duplex(128);
    let mut stream = Stream::new(socket, true, |_| b"problem".to_vec());
    let own = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let owed = vec![b'x'; 1000];
    stream.write_all(&[&owed[..], own].concat()).await.expect("taken");
    drop(stream);
    let mut received = Vec::new();
    let mut bytes = [0; 100];
    loop {
        sleep(2 * LINGER).await;
        match caller.read(&mut bytes).await.expect("read") {
            0 => break,
            read => received.extend_from_slice(&bytes[..read]),
        }
    }
    assert_eq!(received, [&owed[..], b"problem"].concat());
}
