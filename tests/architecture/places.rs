//! The rules: which module may use which, which library belongs where, and how long a file may be.

use std::collections::BTreeSet;

use crate::imports::{Imports, Module};
use crate::sources::{self, Source};

/// The roots of the crate: they declare the modules and start the command line.
const ROOTS: &[&str] = &["lib", "main"];

/// What each module may use of ours.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("causes", &["domain"]),
    ("metrics", &[]),
    ("trace", &[]),
    ("failpoint", &[]),
    ("health", &["causes"]),
    ("chance", &["domain"]),
    ("clock", &["domain"]),
    ("shutdown", &[]),
    ("tls", &["shutdown", "causes"]),
    ("service", &["domain", "clock", "chance", "failpoint", "causes"]),
    ("cloud", &["service", "domain", "clock", "chance", "metrics", "failpoint", "causes", "trace"]),
    ("ledger", &["service", "domain", "metrics", "failpoint", "causes", "trace"]),
    ("archive", &["service", "domain", "clock", "chance", "failpoint"]),
    (
        "background",
        &["service", "domain", "clock", "metrics", "shutdown", "tls", "failpoint", "causes", "trace"],
    ),
    ("http", &["service", "domain", "clock", "chance", "metrics", "shutdown", "causes", "trace"]),
    ("simulator", &["domain", "clock", "chance"]),
    ("oidc", &["service", "domain", "clock", "metrics", "causes"]),
    ("webhooks", &["service", "domain", "causes"]),
    ("config", &["cloud", "http", "ledger", "oidc", "service", "domain", "tls", "webhooks"]),
    ("reload", &["config", "cloud", "oidc", "clock", "metrics", "shutdown", "causes", "webhooks"]),
    ("telemetry", &["config", "causes", "domain", "metrics", "trace"]),
    ("rollout", &["domain", "clock", "chance", "shutdown", "failpoint", "causes"]),
    ("corpus", &["cloud", "config", "domain", "http", "oidc", "rollout"]),
    (
        "app",
        &[
            "background",
            "chance",
            "clock",
            "cloud",
            "config",
            "http",
            "ledger",
            "metrics",
            "oidc",
            "reload",
            "service",
            "shutdown",
            "tls",
            "webhooks",
        ],
    ),
    ("sandbox", &["app", "cloud", "config", "domain", "http", "ledger", "service", "shutdown", "simulator"]),
    (
        "cli",
        &[
            "app",
            "archive",
            "causes",
            "chance",
            "clock",
            "config",
            "domain",
            "health",
            "http",
            "metrics",
            "rollout",
            "sandbox",
            "service",
            "shutdown",
            "simulator",
            "telemetry",
            "webhooks",
        ],
    ),
];

/// Where each library may be named.
const PLACES: &[(&str, &[&str])] = &[
    ("sqlx", &["ledger"]),
    ("reqwest", &["cloud", "health", "oidc", "rollout", "telemetry", "webhooks"]),
    ("jsonwebtoken", &["oidc"]),
    ("actix_web", &["http", "app", "simulator"]),
    ("actix_cors", &["http"]),
    ("actix_http", &["http"]),
    ("actix_server", &["http"]),
    ("actix_service", &["http"]),
    ("actix_tls", &["http"]),
    ("rustls", &["tls", "cloud", "health", "oidc", "causes", "rollout", "telemetry", "webhooks"]),
    ("utoipa", &["http", "domain"]),
    ("hmac", &["cloud", "domain", "simulator", "webhooks"]),
    ("sha1", &["cloud", "simulator"]),
    ("clap", &["cli", "config"]),
    ("opentelemetry", &["trace", "telemetry"]),
    ("opentelemetry_sdk", &["trace", "telemetry"]),
    ("opentelemetry_otlp", &["telemetry"]),
    ("sd_notify", &["cli"]),
    ("granit_parser", &["rollout"]),
    ("indicatif", &["rollout"]),
    ("rustix", &["ledger", "rollout"]),
    (
        "prometheus_client",
        &["metrics", "http", "cloud", "ledger", "background", "oidc", "reload", "telemetry"],
    ),
];

fn path(module: &Module) -> String {
    if module.is_empty() { "lib".to_owned() } else { module.join("/") }
}

#[test]
fn modules_use_only_what_stands_below_them() {
    let imports = Imports::of(&sources::modules());
    let mut wrong = BTreeSet::new();
    for (from, to) in imports.pairs() {
        let (Some(module), Some(other)) = (from.first(), to.first()) else { continue };
        let is_allowed =
            |(name, others): &(&str, &[&str])| name == module && others.contains(&other.as_str());
        if module != other && !MAY_USE.iter().any(is_allowed) {
            wrong.insert(format!("{} uses {other}", path(from)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_module_has_its_row_and_uses_what_the_row_says() {
    let sources = sources::all();
    let modules: BTreeSet<&str> =
        sources.iter().map(Source::top).filter(|top| !ROOTS.contains(top)).collect();
    let rows: BTreeSet<&str> = MAY_USE.iter().map(|(module, _)| *module).collect();
    assert_eq!(modules, rows);
    let imports = Imports::of(&sources::modules());
    let used: BTreeSet<(&str, &str)> = imports
        .pairs()
        .filter_map(|(from, to)| Some((from.first()?.as_str(), to.first()?.as_str())))
        .collect();
    let unused: Vec<(&str, &str)> = MAY_USE
        .iter()
        .flat_map(|(module, others)| others.iter().map(|other| (*module, *other)))
        .filter(|pair| !used.contains(pair))
        .collect();
    assert!(unused.is_empty(), "rows allow what no file uses: {unused:?}");
}

#[test]
fn no_files_depend_on_each_other() {
    let cycles = Imports::of(&sources::modules()).cycles();
    let shown: Vec<String> =
        cycles.iter().map(|cycle| cycle.iter().map(path).collect::<Vec<_>>().join(" -> ")).collect();
    assert!(
        cycles.is_empty(),
        "files that depend on each other: {shown:#?}; move what both need into a file of its own"
    );
}

#[test]
fn libraries_stay_in_their_places() {
    let mut wrong = Vec::new();
    for source in sources::all() {
        for (library, places) in PLACES {
            let is_named = source
                .text
                .lines()
                .any(|line| !line.trim_start().starts_with("//") && line.contains(&format!("{library}::")));
            if is_named && !places.contains(&source.top()) {
                wrong.push(format!("{} uses {library}", source.file));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_file_outgrows_one_idea() {
    let long: Vec<String> = sources::all()
        .into_iter()
        .filter(|source| source.text.lines().count() > 450)
        .map(|source| format!("{}: {} lines", source.file, source.text.lines().count()))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}
