//! `tunnelgate config`.

use std::ffi::OsString;
use std::fmt::Write;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command as ClapCommand, Subcommand};
use secrecy::ExposeSecret;

use crate::config::args::ServeArgs;
use crate::config::secrets::Secrets;
use crate::config::{
    Faults, InvalidSetting, Settings, drift_section, issuer_section, section, webhook_section,
};

use super::failure::{self, Failure};

/// The exit code of a check that found a fault.
const WRONG: u8 = 1;
const MASKED: &str = "***";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Read all settings as `serve` would, and print what they say, with secrets masked. Exit code 1: a setting is
    /// wrong; every fault is one line on stderr
    Check(Box<ServeArgs>),
}

/// `command` and `matches` are those of `config check`. `wrong` are the flags that could not be read at all.
pub(super) fn run(
    Command::Check(args): Command,
    (command, matches): (&ClapCommand, &ArgMatches),
    secrets: &Secrets,
    wrong: Vec<InvalidSetting>,
) -> Result<ExitCode, Failure> {
    let mut faults = Faults::default();
    faults.extend(wrong);
    let settings = Settings::from_args(&args, secrets).map_err(|all| faults.extend(all));
    let (Ok(settings), true) = (settings, faults.is_empty()) else { return Ok(refuse(faults)) };
    failure::print(&understood(&settings, command, matches))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints every fault.
pub(super) fn refuse(faults: Faults) -> ExitCode {
    failure::report(&faults.into());
    ExitCode::from(WRONG)
}

/// The settings as text: flags by their variables, then accounts, issuers and webhooks as the configuration file has them.
fn understood(settings: &Settings, command: &ClapCommand, matches: &ArgMatches) -> String {
    let mut text = String::new();
    for argument in command.get_arguments() {
        let id = argument.get_id().as_str();
        let Some(variable) = argument.get_env() else { continue };
        let Some(values) = matches.get_raw(id) else { continue };
        let values: Vec<_> = values.map(std::ffi::OsStr::to_string_lossy).collect();
        let value = match id {
            "database_url" => without_password(settings.database.url.expose_secret()),
            _ if argument.is_hide_env_values_set() => MASKED.to_owned(),
            _ => values.join(","),
        };
        let source = match matches.value_source(id) {
            Some(ValueSource::DefaultValue) => " (default)",
            Some(ValueSource::EnvVariable) => "",
            _ => " (flag)",
        };
        let _ = writeln!(text, "{}={value}{source}", variable.to_string_lossy());
    }
    if matches.get_raw("database_url").is_none() {
        let url = without_password(settings.database.url.expose_secret());
        let _ = writeln!(text, "DATABASE_URL={url} (default or file)");
    }
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
