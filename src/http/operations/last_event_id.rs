//! Where a client's last stream broke off.

use actix_web::http::header::HeaderName;

use crate::domain::event::Event;
use crate::domain::fault::Fault;

use crate::http::call::Call;
use crate::http::problem::{Problem, ProblemType};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// More digits than a place in the log will ever have, and fewer than don't fit.
const MAX_DIGITS: usize = 18;
/// The id of the last message: a client that comes again with it has seen everything.
pub const END: &str = "end";
/// The ids of messages.
pub const PATTERN: &str = "^(end|[0-9]{1,18})$";

/// What a client has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Every step up to this one.
    After(i64),
    /// The end too.
    End,
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        if text == END {
            return Some(Self::End);
        }
        let is_number =
            (1..=MAX_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| is_number).map(Self::After)
    }

    /// The newest of these steps that the client has. A place that is none of them is one of another stream: taken at its
    /// word it would hide steps that the client never saw.
    pub fn among(self, events: &[Event]) -> i64 {
        match self {
            Self::After(seq) if events.iter().any(|event| event.row.seq == seq) => seq,
            Self::After(_) | Self::End => 0,
        }
    }
}

/// Reads it from the header, which a client sends that connects again by itself, or else from the query.
pub fn last_seen(call: &Call) -> Result<Place, Problem> {
    let mut query = call.query();
    let what = || "must be the id of a message of this stream".to_owned();
    let asked = query.value("last_event_id", what, Place::parse);
    query.finish()?;
    let Some(header) = call.request.headers().get(LAST_EVENT_ID) else {
        return Ok(asked.unwrap_or(Place::After(0)));
    };
    header.to_str().ok().and_then(Place::parse).ok_or_else(|| {
        Problem::of(ProblemType::InvalidHeader).with_errors(vec![Fault::new(
            "header:Last-Event-ID",
            "invalid",
            what(),
        )])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_step_or_the_end() {
        assert_eq!(Place::parse("0"), Some(Place::After(0)));
        assert_eq!(Place::parse("42"), Some(Place::After(42)));
        assert_eq!(Place::parse("end"), Some(Place::End));
        for bad in ["", "-1", "+1", "END", "4 ", "9999999999999999999"] {
            assert_eq!(Place::parse(bad), None, "{bad}");
        }
    }
}
