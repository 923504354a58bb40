//! `/metrics`: the metrics that docs/metrics.md lists, in the OpenMetrics format.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::drift::Watching;
use crate::harness::{Harness, path, ranges};
use crate::support::consumer::{Consumer, PATIENCE};

const DOCUMENT: &str = include_str!("../../../docs/metrics.md");
const ALERTS: &str = include_str!("../../../deploy/prometheus/alerts.yaml");

/// Metrics that this setup does not have: its accounts come from no file, none of its operations has lost its account, it
/// has no OIDC issuers (see `sign_in`) and no webhooks (see `webhooks`), and traces are off.
const ABSENT: &[&str] = &[
    "tunnelgate_oidc_key_fetches",
    "tunnelgate_oidc_issuer_reachable",
    "tunnelgate_oidc_tokens_refused",
    "tunnelgate_operations_without_account",
    "tunnelgate_trace_spans",
    "tunnelgate_webhook_attempts",
    "tunnelgate_webhook_lag_events",
    "tunnelgate_webhook_lag_seconds",
    "tunnelgate_config_reload_failures",
    "tunnelgate_config_last_reload_successful",
    "tunnelgate_config_last_reload_success_timestamp_seconds",
];

/// The kind and the labels of each metric, by name.
type Metrics = BTreeMap<String, (String, BTreeSet<String>)>;

/// Everything between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn documented() -> Metrics {
    let rows = DOCUMENT.lines().filter(|line| line.starts_with("| `tunnelgate_"));
    rows.map(|row| {
        let columns: Vec<&str> = row.split('|').map(str::trim).collect();
        let name = quoted(columns[1]).next().expect("a name").to_owned();
        (name, (columns[2].to_owned(), quoted(columns[3]).map(str::to_owned).collect()))
    })
    .collect()
}

/// Parses the format strictly: a sample belongs to the metric declared last, and its line follows the standard.
fn read(text: &str) -> Metrics {
    let mut metrics = Metrics::new();
    let mut current = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "# EOF" {
            assert_eq!(lines.peek(), None, "nothing follows # EOF");
            return metrics;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and a kind");
            assert!(
                metrics.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new())).is_none(),
                "{name} twice"
            );
            current = name.to_owned();
        } else if !line.starts_with("# HELP ") && !line.starts_with("# UNIT ") {
            let end = line.find(['{', ' ']).expect("a sample");
            let suffix =
                line[..end].strip_prefix(&current).expect("a sample of the metric declared before it");
            let (kind, labels) = metrics.get_mut(&current).expect("declared");
            let suffixes: &[&str] = match kind.as_str() {
                "counter" => &["_total"],
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            assert!(suffixes.contains(&suffix), "{line}");
            let rest = &line[end..];
            let value = match rest.strip_prefix('{') {
                Some(rest) => {
                    let (inside, value) = rest.rsplit_once('}').expect("a closing brace");
                    let names =
                        inside.split("\",").filter_map(|pair| pair.split_once("=\"")).map(|(name, _)| name);
                    labels.extend(names.filter(|name| *name != "le").map(str::to_owned));
                    value
                }
                None => rest,
            };
            assert!(value.trim().parse::<f64>().is_ok(), "{line}");
        }
    }
    panic!("no end");
}

fn value(text: &str, sample: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(sample)?.trim().parse().ok())
}

async fn the_document_and_the_service_name_the_same_figures(Watching(harness): Watching) {
    harness.consumer.patch(&path("vpnx-branch01"), &ranges(), &[("prefer", "wait=30")]).await;
    Consumer::new(harness.consumer.base.clone(), String::new()).get("/operations", &[]).await;
    let until = Instant::now() + PATIENCE;
    let text = loop {
        let text = harness.consumer.get("/metrics", &[]).await.body;
        let is_swept = ["tunnelgate_drift_calls_total{", "tunnelgate_drift_sweep_age_seconds{"];
        if is_swept.iter().all(|sample| text.contains(sample)) {
            break text;
        }
        assert!(Instant::now() < until, "no sweep: {text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let (found, mut named) = (read(&text), documented());
    named.retain(|name, _| !ABSENT.contains(&name.as_str()));
    if !harness.store.is_postgres() {
        // A file has no partitions.
        named.remove("tunnelgate_log_room_events");
    }
    let missing: Vec<_> = named.keys().filter(|name| !found.contains_key(*name)).collect();
    let unnamed: Vec<_> = found.keys().filter(|name| !named.contains_key(*name)).collect();
    assert!(
        missing.is_empty() && unnamed.is_empty(),
        "missing: {missing:?}, not in the document: {unnamed:?}"
    );
    assert_eq!(found, named);
    for name in found.keys() {
        let is_base_unit = !["_ms", "_millis", "_minutes", "_kb"].iter().any(|unit| name.ends_with(unit));
        assert!(name.starts_with("tunnelgate_") && is_base_unit, "{name}");
    }
}

async fn the_alerts_ask_for_figures_that_there_are(_: Harness) {
    let named = documented();
    let words = ALERTS.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let asked: BTreeSet<&str> = words.filter(|word| word.starts_with("tunnelgate_")).collect();
    assert!(asked.len() >= 10, "{asked:?}");
    for name in asked {
        let known = named.iter().any(|(figure, (kind, _))| match kind.as_str() {
            "counter" => name == format!("{figure}_total"),
            "histogram" => name == format!("{figure}_bucket"),
            _ => name == figure,
        });
        assert!(known, "{name}");
    }
}

async fn the_unfinished_work_shows_and_goes_away(harness: Harness) {
    let answer = harness.consumer.patch(&path("vpnx-task-never-ends"), &ranges(), &[]).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let open = answer.json()["id"].as_str().expect("an id").to_owned();
    let text = harness.consumer.get("/metrics", &[]).await.body;
    assert_eq!(value(&text, "tunnelgate_ledger_up"), Some(1.0));
    assert_eq!(value(&text, "tunnelgate_operations_opened_total"), Some(1.0), "{text}");
    assert_eq!(value(&text, "tunnelgate_operations_unfinished{status=\"running\"}"), Some(1.0), "{text}");
    let answer = harness.consumer.patch(&path("vpnx-branch01"), &ranges(), &[("prefer", "wait=30")]).await;
    assert_eq!(answer.json()["status"], "succeeded");
    assert_eq!(harness.consumer.ended(&open).await["status"], "timed_out");
    let text = harness.consumer.get("/metrics", &[]).await.body;
    assert_eq!(value(&text, "tunnelgate_operations_unfinished{status=\"running\"}"), Some(0.0), "{text}");
    assert_eq!(value(&text, "tunnelgate_operations_ended_total{status=\"succeeded\"}"), Some(1.0), "{text}");
    assert_eq!(value(&text, "tunnelgate_operations_ended_total{status=\"timed_out\"}"), Some(1.0), "{text}");
    assert_eq!(
        value(&text, "tunnelgate_operations_verified_total{result=\"confirmed\"}"),
        Some(1.0),
        "{text}"
    );
    assert!(
        value(&text, "tunnelgate_ledger_pool_connections_limit{pool=\"write\"}").is_some_and(|n| n >= 1.0)
    );
}

async fn a_scrape_answers_without_the_ledger(harness: Harness) {
    let before = harness.consumer.get("/metrics", &[]).await.body;
    assert!(before.contains("tunnelgate_operations_unfinished{"), "{before}");
    harness.store.execute("ALTER TABLE tracking RENAME TO elsewhere").await.expect("renamed");
    let answer = harness.consumer.get("/metrics", &[]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(value(&answer.body, "tunnelgate_ledger_up"), Some(0.0), "{}", answer.body);
    assert!(!answer.body.contains("tunnelgate_operations_unfinished{"), "an unknown value is absent");
    assert!(read(&answer.body).contains_key("tunnelgate_http_requests"));
}

/// Drift has a query of its own.
async fn a_scrape_keeps_its_other_values_where_drift_can_not_be_read(Watching(harness): Watching) {
    let scrape = async || harness.consumer.get("/metrics", &[]).await.body;
    assert_eq!(value(&scrape().await, "tunnelgate_drift_readable{}"), Some(1.0));
    harness.store.execute("ALTER TABLE drift RENAME TO elsewhere").await.expect("renamed");
    let text = scrape().await;
    assert_eq!(value(&text, "tunnelgate_drift_readable{}"), Some(0.0), "{text}");
    assert_eq!(value(&text, "tunnelgate_ledger_up"), Some(1.0), "{text}");
    assert!(text.contains("tunnelgate_operations_unfinished{"), "{text}");
    assert_eq!(value(&text, "tunnelgate_drift_interval_seconds{}"), Some(0.2), "{text}");
    assert!(!text.contains("tunnelgate_drift_tunnels{"), "an unknown value is absent");
    harness.store.execute("ALTER TABLE elsewhere RENAME TO drift").await.expect("renamed");
    let text = scrape().await;
    assert_eq!(value(&text, "tunnelgate_drift_tunnels{account=\"default\"}"), Some(0.0), "{text}");
}

async fn the_figures_count_what_happened(harness: Harness) {
    harness.consumer.patch(&path("vpnx-branch01"), &ranges(), &[("prefer", "wait=30")]).await;
    harness.patch("vpnx-credentials", &ranges()).await;
    harness.consumer.get("/operations", &[("authorization", "Bearer tg_wrong")]).await;
    let answer = harness.consumer.get("/metrics", &[]).await;
    assert!(answer.header("content-type").is_some_and(|kind| kind.contains("openmetrics")));
    let text = answer.body;
    let has = |start: &str| text.lines().any(|line| line.starts_with(start) && !line.ends_with(" 0"));
    for start in [
        harness.by_api(
            "tunnelgate_cloud_calls_total{action=\"ModifyVpnConnEx\",code=\"0\",account=\"default\"}",
            "tunnelgate_cloud_calls_total{action=\"ModifyVpnConnectionAttribute\",code=\"0\",account=\"default\"}",
        ),
        harness.by_api(
            "tunnelgate_cloud_calls_total{action=\"ModifyVpnConnEx\",code=\"4102\",account=\"default\"}",
            "tunnelgate_cloud_calls_total{action=\"ModifyVpnConnectionAttribute\",code=\"UnauthorizedOperation\",account=\"default\"}",
        ),
        "tunnelgate_ledger_batch_steps_count",
        "tunnelgate_ledger_commit_duration_seconds_count",
    ] {
        assert!(has(start), "no {start}");
    }
    assert!(!text.contains("vpnx-") && !text.contains("vpc-03vihbk9"), "no ids as labels");
    assert!(text.ends_with("# EOF\n"));
}

on_each_api!(
    the_figures_count_what_happened,
    the_document_and_the_service_name_the_same_figures,
    the_alerts_ask_for_figures_that_there_are,
    the_unfinished_work_shows_and_goes_away,
    a_scrape_answers_without_the_ledger,
    a_scrape_keeps_its_other_values_where_drift_can_not_be_read,
);
