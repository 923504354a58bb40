//! Logs: human or JSON, to stderr.

use std::panic::PanicHookInfo;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::config::InvalidSetting;
use crate::config::args::{LogArgs, LogFormat};

/// Chatty parts of our libraries stay quiet unless they are asked for by name. At trace level some of them print
/// what they send, which may be a secret: those are never let through.
const ALWAYS: &[&str] = &[
    "hyper=info",
    "hyper_util=info",
    "reqwest=info",
    "h2=info",
    "rustls=info",
    "sqlx=warn",
    "actix_http=info",
    "mio=info",
];

/// Sets up logging for the whole process.
///
/// # Errors
/// If the filter can't be read.
pub fn init(args: &LogArgs) -> Result<(), InvalidSetting> {
    let mut filter = EnvFilter::try_new(&args.log)
        .map_err(|error| InvalidSetting::new("TUNNELGATE_LOG (--log)", error.to_string()))?;
    for directive in ALWAYS {
        if let Ok(directive) = directive.parse() {
            filter = filter.add_directive(directive);
        }
    }
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::NONE)
        .with_writer(std::io::stderr);
    // Somebody embedding us may have set logging up already.
    let _ = match args.log_format {
        LogFormat::Human => {
            builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init()
        }
        LogFormat::Json => {
            builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
        }
    };
    std::panic::set_hook(Box::new(tell_panic));
    Ok(())
}

/// Tells where a panic was, and not what it says: that could hold a secret.
fn tell_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    tracing::error!(place, "panic: this is a bug");
}
