//! The filter of log lines.

use tracing_subscriber::EnvFilter;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// The parts of the process that a directive may name without a level.
const TARGETS: [&str; 10] = [
    "tunnelgate",
    "actix_http",
    "actix_server",
    "actix_web",
    "h2",
    "hyper",
    "hyper_util",
    "reqwest",
    "rustls",
    "sqlx",
];

/// Checks a filter. The library would take a word that is no level for the name of a part of the process, and log nothing
/// of the others, not even errors.
///
/// # Errors
/// If a directive is neither a level nor a part with a level.
pub(super) fn check(text: &str) -> Result<String, String> {
    let is_valid = |directive: &str| match directive.split_once('=') {
        Some((target, level)) => is_target(target) && is_level(level),
        None => is_level(directive) || is_known(directive),
    };
    let mut directives = text.split(',').filter(|directive| !directive.is_empty()).peekable();
    // The library reads spans in brackets.
    let has_spans = text.contains('[');
    if directives.peek().is_none() || !has_spans && !directives.all(is_valid) {
        return Err(format!(
            "must be one of {}, or directives such as info,tunnelgate::http=debug",
            LEVELS.join(", ")
        ));
    }
    filter(text).map(|_| text.to_owned()).ok_or_else(|| "is no filter of log lines".to_owned())
}

/// The filter of a checked text. Errors of parts that no directive names are logged, unless the text has a level for them.
pub fn filter(text: &str) -> Option<EnvFilter> {
    EnvFilter::try_new(format!("error,{text}")).ok()
}

fn is_level(text: &str) -> bool {
    LEVELS.iter().any(|level| level.eq_ignore_ascii_case(text))
}

fn is_target(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-'))
}

fn is_known(text: &str) -> bool {
    is_target(text) && TARGETS.contains(&text.split("::").next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_level_is_refused() {
        for text in [
            "info",
            "WARN",
            "off",
            "info,tunnelgate::http=debug",
            "tunnelgate",
            "warn,sqlx=error",
            "hyper::proto=debug",
            "info,",
            "info,tunnelgate[call]=debug",
        ] {
            assert!(check(text).is_ok(), "{text}");
        }
        for text in [
            "warning",
            "verbose",
            "",
            ",",
            "foo=bar=x",
            "tunnelgate=loud",
            "=info",
            "3",
            "info debug",
            "warn, sqlx=error",
        ] {
            let refused = check(text).expect_err(text);
            assert!(refused.contains("off, error, warn, info, debug, trace"), "{text}: {refused}");
        }
    }

    #[test]
    fn errors_are_logged_unless_the_filter_has_a_level_for_all() {
        let shown = |text: &str| filter(text).map(|filter| filter.to_string()).unwrap_or_default();
        assert!(shown("tunnelgate::http=debug").contains("error"), "{}", shown("tunnelgate::http=debug"));
        assert!(!shown("off").contains("error"), "{}", shown("off"));
        assert!(!shown("info").contains("error"), "{}", shown("info"));
    }
}
