//! `tunnelgate config`.

use std::ffi::OsString;
use std::fmt::Write;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command as ClapCommand, Subcommand};
use secrecy::ExposeSecret;

use crate::config::args::ServeArgs;
use crate::config::secrets::Secrets;
use crate::config::{Faults, Settings, drift_section, issuer_section, section, webhook_section};

use super::failure::{self, Failure};

/// The exit code of a check that found a fault.
const WRONG: u8 = 1;
const MASKED: &str = "***";
const FINGERPRINT_KEY: &str = "TUNNELGATE_FINGERPRINT_KEY";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Read all settings as `serve` would, and print what they say, with secrets masked. Exit code 1: a setting is
    /// wrong; every fault is one line on stderr
    Check(Box<ServeArgs>),
}

/// `command` is the whole command line, `matches` those of `config check`.
pub(super) fn run(
    Command::Check(args): Command,
    command: &ClapCommand,
    matches: &ArgMatches,
    secrets: &Secrets,
) -> Result<ExitCode, Failure> {
    match Settings::from_args(&args, secrets) {
        Ok(settings) => {
            failure::print(&understood(&settings, command, matches, secrets))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(faults) => Ok(refuse(faults)),
    }
}

/// Prints every fault.
pub(super) fn refuse(faults: Faults) -> ExitCode {
    failure::report(&faults.into());
    ExitCode::from(WRONG)
}

/// The settings as text: flags by their variables, then accounts, issuers and webhooks as the configuration file has them.
fn understood(settings: &Settings, command: &ClapCommand, matches: &ArgMatches, secrets: &Secrets) -> String {
    let mut text = String::new();
    let check = command.find_subcommand("config").and_then(|config| config.find_subcommand("check"));
    let of_all = command.get_arguments();
    for argument in check.into_iter().flat_map(ClapCommand::get_arguments).chain(of_all) {
        let id = argument.get_id().as_str();
        let Some(variable) = argument.get_env() else { continue };
        let values = matches.try_get_raw(id).ok().flatten();
        let values = values.map(|values| values.map(std::ffi::OsStr::to_string_lossy).collect::<Vec<_>>());
        let value = match (id, values) {
            ("database_url", _) => without_password(settings.database.url.expose_secret()),
            (_, None) => String::new(),
            (_, Some(_)) if argument.is_hide_env_values_set() => MASKED.to_owned(),
            (_, Some(values)) => values.join(","),
        };
        let source = match matches.value_source(id) {
            Some(ValueSource::DefaultValue) => " (default)",
            Some(ValueSource::EnvVariable) => "",
            None if id == "database_url" => " (default or file)",
            None => " (not set)",
            _ => " (flag)",
        };
        let _ = writeln!(text, "{}={value}{source}", variable.to_string_lossy());
    }
    for name in ["TENCENTCLOUD_SECRET_KEY", "TENCENTCLOUD_TOKEN", FINGERPRINT_KEY] {
        let is_set = secrets.has(name);
        let value = if is_set { MASKED } else { " (not set)" };
        let _ = writeln!(text, "{name}={value}");
    }
    let key = &settings.fingerprint_key;
    let source = if key.is_derived() { "derived from the SecretKey" } else { "set" };
    let _ = writeln!(text, "\n# The key of the fingerprints is {source}; its id is {}.", key.id());
    if let Some(tracing) = &settings.tracing {
        let _ = writeln!(text, "\n{}", tracing.shown());
    }
    for account in &settings.accounts {
        let _ = write!(text, "\n{}", section(account));
    }
    if let Some(interval) = settings.drift {
        let _ = write!(text, "\n{}", drift_section(interval));
    }
    for issuer in &settings.issuers {
        let _ = write!(text, "\n{}", issuer_section(issuer));
    }
    for webhook in &settings.webhooks {
        let _ = write!(text, "\n{}", webhook_section(webhook));
    }
    text
}

/// A database's URL without its password and its parameters. A password may contain `?` and `@`.
fn without_password(url: &str) -> String {
    let cut = |text: &str| match text.split_once('?') {
        Some((before, _)) => format!("{before}?{MASKED}"),
        None => text.to_owned(),
    };
    let Some((scheme, rest)) = url.split_once("://") else { return cut(url) };
    let Some((user, host)) = rest.rsplit_once('@') else { return format!("{scheme}://{}", cut(rest)) };
    if user.contains('?') {
        // Either the password contains a question mark, or a parameter contains an at sign.
        let name = user.split([':', '?', '@']).next().unwrap_or_default();
        return format!("{scheme}://{name}:{MASKED}");
    }
    let user = user.split_once(':').map_or(user.to_owned(), |(user, _)| format!("{user}:{MASKED}"));
    format!("{scheme}://{user}@{}", cut(host))
}

/// True if the command line asks for a check.
pub(super) fn is_check(args: &[OsString]) -> bool {
    let words: Vec<_> = args.iter().skip(1).filter(|word| !word.to_string_lossy().starts_with('-')).collect();
    // The value of a flag may come first.
    words.windows(2).any(|pair| pair[0] == "config" && pair[1] == "check")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_s_url_is_shown_without_its_password() {
        for (url, shown) in [
            ("sqlite:tunnelgate.db", "sqlite:tunnelgate.db"),
            ("postgres://a@b/c", "postgres://a@b/c"),
            ("postgres://a:p@ss@b/c?password=x", "postgres://a:***@b/c?***"),
            ("postgres://a:p?ss@b/c", "postgres://a:***"),
            ("postgres://a@b:5432/c?password=x@y", "postgres://a:***"),
            ("postgres://b/c?password=x", "postgres://b/c?***"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
