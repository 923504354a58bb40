//! The documents, compared with the binary and with the files that they name.

mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use tunnelgate::domain::event::EventKind;
use tunnelgate::service::export::COLUMNS;

use crate::process::Process;
use crate::support::consumer::Consumer;

#[test]
fn every_url_in_the_sandbox_s_curl_lines_is_quoted() {
    for public in [None, Some("https://net.example.com/tunnelgate")] {
        let folder = tempfile::tempdir().expect("a folder");
        let args = ["sandbox", "--listen", "127.0.0.1:0"];
        let env: Vec<_> = public.iter().map(|url| ("TUNNELGATE_PUBLIC_URL", *url)).collect();
        let mut sandbox = Process::start(folder.path(), "sandbox", &args, &env);
        let welcome = sandbox
            .await_output("last line", |output| output.find("Ctrl-C").map(|end| output[..end].to_owned()));
        assert!(sandbox.terminate().success());
        let commands = &welcome[welcome.find("curl ").expect("a curl line")..];
        // zsh and fish expand an unquoted `?`; in fish a backslash is special even inside single quotes.
        for quoted in commands.split('\'').skip(1).step_by(2) {
            assert!(!quoted.contains('\\'), "{quoted}");
        }
        for plain in commands.split('\'').step_by(2) {
            assert!(!plain.contains("http") && !plain.contains(['?', '*', '$', '&']), "{plain}");
        }
        let base = public.unwrap_or("http://127.0.0.1:");
        let urls = commands.matches(&format!("'{base}")).count();
        assert_eq!(urls, commands.matches("curl ").count(), "{commands}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_page_names_every_error_with_its_status() {
    let folder = tempfile::tempdir().expect("a folder");
    let args = ["sandbox", "--listen", "127.0.0.1:0"];
    let mut sandbox = Process::start(folder.path(), "sandbox", &args, &[]);
    let consumer = Consumer::new(sandbox.address(), String::new());
    let answer = consumer.get("/problems", &[]).await.json();
    let types = answer["items"].as_array().expect("items");
    let served: BTreeSet<(String, String)> = types
        .iter()
        .map(|of| (of["status"].to_string(), of["code"].as_str().expect("a code").to_owned()))
        .collect();
    let mut documented = BTreeSet::new();
    let rows = include_str!("../../docs/api.md").split_once("## Errors").expect("errors").1;
    for row in rows.lines().filter(|line| line.starts_with("| ") && line.contains('`')) {
        let columns: Vec<&str> = row.split('|').map(str::trim).collect();
        let statuses: Vec<&str> = columns[1].split(", ").collect();
        for code in columns[2].split('`').skip(1).step_by(2).filter(|code| *code != "code") {
            let status = statuses.iter().find(|status| served.contains(&((**status).into(), code.into())));
            documented.insert(((*status.unwrap_or(&columns[1])).to_owned(), code.to_owned()));
        }
    }
    for end in ["answer_lost", "task_failed", "not_applied", "task_timeout"] {
        assert!(rows.contains(&format!("`{end}`")), "{end}");
        // No response has these codes, so they have no status.
        documented.insert(("null".into(), end.into()));
    }
    assert_eq!(served, documented);
    assert!(sandbox.terminate().success());
}

/// Every field of a patch in the schema, by its path, with its schema. An identity is one field.
fn fields(prefix: &str, schema: &Value, found: &mut BTreeMap<String, Value>) {
    for (name, field) in schema["properties"].as_object().expect("properties") {
        let path = format!("{prefix}{name}");
        if field["type"] == "object" {
            fields(&format!("{path}."), field, found);
        } else {
            found.insert(path, field.clone());
        }
    }
}

#[test]
fn the_api_page_has_the_fields_of_a_patch_with_their_words_and_limits() {
    let document: Value = serde_json::from_str(include_str!("../../openapi/openapi.json")).expect("JSON");
    let mut schema = BTreeMap::new();
    fields("", &document["components"]["schemas"]["TunnelPatch"], &mut schema);
    let page = include_str!("../../docs/api.md").split_once("| field | values |").expect("the table").1;
    let rows = page.split("\n\n").next().expect("rows").lines().skip(2);
    let mut documented = BTreeMap::new();
    for row in rows {
        let columns: Vec<&str> = row.split('|').map(str::trim).collect();
        documented.insert(columns[1].trim_matches('`').to_owned(), columns[2].to_owned());
    }
    let names = |map: &BTreeMap<String, String>| map.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&documented), schema.keys().cloned().collect::<Vec<_>>());
    for (path, field) in schema {
        let values = &documented[&path];
        if let Some(words) = field["enum"].as_array() {
            for word in words.iter().filter_map(Value::as_str) {
                assert!(values.contains(&format!("`{word}`")), "{path}: {word} is not in {values:?}");
            }
            let ours = values.split('`').skip(1).step_by(2);
            let unknown: Vec<&str> = ours.filter(|word| !words.iter().any(|known| known == word)).collect();
            assert!(unknown.is_empty(), "{path}: the schema has no {unknown:?}");
        }
        for limit in ["minimum", "maximum", "maxLength"] {
            if let Some(limit) = field[limit].as_u64() {
                assert!(values.contains(&limit.to_string()), "{path}: {limit} is not in {values:?}");
            }
        }
    }
}

#[test]
fn the_readme_stays_short() {
    let readme = include_str!("../../README.md");
    assert!(readme.len() < 10_000, "{} bytes: move details to docs/", readme.len());
}

/// The Markdown files of the project, with their text.
fn documents() -> BTreeMap<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [root.to_owned(), root.join("docs"), root.join("docs/decisions")];
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).expect("a folder"));
    files
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| (path.clone(), std::fs::read_to_string(path).expect("a document")))
        .collect()
}

#[test]
fn every_link_between_documents_leads_to_a_file() {
    let mut wrong = Vec::new();
    for (path, text) in documents() {
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let file = link.split('#').next().unwrap_or_default();
            if !path.parent().expect("a folder").join(file).exists() {
                wrong.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Every file below a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

#[test]
fn every_document_that_the_code_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for folder in ["src", "tests", "bench"] {
        files(&root.join(folder), &mut sources);
    }
    sources.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    let mut wrong = Vec::new();
    let mut named = 0;
    for file in sources {
        let text = std::fs::read_to_string(&file).expect("a source file");
        for (at, _) in text.match_indices("docs/") {
            let end = text[at..].find(|c: char| !c.is_alphanumeric() && !"/-_.".contains(c));
            let name = text[at..].split_at(end.unwrap_or(text.len() - at)).0.trim_end_matches('.');
            if name.ends_with(".md") {
                named += 1;
                if !root.join(name).exists() {
                    wrong.push(format!("{}: {name}", file.display()));
                }
            }
        }
    }
    assert!(named > 3 && wrong.is_empty(), "{named} named, {wrong:#?}");
}

#[test]
fn every_path_of_the_project_that_a_document_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    for (path, text) in documents() {
        for quoted in text.split('`').skip(1).step_by(2) {
            let is_path = quoted.contains('/') && !quoted.contains([' ', '<', '{', '…', ':']);
            let first = quoted.split('/').next().unwrap_or_default();
            // Paths of modules are relative to src.
            let base = [root.to_owned(), root.join("src")].into_iter().find(|base| base.join(first).is_dir());
            let Some(base) = base.filter(|_| is_path && !["", "target"].contains(&first)) else { continue };
            let file = base.join(quoted);
            if !file.exists() && !file.with_extension("rs").exists() {
                wrong.push(format!("{}: {quoted}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_index_names_every_decision() {
    let index = include_str!("../../docs/decisions/README.md");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/decisions");
    let files =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let missing: Vec<_> = files
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name != "README.md" && !index.contains(&format!("({name})")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_alerts_page_has_every_rule_in_its_order() {
    let rules = include_str!("../../deploy/prometheus/alerts.yaml");
    let named: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let page = include_str!("../../docs/alerts.md");
    let described: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert!(named.len() > 10, "{named:?}");
    assert_eq!(named, described);
    let severities = rules.lines().filter_map(|line| line.trim().strip_prefix("severity: "));
    for (section, severity) in page.split("\n## ").skip(1).zip(severities) {
        let said = section.lines().nth(2).expect("a text").to_lowercase();
        assert!(said.starts_with(severity), "{severity}: {section}");
    }
}

#[test]
fn the_files_for_deployments_set_variables_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![root.join("Dockerfile"), root.join("compose.yaml")];
    files(&root.join("deploy"), &mut found);
    let settings = include_str!("../../docs/settings.md");
    let known: BTreeSet<&str> = settings.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let ours = |word: &&str| word.starts_with("TUNNELGATE_") || word.starts_with("TENCENTCLOUD_");
    let (mut named, mut wrong) = (0, Vec::new());
    for file in found {
        let text = std::fs::read_to_string(&file).expect("text");
        for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(ours) {
            named += 1;
            if !known.contains(word) {
                wrong.push(format!("{}: {word}", file.display()));
            }
        }
    }
    assert!(named > 5 && wrong.is_empty(), "{named} named, {wrong:#?}");
}

/// The words between quotation marks of this kind.
fn quoted(text: &str, mark: char) -> impl Iterator<Item = String> {
    text.split(mark).skip(1).step_by(2).map(str::to_owned)
}

#[test]
fn the_architecture_page_has_the_dependencies_that_the_test_allows() {
    let test = include_str!("../architecture/places.rs").split_once("const MAY_USE").expect("the table").1;
    let test = test.split_once("= &[").expect("its rows").1.split("\n];").next().expect("its end");
    let test: String = test.split_whitespace().collect();
    let mut allowed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in test.split("(\"").skip(1) {
        let (module, others) = row.split_once('"').expect("a module");
        allowed.insert(module.to_owned(), quoted(others, '"').collect());
    }
    let page =
        include_str!("../../docs/architecture.md").split_once("| module | may use |").expect("the table").1;
    let mut documented = BTreeMap::new();
    for row in page.lines().skip(2).take_while(|line| line.starts_with('|')) {
        let columns: Vec<&str> = row.split('|').collect();
        for module in quoted(columns[1], '`') {
            documented.insert(module, quoted(columns[2], '`').collect());
        }
    }
    assert_eq!(allowed, documented);
}

#[test]
fn the_audit_format_describes_every_column_and_kind_of_event() {
    let page = include_str!("../../docs/audit-format.md");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let columns: BTreeSet<String> = rows.iter().flat_map(|row| quoted(row[1], '`')).collect();
    assert_eq!(columns, COLUMNS.iter().map(|column| (*column).to_owned()).collect());
    let kinds = rows.iter().find(|row| row[1] == "`event`").expect("the column of the kind")[2];
    let kinds: Vec<String> = quoted(kinds, '`').collect();
    assert_eq!(kinds, EventKind::WORDS);
}
