//! Traces at a real collector.

use serde_json::json;

use crate::collector::{Collector, Span};
use crate::gateway::{Gateway, SECRET_KEY, TUNNEL};
use crate::support::Store;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

async fn a_change_is_one_trace_and_each_look_links_to_it(store: Store) {
    let collector = Collector::start();
    let url = collector.url();
    let env = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
        // The last spans come with the shutdown.
        ("OTEL_BSP_SCHEDULE_DELAY", "60000"),
    ];
    let gateway = Gateway::start(&store, &env);
    let traceparent = format!("00-{TRACE}-{CALLER}-01");
    let patch = json!({"peer_cidrs": ["10.100.2.0/24"], "pre_shared_key": "canary-pre-shared-key"});
    let headers = [("traceparent", traceparent.as_str()), ("prefer", "wait=30")];
    let answer = gateway.consumer.patch(&format!("{TUNNEL}?reason=canary-reason"), &patch, &headers).await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("succeeded")), "{}", answer.body);
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    let events = gateway.consumer.get(&format!("/audit-events?operation_id={id}"), &[]).await.json();
    let requested = events["items"].as_array().expect("items").last().expect("an event").clone();
    assert_eq!(requested["trace_id"], TRACE);
    gateway.consumer.get("/livez", &[]).await;
    let metrics = gateway.consumer.get("/metrics", &[]).await.body;
    assert!(metrics.contains(&format!("# {{trace_id=\"{TRACE}\"}}")), "an exemplar:\n{metrics}");
    let token = gateway.consumer.token.clone();
    assert!(gateway.process.terminate().success());

    let spans = collector.await_spans("looks", |spans| {
        (!named(spans, "look at an operation").is_empty()).then(|| spans.to_vec())
    });
    let request = named(&spans, "PATCH /vpcs/{vpc_id}/gateways/{gateway_id}/tunnels/{tunnel_id}")[0];
    assert_eq!((request.trace.as_str(), request.parent.as_str()), (TRACE, CALLER));
    assert_eq!(request.kind, "SPAN_KIND_SERVER");
    for (name, value) in [
        ("http.request.method", "PATCH"),
        ("http.response.status_code", "200"),
        ("http.route", "/vpcs/{vpc_id}/gateways/{gateway_id}/tunnels/{tunnel_id}"),
        ("url.path", TUNNEL),
    ] {
        assert_eq!(request.attributes.get(name).map(String::as_str), Some(value), "{name}");
    }
    let change = named(&spans, "ModifyVpnConnEx")[0];
    assert_eq!((&change.parent, change.kind.as_str()), (&request.id, "SPAN_KIND_CLIENT"));
    for (name, value) in [
        ("tunnelgate.cloud.code", "0"),
        ("tunnelgate.cloud.attempts", "1"),
        ("tunnelgate.account", "default"),
    ] {
        assert_eq!(change.attributes.get(name).map(String::as_str), Some(value), "{name}");
    }
    let opening = named(&spans, "ledger write")
        .into_iter()
        .find(|span| span.attributes.get("tunnelgate.step").is_some_and(|step| step == "open"))
        .expect("the write that opens the operation");
    assert_eq!((&opening.parent, &opening.trace), (&request.id, &request.trace));
    assert_eq!(opening.attributes.get("tunnelgate.operation_id"), Some(&id));
    let system = if store.is_postgres() { "postgresql" } else { "sqlite" };
    assert_eq!(opening.attributes.get("db.system.name").map(String::as_str), Some(system));
    assert!(named(&spans, "ledger batch").iter().any(|batch| batch.parent == opening.id));
    let looks = named(&spans, "look at an operation");
    for look in &looks {
        assert!(look.parent.is_empty() && look.trace != TRACE, "{look:?}");
        assert_eq!(look.links, [(TRACE.to_owned(), opening.id.clone())]);
        assert!(spans.iter().any(|call| call.parent == look.id && call.kind == "SPAN_KIND_CLIENT"));
    }
    // Loops leave no trace, and neither do probes.
    let roots = spans.iter().filter(|span| span.parent.is_empty() || span.parent == CALLER);
    for root in roots {
        assert!(root.name == "look at an operation" || root.kind == "SPAN_KIND_SERVER", "{root:?}");
        assert!(!["livez", "readyz", "metrics"].iter().any(|probe| root.name.contains(probe)), "{root:?}");
    }
    let text = collector.text();
    assert!(
        text.contains("deployment.environment.name: Str(test)")
            && text.contains("service.name: Str(tunnelgate)")
    );
    for secret in [SECRET_KEY, "AKIDEXAMPLE", "canary", &token] {
        assert!(!text.contains(secret), "{secret}");
    }
}

on_each_ledger!(a_change_is_one_trace_and_each_look_links_to_it);

/// The trace id of the event of a change with these headers.
async fn event_of(gateway: &Gateway, headers: &[(&str, &str)]) -> String {
    let patch = json!({"peer_cidrs": ["10.100.3.0/24"]});
    let mut all = vec![("prefer", "wait=30")];
    all.extend_from_slice(headers);
    let answer = gateway.consumer.patch(TUNNEL, &patch, &all).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    let events = gateway.consumer.get(&format!("/audit-events?operation_id={id}"), &[]).await.json();
    let event = events["items"].as_array().expect("items").last().expect("an event").clone();
    event["trace_id"].as_str().expect("a trace id").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_has_the_trace_id_also_where_nothing_is_sampled() {
    let collector = Collector::start();
    let url = collector.url();
    let env =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()), ("OTEL_TRACES_SAMPLER", "parentbased_always_off")];
    let store = Store::sqlite();
    let gateway = Gateway::start(&store, &env);
    let unsampled = format!("00-{TRACE}-{CALLER}-00");
    assert_eq!(event_of(&gateway, &[("traceparent", &unsampled)]).await, TRACE);
    let logged = gateway.process.stderr();
    assert!(logged.contains(&format!("\"trace_id\":\"{TRACE}\"")), "{logged}");
    let two = format!("00-{TRACE}-{CALLER}-01");
    for invalid in [
        &[("traceparent", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01")][..],
        &[("traceparent", "nonsense")],
        &[("traceparent", two.as_str()), ("traceparent", two.as_str())],
        &[],
    ] {
        let trace = event_of(&gateway, invalid).await;
        assert!(trace.len() == 32 && trace != TRACE, "{invalid:?}: {trace}");
    }
    // The caller's decision counts more than the sampler.
    let sampled = format!("00-{}-{CALLER}-01", "1".repeat(32));
    assert_eq!(event_of(&gateway, &[("traceparent", &sampled)]).await, "1".repeat(32));
    assert!(gateway.process.terminate().success());
    let spans = collector.await_spans("a sampled trace", |spans| (!spans.is_empty()).then(|| spans.to_vec()));
    assert!(spans.iter().all(|span| span.trace == "1".repeat(32)), "{spans:#?}");
}
