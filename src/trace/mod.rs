//! Spans of OpenTelemetry, where the operator has turned traces on. Without traces a span is empty and costs one look at a
//! static.
//!
//! Roots are requests and looks of the tracker. All other spans need a span around them: work that neither a caller nor an
//! operation asked for leaves no trace.

mod ids;
mod parent;

use std::borrow::Cow;
use std::sync::OnceLock;

use opentelemetry::trace::{
    FutureExt, Link, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags,
    TraceId, TraceState, Tracer,
};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::trace::SdkTracer;
use uuid::Uuid;

pub use ids::Ids;
pub use parent::Parent;

/// Set once, at the start of the process.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// Turns traces on, for the whole process.
pub fn install(tracer: SdkTracer) {
    // A second call has no effect.
    let _ = TRACER.set(tracer);
}

/// True if traces are on.
pub fn is_on() -> bool {
    TRACER.get().is_some()
}

/// A span, which ends when it is dropped; empty without traces.
pub struct Span(Option<Context>);

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(context) = &self.0 {
            context.span().end();
        }
    }
}

impl Span {
    /// No span.
    pub const NONE: Self = Self(None);

    /// The caller's own span, for the log and the ledger. Nothing of it is exported.
    pub fn of_caller(parent: Option<Parent>) -> Self {
        Self(parent.map(|parent| Context::new().with_remote_span_context(parent.0)))
    }

    /// The span of a request, below the caller's.
    pub fn request(name: impl Into<Cow<'static, str>>, parent: Option<Parent>) -> Self {
        let around = Self::of_caller(parent).0.clone().unwrap_or_default();
        Self::build(SpanBuilder::from_name(name).with_kind(SpanKind::Server), &around)
    }

    /// The span of a look at an operation: the root of a trace, linked to the request that opened the operation.
    pub fn look(operation: Uuid, trace_id: Option<&str>) -> Self {
        let trace_id = trace_id.and_then(|id| TraceId::from_hex(id).ok());
        let links = trace_id.map(|id| {
            let (opening, flags) = (opening_of(operation), TraceFlags::default());
            vec![Link::with_context(SpanContext::new(id, opening, flags, true, TraceState::NONE))]
        });
        let builder = SpanBuilder::from_name("look at an operation").with_links(links.unwrap_or_default());
        Self::build(builder, &Context::new())
    }

    /// A part of the present span.
    pub fn part(name: impl Into<Cow<'static, str>>) -> Self {
        Self::below(SpanBuilder::from_name(name))
    }

    /// A call to another service, a part of the present span.
    pub fn call(name: impl Into<Cow<'static, str>>) -> Self {
        Self::below(SpanBuilder::from_name(name).with_kind(SpanKind::Client))
    }

    /// The span of the step that opens an operation. Its id comes from the operation's id, so that the looks of every
    /// process can link to it.
    pub fn opening(name: &'static str, operation: Uuid) -> Self {
        ids::next_is(opening_of(operation), || Self::call(name))
    }

    /// Work for several spans: a part of the first, linked to the others.
    pub fn shared<'a>(name: &'static str, of: impl Iterator<Item = &'a Here>) -> Self {
        let mut spans = of.filter_map(|here| here.0.as_ref());
        let Some(first) = spans.next() else { return Self::NONE };
        let links = spans.map(|other| Link::with_context(other.span().span_context().clone())).collect();
        Self::build(SpanBuilder::from_name(name).with_links(links), first)
    }

    fn below(builder: SpanBuilder) -> Self {
        match TRACER.get() {
            Some(_) => Context::map_current(|current| {
                if current.has_active_span() { Self::build(builder, current) } else { Self::NONE }
            }),
            None => Self::NONE,
        }
    }

    fn build(builder: SpanBuilder, parent: &Context) -> Self {
        let start = |tracer: &SdkTracer| parent.with_span(tracer.build_with_context(builder, parent));
        Self(TRACER.get().map(start))
    }

    /// Adds an attribute.
    pub fn set(&self, key: &'static str, value: impl Into<Value>) {
        if let Some(context) = &self.0
            && context.span().is_recording()
        {
            context.span().set_attribute(KeyValue::new(key, value));
        }
    }

    /// Marks the span as failed. `kind` is a word of a closed list.
    pub fn fail(&self, kind: impl Into<Cow<'static, str>>) {
        if let Some(context) = &self.0 {
            context.span().set_status(Status::error(""));
            self.set("error.type", kind.into());
        }
    }

    /// Runs work inside the span.
    pub async fn around<F: Future>(&self, work: F) -> F::Output {
        match &self.0 {
            Some(context) => work.with_context(context.clone()).await,
            None => work.await,
        }
    }

    /// The id of the trace, sampled or not.
    pub fn trace_id(&self) -> Option<String> {
        self.0.as_ref().map(|context| context.span().span_context().trace_id().to_string())
    }

    /// The id of the trace if it is exported.
    pub fn sampled_trace_id(&self) -> Option<String> {
        let context = self.0.as_ref().filter(|_| TRACER.get().is_some())?;
        context.span().span_context().is_sampled().then(|| self.trace_id()).flatten()
    }
}

/// The span that is present at one place, for work that another task does.
pub struct Here(Option<Context>);

impl Here {
    /// The present span.
    pub fn now() -> Self {
        let present = TRACER.get().map(|_| Context::current());
        Self(present.filter(Context::has_active_span))
    }
}

/// Runs work of another task inside the span that is present now.
pub fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
    work.with_context(Context::current())
}

/// The ids of the present trace and span.
pub fn present() -> Option<(TraceId, SpanId)> {
    Context::map_current(|current| {
        let span = current.span();
        let context = span.span_context();
        context.is_valid().then(|| (context.trace_id(), context.span_id()))
    })
}

/// The last eight bytes of a version 7 UUID are random and never all zero.
fn opening_of(operation: Uuid) -> SpanId {
    SpanId::from(operation.as_u64_pair().1)
}
