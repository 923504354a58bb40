//! `docs/settings.md`, compared with `--help` and with the limits that `serve` enforces.

use std::collections::BTreeSet;

use crate::process::run;

const SETTINGS: &str = include_str!("../../../docs/settings.md");

/// Commands whose help is compared, with the flags that `docs/settings.md` describes under `serve` only.
const COMMANDS: &[&[&str]] = &[
    &["serve"],
    &["sandbox"],
    &["simulate-cloud"],
    &["health"],
    &["config", "check"],
    &["keys", "create"],
    &["keys", "list"],
    &["keys", "rotate"],
    &["keys", "revoke"],
    &["audit", "verify"],
    &["audit", "export"],
    &["audit", "archive"],
    &["audit", "accept-loss"],
    &["rollout"],
    &["migrate"],
    &["openapi"],
];

/// The first word of the column `values`, by the value name in `--help`.
const KINDS: &[(&str, &str)] = &[
    ("ADDRESS", "address"),
    ("CIDR", "networks"),
    ("COMMAND", "command"),
    ("DATE", "time"),
    ("DURATION", "duration"),
    ("FILE", "file"),
    ("FILTER", "filter"),
    ("FOLDER", "folder"),
    ("HOST", "host"),
    ("ID", "text"),
    ("METHOD", "method"),
    ("MODE", "mode"),
    ("N", "number"),
    ("N/DURATION", "limit"),
    ("NAME", "text"),
    ("ORIGIN", "origins"),
    ("PATTERN", "pattern"),
    ("REGEX", "regular expression"),
    ("REGION", "text"),
    ("SCOPE", "scope"),
    ("SEQ", "number"),
    ("SIZES", "sizes"),
    ("STYLE", "style"),
    ("TEXT", "text"),
    ("URL", "URL"),
    ("WHEN", "time"),
];

/// A flag as `--help` shows it.
#[derive(Debug)]
struct Flag {
    name: String,
    value: Option<String>,
    text: String,
    variable: Option<String>,
    default: Option<String>,
    choices: Vec<String>,
}

/// A row of a table in `docs/settings.md`, without backticks.
#[derive(Debug)]
struct Entry {
    section: String,
    flag: String,
    variable: String,
    default: String,
    values: String,
    meaning: String,
}

/// The text between `[name: ` and `]`, at the first place after `from`.
fn bracketed(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("[{name}: "))?;
    Some(rest.split_once(']')?.0.to_owned())
}

fn flag(block: &str) -> Flag {
    let (head, body) = block.split_once('\n').expect("a flag and its text");
    let mut words = head.split_whitespace().filter(|word| !word.starts_with("-h"));
    let name = words.next().expect("a name").trim_start_matches("--").to_owned();
    let value = words.next().map(|value| value.trim_matches(['<', '>']).to_owned());
    let text = body.lines().map(str::trim).find(|line| !line.is_empty()).expect("a text");
    let listed = body.lines().filter_map(|line| line.trim().strip_prefix("- ")?.split_once(':'));
    let mut choices: Vec<String> = listed.map(|(choice, _)| choice.to_owned()).collect();
    if let Some(row) = bracketed(body, "possible values") {
        choices.extend(row.split(", ").map(str::to_owned));
    }
    let variable = bracketed(body, "env").map(|variable| variable.trim_end_matches('=').to_owned());
    let is_switch = value.is_none();
    let default = bracketed(body, "default").or(is_switch.then(|| "false".to_owned()));
    let text = text.split(" [default: ").next().unwrap_or(text).replace('`', "");
    Flag { name, value, text, variable, default, choices }
}

/// The flags in the help of a command.
fn flags(command: &[&str]) -> Vec<Flag> {
    let folder = tempfile::tempdir().expect("a folder");
    let args: Vec<&str> = command.iter().copied().chain(["--help"]).collect();
    let output = run(folder.path(), &args, &[]);
    assert!(output.status.success(), "{command:?}");
    let help = String::from_utf8(output.stdout).expect("text");
    let options = help.split_once("Options:\n").expect("options").1;
    let mut blocks: Vec<String> = Vec::new();
    for line in options.lines() {
        if line.starts_with("      --") {
            blocks.push(line.to_owned() + "\n");
        } else if !line.is_empty() && !line.starts_with("          ") {
            break;
        } else if let Some(block) = blocks.last_mut() {
            block.push_str(line);
            block.push('\n');
        }
    }
    assert!(!blocks.is_empty(), "{command:?} has flags:\n{help}");
    blocks.iter().map(|block| flag(block)).collect()
}

fn entries() -> Vec<Entry> {
    let mut found = Vec::new();
    let mut section = String::new();
    for line in SETTINGS.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title.trim_matches('`').trim_start_matches("tunnelgate ").to_owned();
        }
        if !line.starts_with('|') || line.starts_with("| flag") || line.starts_with("| ---") {
            continue;
        }
        let row = line.replace('`', "");
        let columns: Vec<String> = row.split('|').map(|column| column.trim().to_owned()).collect();
        let [_, name, variable, default, values, meaning, _] =
            <[String; 7]>::try_from(columns).expect("five columns");
        let flag = name.trim_start_matches("--").to_owned();
        found.push(Entry { section: section.clone(), flag, variable, default, values, meaning });
    }
    found
}

/// What a flag and its row do not agree on.
fn differences(flag: &Flag, entry: &Entry) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compare = |column: &str, help: &str, page: &str| {
        if help != page {
            wrong.push(format!("--{}: {column} {help:?} in --help, {page:?} in the document", flag.name));
        }
    };
    compare("variable", flag.variable.as_deref().unwrap_or_default(), &entry.variable);
    let required = flag.text.contains("; required").then_some("required");
    compare("default", flag.default.as_deref().or(required).unwrap_or_default(), &entry.default);
    if flag.choices.is_empty() {
        let value = flag.value.as_deref();
        let kind = value.map(|value| {
            KINDS.iter().find(|(name, _)| *name == value).map_or("a new kind of value", |(_, kind)| kind)
        });
        let documented = entry.values.split([',', ':']).next().unwrap_or_default();
        compare("values", kind.unwrap_or_default(), documented);
    } else {
        compare("values", &flag.choices.join(", "), &entry.values);
    }
    if !entry.meaning.starts_with(flag.text.trim_end_matches('.')) {
        compare("meaning", &flag.text, &entry.meaning);
    }
    wrong
}

#[test]
fn the_settings_page_says_what_help_says() {
    let entries = entries();
    let mut wrong = Vec::new();
    let mut documented = BTreeSet::new();
    for command in COMMANDS {
        let section = command.join(" ");
        for flag in flags(command).iter().filter(|flag| flag.name != "help") {
            let of = |section: &str| {
                entries.iter().position(|entry| entry.section == section && entry.flag == flag.name)
            };
            match of(&section).or_else(|| of("serve")) {
                Some(place) => {
                    documented.insert(place);
                    let found = differences(flag, &entries[place]);
                    wrong.extend(found.into_iter().map(|found| format!("{section} {found}")));
                }
                None => wrong.push(format!("{section} --{} is not documented", flag.name)),
            }
        }
    }
    for (place, entry) in entries.iter().enumerate() {
        if !entry.flag.is_empty() && !documented.contains(&place) {
            wrong.push(format!("{} --{} is documented and does not exist", entry.section, entry.flag));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_secrets_without_a_flag_are_those_that_only_a_file_flag_names() {
    let flags = flags(&["serve"]);
    let variables: BTreeSet<&str> = flags.iter().filter_map(|flag| flag.variable.as_deref()).collect();
    let without: BTreeSet<&str> = flags
        .iter()
        .filter_map(|flag| flag.text.strip_prefix("File that contains "))
        .filter_map(|rest| rest.split([',', ' ']).next())
        .filter(|variable| !variables.contains(variable))
        .collect();
    let entries = entries();
    let documented: BTreeSet<&str> =
        entries.iter().filter(|entry| entry.flag.is_empty()).map(|entry| entry.variable.as_str()).collect();
    assert_eq!(without, documented);
}

/// Runs `serve` with valid settings and one more flag.
fn refused(flag: &str, value: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let env = [
        ("TENCENTCLOUD_SECRET_ID", "AKIDEXAMPLE"),
        ("TENCENTCLOUD_SECRET_KEY", "canary-secret-key"),
        ("TENCENTCLOUD_REGION", "ap-guangzhou"),
    ];
    let output = run(folder.path(), &["serve", &format!("--{flag}"), value], &env);
    assert_eq!(output.status.code(), Some(2), "--{flag} {value}");
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn the_documented_limits_are_kept() {
    let entries = entries();
    let positive: Vec<&Entry> =
        entries.iter().filter(|entry| entry.values == "duration, greater than zero").collect();
    assert!(positive.len() >= 6, "{positive:?}");
    for entry in positive {
        let told = refused(&entry.flag, "0s");
        let name = format!("tunnelgate: {} (--{}): must be greater than zero", entry.variable, entry.flag);
        assert_eq!(told.trim(), name);
    }
    for (flag, value, told) in [
        ("upstream-timeout", "61s", "must be at most 60s"),
        ("poll-interval", "31s", "must not be longer than TUNNELGATE_POLL_MAX_INTERVAL"),
        ("database-connections", "0", "must be a whole number from 1 to 4294967295"),
        ("task-timeout", "36501d", "must be at most 36500d"),
        ("rate-limit", "5/25h", "from 1s to 24h"),
        ("upstream", "v4", "must be one of v2, v3"),
    ] {
        assert!(refused(flag, value).contains(told), "--{flag} {value}");
    }
}

#[test]
fn a_check_shows_every_setting_of_the_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let env = [
        ("TENCENTCLOUD_SECRET_ID", "AKIDEXAMPLE"),
        ("TENCENTCLOUD_SECRET_KEY", "canary-secret-key"),
        ("TENCENTCLOUD_REGION", "ap-guangzhou"),
    ];
    let output = run(folder.path(), &["config", "check"], &env);
    let shown = String::from_utf8(output.stdout).expect("text");
    let entries = entries();
    let of_serve = entries.iter().filter(|entry| entry.section == "serve");
    for entry in of_serve {
        let name = format!("{}=", entry.variable);
        assert!(shown.lines().any(|line| line.starts_with(&name)), "{name} is not in:\n{shown}");
    }
    assert!(
        shown.contains("# The key of the fingerprints is derived from the SecretKey; its id is "),
        "{shown}"
    );
    assert!(!shown.contains("canary"), "{shown}");
}
