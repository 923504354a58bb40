//! Compares, after the run, the responses that consumers received with the ledger and with the simulated cloud.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tunnelgate::domain::api::Api;

use serde_json::Value;
use tunnelgate::chance::SystemChance;
use tunnelgate::clock::SystemClock;
use tunnelgate::cloud::v2::sign::SignatureMethod;
use tunnelgate::cloud::v2::wire::ParamStyle;
use tunnelgate::cloud::{CloudMetrics, Credentials, Endpoints, Line, Settings, connect};
use tunnelgate::domain::ids::TunnelPath;
use tunnelgate::domain::principal::VpcScope;
use tunnelgate::domain::timestamp::Timestamp;
use tunnelgate::metrics::Metrics;
use tunnelgate::service::cloud::{Cloud, Priority};

use crate::alone::Alone;
use crate::deployment::{Deployment, SECRET_ID, Secrets};
use crate::load::Asked;

/// The peer range of every load tunnel before the first change.
const AT_FIRST: &str = "172.16.0.0/16";

struct Row {
    id: String,
    status: String,
    tunnel: String,
    range: String,
    error: Option<String>,
    verification: Option<String>,
}

/// The numbers of a run.
#[derive(Debug, Default)]
pub struct Summary {
    operations: BTreeMap<String, usize>,
    calls: usize,
    asked: usize,
    accepted: usize,
    lost_answers: u32,
    cut_off: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} changes asked for, {} answers lost, {} operations promised; {:?}, {} of them cut off by a kill; \
             the cloud received {} calls",
            self.asked, self.lost_answers, self.accepted, self.operations, self.cut_off, self.calls
        )
    }
}

async fn operations(deployment: &Deployment) -> Vec<Row> {
    let sql = "SELECT CAST(id AS TEXT), status, tunnel_id, CAST(changes AS TEXT), CAST(error AS TEXT),
                      CAST(verification AS TEXT) FROM operations ORDER BY id";
    let json = |text: &Option<String>| -> Value {
        serde_json::from_str(text.as_deref().unwrap_or("null")).expect("JSON")
    };
    let rows = deployment.view.rows(sql, &[]).await;
    rows.into_iter()
        .map(|row| Row {
            id: row[0].clone().expect("an id"),
            status: row[1].clone().expect("a status"),
            tunnel: row[2].clone().expect("a tunnel"),
            range: json(&row[3])["peer_cidrs"][0].as_str().expect("a range").to_owned(),
            error: json(&row[4])["code"].as_str().map(str::to_owned),
            verification: json(&row[5])["result"].as_str().map(str::to_owned),
        })
        .collect()
}

/// A change in the cloud's journal.
struct Call {
    nonce: String,
    tunnel: String,
    range: String,
    at: String,
    applied: bool,
    answer: String,
}

async fn calls(deployment: &Deployment) -> Vec<Call> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let journal = deployment.journal().await;
    journal
        .iter()
        .map(|entry| Call {
            nonce: text(&entry["nonce"]),
            tunnel: text(&entry["tunnel_id"]),
            range: text(&entry["params"]["userGwCidrBlock.0"]),
            at: text(&entry["received_at"]),
            applied: entry["applied"] == true,
            answer: text(&entry["answer"]),
        })
        .collect()
}

/// Asserts every guarantee.
pub async fn settle(deployment: &Deployment, asked: &[Asked]) -> Summary {
    let (operations, calls, events) =
        (operations(deployment).await, calls(deployment).await, deployment.events());
    let by_range: HashMap<&str, &Row> = operations.iter().map(|row| (row.range.as_str(), row)).collect();
    assert_eq!(by_range.len(), operations.len(), "no change has two operations");

    intent_came_first(deployment, &calls, &by_range, &events);
    sent_at_most_once(&calls);
    let cut_off = events_tell_one_life_each(&operations, &events);
    told_the_truth(asked, &operations);
    for row in &operations {
        agrees_with_the_cloud(row, &calls);
    }
    tunnels_are_as_the_ledger_says(deployment, &operations, &calls).await;

    let mut summary = Summary {
        calls: calls.len(),
        asked: asked.len(),
        accepted: asked.iter().filter(|asked| asked.operation.is_some()).count(),
        lost_answers: asked.iter().map(|asked| asked.lost).sum(),
        cut_off,
        ..Summary::default()
    };
    for row in &operations {
        *summary.operations.entry(row.status.clone()).or_default() += 1;
    }
    summary
}

/// Every change that the cloud received was in the ledger, pending and with its event, before the call arrived.
fn intent_came_first(
    deployment: &Deployment,
    calls: &[Call],
    by_range: &HashMap<&str, &Row>,
    events: &[Value],
) {
    let witnesses = deployment.front.witnesses();
    let seen: HashMap<&str, _> = witnesses.iter().map(|witness| (witness.nonce.as_str(), witness)).collect();
    assert_eq!(seen.len(), witnesses.len(), "no nonce was used twice");
    for witness in &witnesses {
        let intent = witness.intent.as_deref();
        let operation = by_range.get(witness.range.as_str()).map(|row| row.id.as_str());
        assert!(intent.is_some() && intent == operation, "sent without its intent: {witness:?}");
    }
    let requested: HashMap<&str, &str> = events
        .iter()
        .filter(|event| event["event"] == "requested")
        .filter_map(|event| Some((event["operation_id"].as_str()?, event["occurred_at"].as_str()?)))
        .collect();
    for call in calls {
        let witness = seen.get(call.nonce.as_str()).expect("the front received the call");
        assert_eq!((&witness.tunnel, &witness.range), (&call.tunnel, &call.range));
        let since = requested[by_range[call.range.as_str()].id.as_str()];
        let moment = |text: &str| Timestamp::parse(text).expect("a moment");
        // The gateway knows the ledger's clock to half a round trip.
        let latest = moment(&call.at).plus(Duration::from_secs(1));
        assert!(moment(since) < latest, "requested at {since}, received at {}", call.at);
    }
}

/// One call for each change. Only a refusal that proves that nothing happened allows a retry.
fn sent_at_most_once(calls: &[Call]) {
    let mut by_range: HashMap<&str, Vec<&Call>> = HashMap::new();
    for call in calls {
        by_range.entry(&call.range).or_default().push(call);
    }
    for (range, calls) in by_range {
        let before = &calls[..calls.len() - 1];
        let refused = |call: &&Call| !call.applied && call.answer == "code 4400";
        assert!(before.iter().all(refused), "{range} was sent {} times", calls.len());
        let is_plain = calls[0].tunnel.starts_with("vpnx-load-");
        assert!(calls.len() == 1 || !is_plain, "{range} was sent {} times", calls.len());
    }
}

/// The events of each operation form one valid path through its states; returns how many operations lost their gateway.
fn events_tell_one_life_each(operations: &[Row], events: &[Value]) -> usize {
    let mut lives: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut cut_off = 0;
    for event in events {
        let of = |name: &str| event[name].as_str();
        lives
            .entry(of("operation_id").expect("an operation"))
            .or_default()
            .push(of("event").expect("a kind"));
        // The tracker writes this event when it takes over from a dead process; it has no call.
        cut_off += usize::from(event["event"] == "outcome_unknown" && event["upstream"].is_null());
    }
    assert_eq!(lives.len(), operations.len(), "each operation has events, and each event an operation");
    for row in operations {
        let life = &lives[row.id.as_str()];
        let ways: &[&[&str]] = match row.status.as_str() {
            "rejected" => &[&["requested"]],
            "succeeded" | "diverged" | "failed" | "timed_out" => {
                &[&["requested", "submitted"], &["requested", "outcome_unknown"]]
            }
            other => panic!("{} is left {other}", row.id),
        };
        let fits = ways.iter().any(|way| [way, &[row.status.as_str()][..]].concat() == *life);
        assert!(fits, "{} is {} by way of {life:?}", row.id, row.status);
    }
    cut_off
}

/// The ledger agrees with the responses, and each idempotency key led to one operation.
fn told_the_truth(asked: &[Asked], operations: &[Row]) {
    let by_id: HashMap<&str, &Row> = operations.iter().map(|row| (row.id.as_str(), row)).collect();
    for asked in asked {
        let Some(id) = &asked.operation else { continue };
        let row =
            by_id.get(id.as_str()).unwrap_or_else(|| panic!("{id} was promised and is not there: {asked:?}"));
        assert_eq!((&row.tunnel, &row.range), (&asked.tunnel, &asked.range));
        let is_refusal = !matches!(asked.status, 200 | 202);
        assert_eq!(row.status == "rejected", is_refusal, "{asked:?} is {}", row.status);
    }
    let asked: BTreeSet<&str> = asked.iter().map(|asked| asked.range.as_str()).collect();
    assert!(
        operations.iter().all(|row| asked.contains(row.range.as_str())),
        "no consumer requested the operation"
    );
}

/// An operation's final status agrees with the cloud's actions.
fn agrees_with_the_cloud(row: &Row, calls: &[Call]) {
    let applied = calls.iter().any(|call| call.range == row.range && call.applied);
    let is_plain = row.tunnel.starts_with("vpnx-load-");
    // The tasks of these tunnels report a wrong result.
    let is_false = matches!(row.tunnel.as_str(), "vpnx-task-fails" | "vpnx-diverged");
    let fits = match row.status.as_str() {
        "succeeded" => applied && (!is_plain || row.verification.as_deref() == Some("confirmed")),
        "failed" => is_false || !applied,
        "rejected" => !applied,
        _ => !is_plain,
    };
    let (status, error, verification) = (&row.status, &row.error, &row.verification);
    assert!(
        fits,
        "{} on {} is {status}, {error:?}, {verification:?}; in the cloud: {applied}",
        row.id, row.tunnel
    );
}

/// Every ordinary tunnel has the range of the last operation on it that succeeded.
async fn tunnels_are_as_the_ledger_says(deployment: &Deployment, operations: &[Row], calls: &[Call]) {
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    for row in operations.iter().filter(|row| row.tunnel.starts_with("vpnx-load-")) {
        let range = last.entry(&row.tunnel).or_insert(AT_FIRST);
        if row.status == "succeeded" {
            *range = &row.range;
        }
    }
    let cloud = client(deployment);
    for (tunnel, expected) in last {
        let path = TunnelPath {
            vpc_id: "vpc-03vihbk9".parse().expect("an id"),
            gateway_id: "vpngw-kfldykuz".parse().expect("an id"),
            tunnel_id: tunnel.parse().expect("an id"),
        };
        let there = cloud.tunnel(&path, Priority::Read, "").await.expect("the tunnel").peer_cidrs;
        let received = calls.iter().filter(|call| call.tunnel == tunnel).count();
        assert_eq!(
            there.as_deref(),
            Some(&[expected.to_owned()][..]),
            "{tunnel}, changed by {received} calls"
        );
    }
}

/// Reads the simulated cloud directly.
fn client(deployment: &Deployment) -> Arc<dyn Cloud> {
    let address = deployment.cloud_address.trim_start_matches("http://").parse().expect("an address");
    let settings = Settings {
        account: "default".into(),
        vpcs: VpcScope::All,
        api: Api::V2,
        endpoints: Endpoints::simulated(address),
        credentials: Credentials {
            secret_id: SECRET_ID.into(),
            secret_key: Secrets::default().secret_key.into(),
            token: None,
        },
        region: "ap-guangzhou".into(),
        signature_method: SignatureMethod::HmacSha1,
        param_style: ParamStyle::Indexed,
        timeout: Duration::from_secs(10),
        calls_per_second: 0,
    };
    let metrics = CloudMetrics::new(&Metrics::default());
    let line = Line::new(
        &settings,
        Arc::new(Alone::default()),
        Arc::new(SystemClock),
        Arc::new(SystemChance),
        metrics,
    );
    connect(settings, &line).expect("a client")
}
