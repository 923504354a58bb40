//! The form of DATABASE_URL. What a URL parser would accept in silence or take for another part is refused here: a parameter that
//! is not known, and characters in a password that end it. No message contains a part of the URL that can be a secret.

use percent_encoding::percent_decode_str;

use super::text;

const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// The parameters of a PostgreSQL URL.
const POSTGRES: [&str; 18] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "target_session_attrs",
    "user",
];

/// The parameters of a SQLite URL.
const SQLITE: [&str; 4] = ["cache", "immutable", "mode", "vfs"];

const ESCAPES: &str = "write # as %23, / as %2F, : as %3A, ? as %3F, @ as %40 and % as %25 in it";

/// Checks the URL.
///
/// # Errors
/// What is wrong, without a part of the URL that can be a secret.
pub(super) fn check(url: &str) -> Result<(), String> {
    text::check(url)?;
    if url.starts_with("sqlite:") {
        return sqlite(url);
    }
    match SCHEMES.iter().find_map(|scheme| url.strip_prefix(scheme)) {
        Some(rest) => postgres(rest),
        None => Err("must start with postgres:// or sqlite:".into()),
    }
}

fn sqlite(url: &str) -> Result<(), String> {
    // As sqlx reads it.
    let rest = url.trim_start_matches("sqlite://").trim_start_matches("sqlite:");
    let (file, query) = rest.split_once('?').unwrap_or((rest, ""));
    let file = percent_decode_str(file).decode_utf8_lossy();
    if file.is_empty() {
        return Err("names no file; write sqlite:FILE".into());
    }
    // SQLite would read a URL of its own, with parameters that are not known here.
    if file.starts_with("file:") {
        return Err("names its file by file:; write sqlite:FILE".into());
    }
    parameters(query, &SQLITE)?;
    let has =
        |wanted: (&str, &str)| form_urlencoded::parse(query.as_bytes()).any(|(n, v)| (&*n, &*v) == wanted);
    let in_memory = file == ":memory:" || has(("mode", "memory")) || has(("vfs", "memdb"));
    if in_memory || [("mode", "ro"), ("immutable", "1"), ("immutable", "true")].into_iter().any(has) {
        return Err("must name a file that can be written; the ledger has to outlive the process".into());
    }
    Ok(())
}

/// `rest` is the URL after the scheme.
fn postgres(rest: &str) -> Result<(), String> {
    if rest.contains('#') {
        return Err("contains a # that is no part of a host; in a password write it as %23".into());
    }
    if text::word(rest).is_err() {
        return Err("contains a blank, a quotation mark or a character that is not ASCII; write it as a percent code, a blank \
             as %20"
            .into());
    }
    let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = before.split_once('/').unwrap_or((before, ""));
    // A password with an unescaped / or ? ends the authority before the @ of the host.
    let is_cut =
        !authority.contains('@') && (path.contains('@') || query.contains('@') && !begins_known(query));
    if is_cut || path.contains('@') {
        return Err(format!("has an @ behind its host, as with a password that contains / or ?; {ESCAPES}"));
    }
    if has_stray_percent(rest) {
        return Err(format!("contains a % that begins no percent code; in a password {ESCAPES}"));
    }
    parameters(query, &POSTGRES)
}

/// True if the first parameter is a known one: an @ may be a part of its value.
fn begins_known(query: &str) -> bool {
    let name = query.split(['=', '&']).next().unwrap_or_default();
    POSTGRES.contains(&name)
}

fn has_stray_percent(text: &str) -> bool {
    text.split('%').skip(1).any(|after| {
        let mut code = after.bytes().take(2);
        !matches!((code.next(), code.next()), (Some(a), Some(b)) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
    })
}

fn parameters(query: &str, known: &[&str]) -> Result<(), String> {
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let name = parameter.split('=').next().unwrap_or_default();
        // options[name]=value sets one option of the server.
        if known.contains(&name) || (known.contains(&"options") && name.starts_with("options[")) {
            continue;
        }
        // An @ in the query may be that of the host, behind a password that contains a question mark.
        let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        let shown = if is_name && !query.contains('@') { format!(" {name:?}") } else { String::new() };
        return Err(format!("has the unknown parameter{shown}; the parameters are {}", known.join(", ")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_urls_pass() {
        for url in [
            "postgres://tunnelgate:p%40ss%23@db.example:5432/tunnelgate?sslmode=verify-full&sslrootcert=/etc/ca.pem",
            "postgresql://a,b:5433/db?target_session_attrs=read-write",
            "postgres:///db?host=/run/postgresql&user=a",
            "postgres://u@%2Frun%2Fpostgresql/db",
            "postgres://[::1]:5433/db?options=-c%20search_path%3Da&options[geqo]=off",
            "postgres://db/x?user=a&password=p@ss",
            "postgres://u:p@ss@db/x",
            "sqlite:tunnelgate.db",
            "sqlite://data/a b.db?mode=rwc",
            "sqlite:/var/lib/größe.db",
        ] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn what_a_parser_would_take_for_something_else_is_refused_without_the_password() {
        for (url, cause) in [
            ("\"postgres://u:canary@db/x\"", "is in quotation marks"),
            ("postgres://u:canary@db/x\r", "carriage return"),
            ("mysql://u:canary@db/x", "must start with postgres:// or sqlite:"),
            ("postgres://u:can#ary@db/x", "write it as %23"),
            ("postgres://u:can/ary@db/x", "/ as %2F"),
            ("postgres://u:12/canary@db/x", "/ as %2F"),
            ("postgres://u:can?ary@db/x", "? as %3F"),
            ("postgres://u:can%ary@db/x", "% as %25"),
            ("postgres://u:canary%@db/x", "% as %25"),
            ("postgres://u:canary x@db/x", "%20"),
            (
                "postgres://u:canary@db/x?sslmod=verify-full",
                "unknown parameter \"sslmod\"; the parameters are ",
            ),
            ("postgres://u:canary@db/x?channel_binding=require", "unknown parameter \"channel_binding\""),
            ("postgres://u:c@n?canary&x@db/x", "has the unknown parameter; the parameters are "),
            ("sqlite:", "names no file"),
            (
                "sqlite:a.db?mod=ro",
                "unknown parameter \"mod\"; the parameters are cache, immutable, mode, vfs",
            ),
            ("sqlite::memory:", "must name a file that can be written"),
            ("sqlite:a.db?mode=ro", "must name a file that can be written"),
            ("sqlite:a.db?immutable=1", "must name a file that can be written"),
            ("sqlite:%3Amemory%3A", "must name a file that can be written"),
            ("sqlite:a.db?mode=%6Demory", "must name a file that can be written"),
            ("sqlite:a.db?mode=r%6F", "must name a file that can be written"),
            ("sqlite:a.db?vfs=memdb", "must name a file that can be written"),
            ("sqlite:sqlite:", "names no file"),
            ("sqlite:file::memory:", "names its file by file:"),
            ("sqlite:file:a.db%3Fmode=memory", "names its file by file:"),
        ] {
            let refused = check(url).expect_err(url);
            assert!(refused.contains(cause), "{url}: {refused}");
            assert!(!refused.contains("canary") && !refused.contains("ary@"), "{url}: {refused}");
        }
    }
}
