//! The hosts that DATABASE_URL names, in the forms of PostgreSQL's own clients (PostgreSQL's manual, "Connection
//! Strings"): `postgres://a:5432,b:5433/db`, or the parameters `host=a,b` and `port=5432,5433`. sqlx reads one host.

use form_urlencoded::{Serializer, parse};

/// Hosts in DATABASE_URL. More are a mistake, and the search for the primary tries one after the other.
const MAX_HOSTS: usize = 16;

/// DATABASE_URL, once for each host, in the order of the list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hosts {
    pub(super) urls: Vec<String>,
    /// `target_session_attrs` asks for a server that accepts writes. Otherwise reads continue on one that does not.
    pub(super) only_primary: bool,
}

/// Splits the URL.
///
/// # Errors
/// With what is wrong, as the rest of a sentence that begins with DATABASE_URL.
pub(super) fn split(url: &str) -> Result<Hosts, String> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest
        .split_once('/')
        .map_or((rest, String::new()), |(authority, path)| (authority, format!("/{path}")));
    let (user, hosts) = authority
        .rsplit_once('@')
        .map_or(("", authority), |(user, hosts)| (&authority[..=user.len()], hosts));
    let mut parameters = Parameters::of(query);
    let only_primary = only_primary(parameters.take("target_session_attrs").as_deref())?;

    let by_parameter = parameters.list("host")?;
    let in_authority = hosts.replace("%2C", ",").replace("%2c", ",");
    let in_authority: Vec<&str> = in_authority.split(',').collect();
    if by_parameter.len() <= 1 && in_authority.len() == 1 {
        if parameters.has_list("port") {
            return Err("names several ports and one host".into());
        }
        let query = if parameters.is_changed { parameters.query([]) } else { query_of(query) };
        return Ok(Hosts { urls: vec![format!("{scheme}://{user}{hosts}{database}{query}")], only_primary });
    }
    let count = if by_parameter.is_empty() { in_authority.len() } else { by_parameter.len() };
    if count > MAX_HOSTS {
        return Err(format!("names {count} hosts; {MAX_HOSTS} are the most"));
    }
    if parameters.has("hostaddr") {
        return Err("names several hosts, so it can't have `hostaddr`; write the addresses as hosts".into());
    }
    let ports = parameters.list("port")?;
    if ports.len() > 1 && ports.len() != count {
        return Err(format!(
            "names {count} hosts and {} ports; name one port, or one for each host",
            ports.len()
        ));
    }
    parameters.take("host");
    parameters.take("port");
    let port = |place: usize| ports.get(place).or_else(|| ports.first().filter(|_| ports.len() == 1));
    let mut urls = Vec::with_capacity(count);
    for place in 0..count {
        let port = port(place).map(|port| ("port", port.as_str()));
        let url = if by_parameter.is_empty() {
            let host = in_authority[place];
            if host.is_empty() {
                return Err("has an empty name in its list of hosts".into());
            }
            format!("{scheme}://{user}{host}{database}{}", parameters.query(port))
        } else {
            let host = &by_parameter[place];
            // A URL with a user and without a host is invalid. The parameter replaces this host.
            let placeholder = if user.is_empty() { "" } else { "localhost" };
            let query = parameters.query([("host", host.as_str())].into_iter().chain(port));
            format!("{scheme}://{user}{placeholder}{database}{query}")
        };
        urls.push(url);
    }
    Ok(Hosts { urls, only_primary })
}

fn only_primary(attributes: Option<&str>) -> Result<bool, String> {
    match attributes {
        None | Some("any") => Ok(false),
        Some("read-write" | "primary") => Ok(true),
        Some("read-only" | "standby" | "prefer-standby") => {
            Err("asks for a standby with `target_session_attrs`; \
             the ledger needs the primary: write `target_session_attrs=read-write`"
                .into())
        }
        Some(_) => {
            Err("has an unknown `target_session_attrs`; write `read-write`, `primary` or `any`".into())
        }
    }
}

fn query_of(query: &str) -> String {
    if query.is_empty() { String::new() } else { format!("?{query}") }
}

/// The decoded parameters.
struct Parameters {
    all: Vec<(String, String)>,
    is_changed: bool,
}

impl Parameters {
    fn of(query: &str) -> Self {
        Self { all: parse(query.as_bytes()).into_owned().collect(), is_changed: false }
    }

    fn has(&self, name: &str) -> bool {
        self.all.iter().any(|(other, _)| other == name)
    }

    /// Removes a parameter; returns its last value, as the last one counts.
    fn take(&mut self, name: &str) -> Option<String> {
        let value = self.all.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value.clone());
        self.is_changed |= value.is_some();
        self.all.retain(|(other, _)| other != name);
        value
    }

    fn has_list(&self, name: &str) -> bool {
        self.all.iter().any(|(other, value)| other == name && value.contains(','))
    }

    /// The values of a parameter that is a list.
    fn list(&self, name: &str) -> Result<Vec<String>, String> {
        let Some((_, value)) = self.all.iter().rev().find(|(other, _)| other == name) else {
            return Ok(Vec::new());
        };
        let values: Vec<String> = value.split(',').map(str::to_owned).collect();
        if values.len() > 1 && values.iter().any(String::is_empty) {
            return Err(format!("has an empty entry in `{name}`"));
        }
        Ok(values)
    }

    /// These parameters and the others.
    fn query<'a>(&self, more: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(&self.all).extend_pairs(more);
        query_of(&query.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(url: &str) -> Vec<String> {
        split(url).unwrap_or_else(|error| panic!("{url}: {error}")).urls
    }

    #[test]
    fn one_host_keeps_its_url() {
        for url in [
            "postgres://u:p,w@a/x",
            "postgres://u:p%2Cw@a:5433/x?sslmode=require&application_name=a%2Cb",
            "postgres://[::1]:5433/x",
            "postgres:///x?host=/run/postgresql",
            "postgresql://a",
        ] {
            assert_eq!(urls(url), [url]);
        }
        let primary = split("postgres://u@a/x?sslmode=require&target_session_attrs=primary");
        let expected = Hosts { urls: vec!["postgres://u@a/x?sslmode=require".into()], only_primary: true };
        assert_eq!(primary, Ok(expected));
    }

    #[test]
    fn each_host_has_the_user_the_database_and_the_other_parameters() {
        assert_eq!(
            urls("postgres://u:p%40,w@a:5432,[::1]:5433/x?target_session_attrs=read-write&sslmode=verify-ca"),
            [
                "postgres://u:p%40,w@a:5432/x?sslmode=verify-ca",
                "postgres://u:p%40,w@[::1]:5433/x?sslmode=verify-ca"
            ]
        );
        assert_eq!(urls("postgres://a%2Cb/x"), ["postgres://a/x", "postgres://b/x"]);
        assert_eq!(
            urls("postgres://a,b/x?port=5433"),
            ["postgres://a/x?port=5433", "postgres://b/x?port=5433"]
        );
        assert_eq!(
            urls("postgres://u@/x?host=a,b&port=5432,5433"),
            ["postgres://u@localhost/x?host=a&port=5432", "postgres://u@localhost/x?host=b&port=5433"]
        );
        assert_eq!(
            urls("postgres:///x?host=/run/a%2C/run/b"),
            ["postgres:///x?host=%2Frun%2Fa", "postgres:///x?host=%2Frun%2Fb"]
        );
    }

    #[test]
    fn a_list_that_does_not_fit_is_refused_without_its_password() {
        let many = format!("postgres://u:secret@{}/x", vec!["a"; 17].join(","));
        for (url, cause) in [
            ("postgres://u:secret@a,b/x?port=1,2,3", "2 hosts and 3 ports"),
            ("postgres://u:secret@a/x?port=1,2", "several ports and one host"),
            ("postgres://u:secret@a,,b/x", "an empty name"),
            ("postgres://u:secret@/x?host=a,", "an empty entry in `host`"),
            ("postgres://u:secret@a,b/x?hostaddr=10.0.0.1,10.0.0.2", "`hostaddr`"),
            ("postgres://u:secret@a/x?target_session_attrs=standby", "the ledger needs the primary"),
            ("postgres://u:secret@a/x?target_session_attrs=reed-write", "unknown `target_session_attrs`"),
            (&many, "17 hosts"),
        ] {
            let refused = split(url).expect_err(url);
            assert!(refused.contains(cause) && !refused.contains("secret"), "{refused}");
        }
    }
}
