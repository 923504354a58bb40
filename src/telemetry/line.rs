//! Log lines: one line per event, as text for people or as JSON for machines. No value can end a line, start a new one, or
//! turn the text around.

use std::fmt::{self, Write};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::domain::text::{escaped, is_plain_character};
use crate::trace;

const MESSAGE: &str = "message";

/// The fields of an event or a span, in their order.
#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn of(record: impl RecordFields) -> Self {
        let mut fields = Self::default();
        record.record(&mut fields);
        fields
    }

    fn push(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.push((field.name().trim_start_matches("r#"), value.into()));
    }

    /// Takes the event's message out.
    fn message(&mut self) -> String {
        let found = self.0.iter().position(|(name, _)| *name == MESSAGE);
        match found.map(|at| self.0.remove(at).1) {
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, value);
    }
}

/// Keeps the fields of a span as JSON: both formats read them.
pub(super) struct SpanFields;

impl<'writer> FormatFields<'writer> for SpanFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        let members: Map<String, Value> =
            Fields::of(fields).0.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        write!(writer, "{}", Value::Object(members))
    }
}

/// The span around an event: its name and its fields.
fn span_of<S, N>(context: &FmtContext<'_, S, N>) -> Option<(&'static str, Map<String, Value>)>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    let span = context.lookup_current()?;
    let extensions = span.extensions();
    let kept = extensions.get::<FormattedFields<N>>().map(|fields| fields.fields.as_str());
    let fields = kept.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    Some((span.metadata().name(), fields))
}

fn now() -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

/// One JSON object per line; docs/logs.md describes it.
pub(super) struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::of(event);
        let message = fields.message();
        let mut text = String::with_capacity(256);
        let metadata: &Metadata<'_> = event.metadata();
        let mut add = |name: &str, value: &Value| {
            let separator = if text.is_empty() { '{' } else { ',' };
            // Writing to a string does not fail.
            let _ = write!(text, "{separator}{}:{value}", Value::from(name));
        };
        add("timestamp", &now().into());
        add("level", &metadata.level().as_str().into());
        add("target", &metadata.target().into());
        add(MESSAGE, &message.into());
        for (name, value) in &fields.0 {
            add(name, value);
        }
        if let Some((name, mut members)) = span_of(context) {
            members.insert("name".to_owned(), name.into());
            add("span", &Value::Object(members));
        }
        if let Some((trace, span)) = trace::present() {
            add("trace_id", &trace.to_string().into());
            add("span_id", &span.to_string().into());
        }
        text.push('}');
        // Outside of ASCII only strings have characters, so that an escape is always inside of one.
        writer.write_str(&escaped(&text))?;
        writer.write_char('\n')
    }
}

/// One readable line per event.
pub(super) struct Human;

impl<S, N> FormatEvent<S, N> for Human
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::of(event);
        let message = fields.message();
        let metadata = event.metadata();
        let (color, plain) =
            if writer.has_ansi_escapes() { (color(*metadata.level()), "\x1b[0m") } else { ("", "") };
        write!(writer, "{} {color}{:>5}{plain} ", now(), metadata.level().as_str())?;
        if let Some((name, members)) = span_of(context) {
            write!(writer, "{name}{{")?;
            for (number, (name, value)) in members.iter().enumerate() {
                let separator = if number == 0 { "" } else { " " };
                write!(writer, "{separator}{name}={}", Shown(value))?;
            }
            write!(writer, "}}: ")?;
        }
        write!(writer, "{}: {}", metadata.target(), Escaped(&message))?;
        for (name, value) in &fields.0 {
            write!(writer, " {name}={}", Shown(value))?;
        }
        if let Some((trace, span)) = trace::present() {
            write!(writer, " trace_id={trace} span_id={span}")?;
        }
        writeln!(writer)
    }
}

const fn color(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    }
}

/// A value in a readable line: a text has quotation marks, so that it can't be taken for several fields.
struct Shown<'a>(&'a Value);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Value::String(text) = self.0 else { return write!(f, "{}", self.0) };
        f.write_char('"')?;
        for character in text.chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                character => escape(f, character)?,
            }
        }
        f.write_char('"')
    }
}

/// A text without characters that end a line or move the cursor.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| escape(f, character))
    }
}

fn escape(f: &mut fmt::Formatter<'_>, character: char) -> fmt::Result {
    match character {
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        character if !is_plain_character(character) => write!(f, "\\u{:04x}", u32::from(character)),
        character => f.write_char(character),
    }
}
