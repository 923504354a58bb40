//! The caller's span, by the headers `traceparent` and `tracestate` (W3C Trace Context).

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// The length of a version 00 `traceparent`.
const LENGTH: usize = 55;

/// The caller's span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent(pub(super) SpanContext);

impl Parent {
    /// Reads the headers. An invalid `traceparent` counts as none; an invalid `tracestate` is dropped.
    pub fn read(traceparent: &str, tracestate: Option<&str>) -> Option<Self> {
        let is_hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let parts: Vec<&str> = traceparent.split('-').collect();
        let [version, trace, span, flags, later @ ..] = parts.as_slice() else { return None };
        let lengths = [version.len(), trace.len(), span.len(), flags.len()];
        let is_formed =
            lengths == [2, 32, 16, 2] && [version, trace, span, flags].iter().all(|part| is_hex(part));
        // Later versions may add parts.
        let is_known =
            *version != "ff" && (*version != "00" || (later.is_empty() && traceparent.len() == LENGTH));
        if !is_formed || !is_known {
            return None;
        }
        let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
        let state = tracestate.and_then(|text| text.parse().ok()).unwrap_or(TraceState::NONE);
        let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
        let context = SpanContext::new(trace, span, flags, true, state);
        context.is_valid().then_some(Self(context))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    fn trace_of(traceparent: &str) -> Option<(String, bool)> {
        let parent = Parent::read(traceparent, None)?;
        Some((parent.0.trace_id().to_string(), parent.0.is_sampled()))
    }

    #[test]
    fn a_valid_header_names_the_trace_and_whether_it_is_sampled() {
        for (flags, sampled) in [("00", false), ("01", true), ("03", true), ("fe", false)] {
            let header = format!("00-{TRACE}-b7ad6b7169203331-{flags}");
            assert_eq!(trace_of(&header), Some((TRACE.into(), sampled)), "{header}");
        }
        // A later version, with parts that this one does not know.
        let later = format!("01-{TRACE}-b7ad6b7169203331-01-more");
        assert_eq!(trace_of(&later), Some((TRACE.into(), true)));
    }

    #[test]
    fn an_invalid_header_counts_as_none() {
        for header in [
            "",
            "00-0-0-0",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(trace_of(header), None, "{header}");
        }
    }

    #[test]
    fn an_invalid_state_does_not_lose_the_trace() {
        let header = format!("00-{TRACE}-b7ad6b7169203331-01");
        let parent = Parent::read(&header, Some("a=1,b=2")).expect("valid");
        assert_eq!(parent.0.trace_state().get("a"), Some("1"));
        let parent = Parent::read(&header, Some("no state")).expect("valid");
        assert_eq!(parent.0.trace_state(), &TraceState::NONE);
    }
}
