//! Logs on stderr, as readable lines or as JSON, and the export of traces.

mod collector;
mod export;
mod line;

use std::panic::PanicHookInfo;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt, registry};

use crate::config::args::{LogArgs, LogFormat};
use crate::config::log::filter;

pub use export::Export;
use line::{Human, Json, SpanFields};

/// Highest log level of libraries, whatever the filter says. At trace level some libraries log the bytes that they send
/// and receive, which can contain secrets; sqlx logs SQL statements.
const CAPS: &[(&str, LevelFilter)] = &[
    ("actix", LevelFilter::INFO),
    // One error for each broken request or lost connection; `http::connection` logs refusals itself.
    ("actix_http", LevelFilter::OFF),
    ("h2", LevelFilter::INFO),
    ("hyper", LevelFilter::INFO),
    ("hyper_util", LevelFilter::INFO),
    ("mio", LevelFilter::INFO),
    ("reqwest", LevelFilter::INFO),
    ("rustls", LevelFilter::INFO),
    ("sqlx", LevelFilter::WARN),
];

/// Sets up logging for the whole process.
///
/// The filter was checked when it was parsed; an invalid one counts as `info`.
pub fn init(args: &LogArgs) {
    let filter = filter(&args.log).unwrap_or_else(|| EnvFilter::new("info"));
    let lines = fmt::layer().with_writer(std::io::stderr).fmt_fields(SpanFields);
    // An error means that a program that embeds this library has set up logging.
    let _ = match args.log_format {
        LogFormat::Human => {
            let lines = lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
            registry().with(filter).with(caps()).with(lines.event_format(Human)).try_init()
        }
        LogFormat::Json => registry().with(filter).with(caps()).with(lines.event_format(Json)).try_init(),
    };
    std::panic::set_hook(Box::new(log_panic));
}

/// A second filter after the operator's, so that a more specific directive can't raise a library above its cap.
fn caps() -> Targets {
    Targets::new().with_default(LevelFilter::TRACE).with_targets(CAPS.iter().copied())
}

/// Logs the place of a panic but not its message, which can contain a secret.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    tracing::error!(place, "panic: this is a bug");
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no panic").write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_line_stays_one_line_and_reads_from_left_to_right() {
        let lines = Lines::default();
        let writer = lines.clone();
        let as_json =
            fmt::layer().with_writer(move || writer.clone()).fmt_fields(SpanFields).event_format(Json);
        tracing::subscriber::with_default(registry().with(as_json), || {
            tracing::info!(name = "a\u{202e}b\u{2028}c\u{85}d\nü", "text");
        });
        let text = String::from_utf8(lines.0.lock().expect("no panic").clone()).expect("text");
        assert!(text.contains(r"a\u202eb\u2028c\u0085d\nü"), "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(line["name"], "a\u{202e}b\u{2028}c\u{85}d\nü");
    }

    #[test]
    fn no_filter_makes_a_library_tell_more_than_its_cap() {
        let lines = Lines::default();
        let writer = lines.clone();
        let filter = "trace,hyper=trace,hyper::proto::h1::io=trace,sqlx=trace,actix_server=trace";
        let subscriber = registry()
            .with(EnvFilter::new(filter))
            .with(caps())
            .with(fmt::layer().with_writer(move || writer.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::trace!(target: "hyper::proto::h1::io", "canary");
            tracing::debug!(target: "hyper_util::client", "canary");
            tracing::info!(target: "sqlx", "canary");
            tracing::debug!(target: "actix_server", "canary");
            tracing::info!(target: "hyper::proto", "news of hyper");
            tracing::trace!(target: "tunnelgate::tracker", "our own details");
        });
        let text = String::from_utf8(lines.0.lock().expect("no panic").clone()).expect("text");
        assert!(!text.contains("canary"), "{text}");
        assert!(text.contains("news of hyper") && text.contains("our own details"), "{text}");
    }
}
