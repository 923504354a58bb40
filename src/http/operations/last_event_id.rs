//! `Last-Event-ID`: the position at which a client resumes a stream.

use crate::domain::event::Event;
use crate::domain::fault::Fault;

use crate::http::call::Call;
use crate::http::problem::{Problem, ProblemType};
use crate::http::sse::LAST_EVENT_ID;

/// Digits of the largest accepted seq, which always fits into an `i64`.
const MAX_DIGITS: usize = 18;
/// The id of the last message: a client that reconnects with it has received everything.
pub const END: &str = "end";
/// The pattern of message ids.
pub const PATTERN: &str = "^(end|[0-9]{1,18})$";

/// The last message that a client received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastEventId {
    /// The step with this seq; 0 for a new client.
    Step(i64),
    /// The end.
    End,
}

impl LastEventId {
    pub fn parse(text: &str) -> Option<Self> {
        if text == END {
            return Some(Self::End);
        }
        let is_number =
            (1..=MAX_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| is_number).map(Self::Step)
    }

    /// The newest of these steps that the client has received. An id of another stream counts as none: otherwise it would hide
    /// steps that the client never received.
    pub fn among(self, events: &[Event]) -> i64 {
        match self {
            Self::Step(seq) if events.iter().any(|event| event.row.seq == seq) => seq,
            Self::Step(_) | Self::End => 0,
        }
    }
}

/// Reads the header, which reconnecting clients send, or else the query parameter.
pub fn read(call: &Call) -> Result<LastEventId, Problem> {
    let mut query = call.query();
    let expected = || "must be the id of a message of this stream".to_owned();
    let given = query.value("last_event_id", expected, LastEventId::parse);
    query.finish()?;
    let Some(header) = call.request.headers().get(LAST_EVENT_ID) else {
        return Ok(given.unwrap_or(LastEventId::Step(0)));
    };
    header.to_str().ok().and_then(LastEventId::parse).ok_or_else(|| {
        Problem::of(ProblemType::InvalidHeader).with_errors(vec![Fault::new(
            "header:Last-Event-ID",
            "invalid",
            expected(),
        )])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_step_or_the_end() {
        assert_eq!(LastEventId::parse("0"), Some(LastEventId::Step(0)));
        assert_eq!(LastEventId::parse("42"), Some(LastEventId::Step(42)));
        assert_eq!(LastEventId::parse("end"), Some(LastEventId::End));
        for bad in ["", "-1", "+1", "END", "4 ", "9999999999999999999"] {
            assert_eq!(LastEventId::parse(bad), None, "{bad}");
        }
    }
}
