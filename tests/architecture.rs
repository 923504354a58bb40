//! Dependencies point one way, and each foreign library has its place.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]

use std::path::{Path, PathBuf};

const MODULES: &[&str] = &[
    "app",
    "background",
    "chance",
    "cli",
    "clock",
    "cloud",
    "config",
    "domain",
    "failpoint",
    "http",
    "ledger",
    "metrics",
    "sandbox",
    "service",
    "shutdown",
    "simulator",
    "telemetry",
    "tls",
];

/// What each module may use of ours.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("chance", &["domain"]),
    ("clock", &["domain"]),
    ("metrics", &[]),
    ("shutdown", &[]),
    ("tls", &["shutdown"]),
    ("failpoint", &[]),
    ("service", &["domain", "clock", "chance", "failpoint"]),
    ("cloud", &["service", "domain", "clock", "chance", "metrics", "failpoint"]),
    ("ledger", &["service", "domain", "metrics", "failpoint"]),
    ("background", &["service", "domain", "metrics", "shutdown", "tls", "failpoint"]),
    ("http", &["service", "domain", "clock", "chance", "metrics", "shutdown"]),
    ("simulator", &["domain", "clock", "chance"]),
];

/// Where each foreign library may be named.
const PLACES: &[(&str, &[&str])] = &[
    ("sqlx", &["ledger"]),
    ("reqwest", &["cloud"]),
    ("actix_web", &["http", "app", "simulator"]),
    ("actix_cors", &["http"]),
    ("actix_http", &["http"]),
    ("rustls", &["tls", "cloud"]),
    ("utoipa", &["http", "domain"]),
    ("hmac", &["cloud", "domain", "simulator"]),
    ("sha1", &["cloud", "simulator"]),
    ("clap", &["cli", "config"]),
    ("prometheus_client", &["metrics", "http", "cloud", "ledger", "background"]),
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source file with its module's name.
fn sources() -> Vec<(String, PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&src, &mut found);
    assert!(found.len() > 50, "the sources are where they are looked for");
    found
        .into_iter()
        .map(|path| {
            let relative = path.strip_prefix(&src).expect("below src").to_path_buf();
            let first =
                relative.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).expect("a source file");
            (first.trim_end_matches(".rs").to_owned(), relative, text)
        })
        .collect()
}

/// True if the text names `crate::module`, alone or in a group of imports.
fn names(text: &str, module: &str) -> bool {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).any(|line| {
        line.match_indices("crate::").any(|(at, found)| {
            let rest = &line[at + found.len()..];
            let before = line[..at].chars().last();
            let is_macro = before == Some('$');
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            !is_macro && &rest[..end] == module
        })
    })
}

#[test]
fn modules_use_only_what_stands_below_them() {
    let mut wrong = Vec::new();
    for (module, file, text) in sources() {
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else { continue };
        for other in MODULES.iter().filter(|other| **other != module && !allowed.contains(*other)) {
            if names(&text, other) {
                wrong.push(format!("{} uses {other}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn foreign_libraries_stay_in_their_places() {
    let mut wrong = Vec::new();
    for (module, file, text) in sources() {
        for (library, places) in PLACES {
            let is_named = text
                .lines()
                .any(|line| !line.trim_start().starts_with("//") && line.contains(&format!("{library}::")));
            if is_named && !places.contains(&module.as_str()) {
                wrong.push(format!("{} uses {library}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_file_outgrows_one_idea() {
    let long: Vec<String> = sources()
        .into_iter()
        .filter(|(_, _, text)| text.lines().count() > 450)
        .map(|(_, file, text)| format!("{}: {} lines", file.display(), text.lines().count()))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn the_search_finds_what_it_looks_for() {
    assert!(names("use crate::cloud::v2;", "cloud"));
    assert!(names("let x = crate::http::problem();", "http"));
    assert!(!names("use crate::cloudy::v2;", "cloud"));
    assert!(!names("// see crate::cloud", "cloud"));
}
