//! The streams of an HTTP/2 connection: those whose requests have not begun yet, and the small frames of their bodies. Each frame
//! of a body that is not read takes memory of the HTTP/2 library, even if it is empty (RUSTSEC-2026-0258).

use std::collections::BTreeMap;

/// The most small frames of a body, and of all bodies of a connection together. A body may have 64 KiB, in frames of 64 bytes.
const MAX_OF_BODY: u32 = 1100;
const MAX_OF_ALL: u32 = 4 * MAX_OF_BODY;
/// Frames of bodies below this length are small, in bytes.
const SMALL: usize = 512;

#[derive(Debug, Default)]
pub struct Streams {
    /// The number of the newest stream.
    newest: u32,
    /// Streams that were opened since all requests had begun.
    opened: u32,
    /// The number of requests that had begun by then.
    begun: u64,
    /// How often the connection has waited for those streams.
    waits: u32,
    /// Small frames of the bodies that have not ended, by stream.
    open: BTreeMap<u32, u32>,
    /// Small frames of bodies that have ended, while their requests are perhaps in progress.
    ended: Vec<u32>,
    /// All of them.
    small: u32,
}

impl Streams {
    /// The number of the newest stream.
    pub fn newest(&self) -> u32 {
        self.newest
    }

    /// Streams that were opened since all requests had begun.
    pub fn opened(&self) -> u32 {
        self.opened
    }

    /// A frame of headers.
    pub fn headers(&mut self, stream: u32) {
        if stream > self.newest {
            self.newest = stream;
            self.opened = self.opened.saturating_add(1);
        }
    }

    /// A frame of a body. Returns false if bodies have too many small frames.
    pub fn data(&mut self, stream: u32, length: usize) -> bool {
        if length >= SMALL {
            return true;
        }
        let of_body = self.open.entry(stream).or_default();
        *of_body += 1;
        self.small += 1;
        *of_body <= MAX_OF_BODY && self.small <= MAX_OF_ALL
    }

    /// The end of a body, or of its stream.
    pub fn end(&mut self, stream: u32) {
        self.ended.extend(self.open.remove(&stream));
    }

    /// True while requests of opened streams have not begun; `begun` is the number of all that have. The HTTP/2 library
    /// hands over one request for each time that it is polled, and none for a stream that it refuses.
    pub fn wait(&mut self, begun: u64) -> bool {
        let are_missing = begun.wrapping_sub(self.begun) < u64::from(self.opened);
        if are_missing && self.waits <= self.opened {
            self.waits += 1;
            return true;
        }
        (self.opened, self.waits, self.begun) = (0, 0, begun);
        false
    }

    /// Forgets the small frames of requests that are over: their bodies take no memory any more. Which ones are over is not
    /// known, so the bodies with the most small frames count as in progress.
    pub fn forget(&mut self, in_progress: u32) {
        if in_progress == 0 {
            self.open.clear();
            self.ended.clear();
            self.small = 0;
            return;
        }
        let most = usize::try_from(in_progress).unwrap_or(usize::MAX);
        if self.ended.len() > most {
            self.ended.sort_unstable_by(|a, b| b.cmp(a));
            let over: u32 = self.ended.drain(most..).sum();
            self.small = self.small.saturating_sub(over);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends a body of small frames, the last of which ends it; true if all of it was taken.
    fn body(streams: &mut Streams, stream: u32, frames: u32) -> bool {
        streams.headers(stream);
        let is_taken = (1..frames).all(|_| streams.data(stream, 64));
        streams.end(stream);
        is_taken
    }

    #[test]
    fn any_number_of_bodies_in_small_frames_is_taken_while_their_requests_end() {
        let mut streams = Streams::default();
        for at in 0..10_000 {
            assert!(body(&mut streams, 2 * at + 1, 5), "body {at}");
            // Another request is always in progress: a stream of events, for example.
            streams.forget(1);
        }
        for at in 10_000..10_100 {
            assert!(body(&mut streams, 2 * at + 1, 1024), "64 KiB in frames of 64 bytes");
            streams.forget(2);
        }
        streams.forget(0);
        assert_eq!((streams.small, streams.ended.len(), streams.open.len()), (0, 0, 0));
    }

    #[test]
    fn small_frames_of_bodies_that_nobody_reads_are_limited() {
        let mut streams = Streams::default();
        streams.headers(1);
        assert!((0..MAX_OF_BODY).all(|_| streams.data(1, 0) && streams.data(1, SMALL)));
        assert!(!streams.data(1, 0), "one body");

        // All requests stay in progress, whether their bodies have ended or not.
        for ends in [false, true] {
            let mut streams = Streams::default();
            let mut taken = 0;
            while taken <= MAX_OF_ALL {
                let stream = 2 * taken + 1;
                streams.headers(stream);
                if !(0..100).all(|_| streams.data(stream, 1)) {
                    break;
                }
                taken += 100;
                if ends {
                    streams.end(stream);
                }
                streams.forget(taken / 100);
            }
            assert_eq!(taken, MAX_OF_ALL, "{ends}");
        }
    }

    #[test]
    fn small_frames_count_until_all_requests_that_may_hold_them_are_over() {
        let mut streams = Streams::default();
        for stream in [1, 3, 5, 7] {
            assert!(body(&mut streams, stream, MAX_OF_BODY));
        }
        for at in 4..10_000 {
            // Requests that end at once give nothing back of the four that wait.
            assert!(body(&mut streams, 2 * at + 1, 2));
            streams.forget(4);
        }
        assert_eq!(streams.small, 4 * (MAX_OF_BODY - 1));
        assert!(!body(&mut streams, 20_001, 10));
    }

    #[test]
    fn opened_streams_are_awaited_until_their_requests_begin_or_can_begin_no_more() {
        let mut streams = Streams::default();
        assert!(!streams.wait(0));
        for stream in [1, 3, 3, 5] {
            streams.headers(stream);
        }
        assert_eq!((streams.opened(), streams.newest()), (3, 5));
        assert!(streams.wait(0) && streams.wait(2) && !streams.wait(3));
        assert_eq!(streams.opened(), 0);
        streams.headers(7);
        // As often as the library can be polled before the request begins.
        assert!(streams.wait(3) && streams.wait(3) && !streams.wait(3));
        assert!(!streams.wait(3));
    }
}
