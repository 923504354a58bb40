//! Parses the command line. clap stops at the first value that it can't read; an operator wants to know all of them.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::error::{ContextKind, ErrorKind};
use clap::{Arg, ArgMatches, Command};

use crate::config::InvalidSetting;

/// Longest value that a message repeats, in characters.
const MAX_SHOWN: usize = 64;

/// A command line, without the flags and variables whose values can't be read.
pub(super) struct Parsed {
    pub(super) matches: ArgMatches,
    pub(super) wrong: Vec<InvalidSetting>,
    /// A flag has no value, so other faults may only follow from that.
    pub(super) is_incomplete: bool,
}

/// Why a command line can't be run.
pub(super) struct Refused {
    pub(super) wrong: Vec<InvalidSetting>,
    /// A fault that is not in `wrong`, or help.
    pub(super) error: Option<clap::Error>,
}

/// Parses the arguments of the program, whose command line is `whole`.
pub(super) fn parse(whole: &Command, mut arguments: Vec<OsString>) -> Result<Parsed, Refused> {
    let mut command = lenient(whole.clone());
    let asked = asked(whole, &arguments);
    let (mut wrong, mut removed, mut is_incomplete) = (Vec::new(), BTreeSet::new(), false);
    loop {
        let error = match command.clone().try_get_matches_from(&arguments) {
            Ok(matches) => return Ok(Parsed { matches, wrong, is_incomplete }),
            Err(error) => error,
        };
        let Some(Fault { long, fault, is_missing }) = fault(&error, &asked, whole) else {
            // A flag that is required may be one of those that were removed.
            let follows = !wrong.is_empty() && error.kind() == ErrorKind::MissingRequiredArgument;
            return Err(Refused { wrong, error: (!follows).then_some(error) });
        };
        wrong.push(fault);
        is_incomplete |= is_missing;
        if !removed.insert(long.clone()) {
            return Err(Refused { wrong, error: None });
        }
        arguments = without(arguments, &long);
        command = without_variable(command, &long);
    }
}

struct Fault {
    long: String,
    fault: InvalidSetting,
    is_missing: bool,
}

/// The value that can't be read, and what is wrong with it.
fn fault(error: &clap::Error, asked: &Command, whole: &Command) -> Option<Fault> {
    if !matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) {
        return None;
    }
    let of = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let flag = of(ContextKind::InvalidArg);
    let long = flag.trim_start_matches("--").split([' ', '=']).next().unwrap_or_default().to_owned();
    // Several commands have a flag of this name, each with a variable of its own.
    let mut flags = variables_of(asked.clone()).chain(variables_of(whole.clone()));
    let variable = flags.find(|(flag, _)| *flag == long).map(|(_, variable)| variable);
    let name = match variable {
        Some(variable) => format!("{variable} (--{long})"),
        None if flag.starts_with("--") => format!("--{long}"),
        None => flag.trim_matches(['<', '>', '[', ']']).to_owned(),
    };
    let choices = of(ContextKind::ValidValue);
    let is_missing = error.kind() == ErrorKind::InvalidValue && choices.is_empty();
    let reason = match error.kind() {
        ErrorKind::InvalidValue if is_missing => format!("needs a value: {flag}"),
        ErrorKind::InvalidValue => format!("must be one of {choices}"),
        _ => std::error::Error::source(error).map_or("is invalid".to_owned(), ToString::to_string),
    };
    let reason = with_value(reason, &of(ContextKind::InvalidValue));
    Some(Fault { long, fault: InvalidSetting::new(name, reason), is_missing })
}

/// Adds the value, unless it may contain a password.
fn with_value(reason: String, value: &str) -> String {
    let may_be_secret = value.contains('@') || value.contains("://");
    if !reason.starts_with("must ") || value.is_empty() || may_be_secret {
        return reason;
    }
    let shown: String = value.chars().take(MAX_SHOWN).collect();
    let rest = if shown.len() < value.len() { "…" } else { "" };
    format!("{reason} (given: {shown:?}{rest})")
}

/// The arguments without a flag and its value.
fn without(arguments: Vec<OsString>, long: &str) -> Vec<OsString> {
    let (flag, with_value) = (format!("--{long}"), format!("--{long}="));
    let mut kept = Vec::with_capacity(arguments.len());
    let mut rest = arguments.into_iter().peekable();
    while let Some(argument) = rest.next() {
        if argument == "--" {
            kept.push(argument);
            kept.extend(rest);
            break;
        }
        if argument == flag.as_str() {
            rest.next_if(|value| !value.to_string_lossy().starts_with("--"));
        } else if !argument.to_string_lossy().starts_with(&with_value) {
            kept.push(argument);
        }
    }
    kept
}

fn without_variable(command: Command, long: &str) -> Command {
    let of = |argument: Arg| {
        if argument.get_long() == Some(long) { argument.env(None::<&str>) } else { argument }
    };
    command.mut_args(of).mut_subcommands(|command| without_variable(command, long))
}

/// The command line. An empty variable counts as unset: compose files set unset variables to nothing. A negative number is
/// the value of a flag, which then says what it takes.
fn lenient(command: Command) -> Command {
    let is_empty =
        |argument: &Arg| argument.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    let of = |argument: Arg| {
        let argument = if is_empty(&argument) { argument.env(None::<&str>) } else { argument };
        let takes_value = argument.get_long().is_some() && argument.get_action().takes_values();
        if takes_value { argument.allow_negative_numbers(true) } else { argument }
    };
    command.mut_args(of).mut_subcommands(lenient)
}

/// The command that the arguments name.
fn asked(whole: &Command, arguments: &[OsString]) -> Command {
    let mut command = whole.clone();
    for argument in arguments.iter().skip(1) {
        if let Some(subcommand) = command.find_subcommand(argument).cloned() {
            command = subcommand;
        }
    }
    command
}

/// Flags of a command and its subcommands that have an environment variable, as pairs of both names.
pub(super) fn variables_of(command: Command) -> impl Iterator<Item = (String, String)> {
    let mut found = Vec::new();
    let mut open = vec![command];
    while let Some(command) = open.pop() {
        for argument in command.get_arguments() {
            if let (Some(long), Some(variable)) = (argument.get_long(), argument.get_env()) {
                found.push((long.to_owned(), variable.to_string_lossy().into_owned()));
            }
        }
        open.extend(command.get_subcommands().cloned());
    }
    found.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_removed_with_its_value_in_every_form() {
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        for (given, left) in [
            ("t serve --a 1 --b 2", "t serve --b 2"),
            ("t serve --a=1 --b 2", "t serve --b 2"),
            ("t serve --a -1 --b 2 --a", "t serve --b 2"),
            ("t serve --a --b 2", "t serve --b 2"),
            ("t --ab 1 -- --a 1", "t --ab 1 -- --a 1"),
        ] {
            assert_eq!(without(words(given), "a"), words(left), "{given}");
        }
    }

    #[test]
    fn a_value_is_repeated_unless_it_may_contain_a_password() {
        let told = |value: &str| with_value("must be x".into(), value);
        assert_eq!(told("1.5"), "must be x (given: \"1.5\")");
        assert_eq!(told("http://u:p@a"), "must be x");
        assert_eq!(told(&"ü".repeat(65)), format!("must be x (given: \"{}\"…)", "ü".repeat(64)));
    }
}
