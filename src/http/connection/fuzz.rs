//! Properties of connections, for the fuzzer.

#![allow(clippy::expect_used, clippy::panic, reason = "a property that does not hold stops the fuzzer")]

use super::frames::{Frames, with_limits};
use super::refusal::bare;

/// Frames are the same however their bytes are cut. The first byte is the length of the pieces.
pub fn frames(bytes: &[u8]) {
    let Some((length, bytes)) = bytes.split_first() else { return };
    let mut whole = Frames::default();
    let mut cut = Frames::default();
    let of_whole = whole.received(bytes);
    let of_cut = bytes.chunks(usize::from(*length).max(1)).try_for_each(|piece| cut.received(piece));
    assert_eq!(of_whole, of_cut);
    if of_whole.is_ok() {
        assert_eq!(format!("{whole:?}"), format!("{cut:?}"));
    }
}

/// An answer of the server's own is found where it is.
pub fn answers(bytes: &[u8]) {
    if let Some((at, _)) = bare(bytes) {
        assert!(bytes.get(at..).is_some_and(|answer| answer.starts_with(b"HTTP/1.")));
    }
    if let Some((length, told)) = with_limits(bytes, 256) {
        assert!(length <= bytes.len() && told.len() == length + 12);
    }
}
