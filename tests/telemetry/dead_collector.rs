//! A collector that is gone, or takes connections and never answers: requests do not notice.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::collector::free_port;
use crate::gateway::Gateway;
use crate::support::Store;

const REQUESTS: usize = 60;
const HEADER: &str = "canary-collector-token";

/// The spans with this outcome.
async fn spans(gateway: &Gateway, result: &str) -> u64 {
    let metrics = gateway.consumer.get("/metrics", &[]).await.body;
    let sample = format!("tunnelgate_trace_spans_total{{result=\"{result}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&sample)?.parse().ok()).expect("the metric")
}

/// Sends requests; returns the time of the slowest, the gateway's log, and how long the shutdown took.
async fn against(port: u16, result: &str) -> (Duration, String, Duration) {
    let url = format!("http://127.0.0.1:{port}");
    let header = format!("authorization=Bearer%20{HEADER}");
    let env = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", &header),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "20"),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ("TUNNELGATE_LOG", "trace"),
    ];
    let store = Store::sqlite();
    let gateway = Gateway::start(&store, &env);
    let mut slowest = Duration::ZERO;
    for _ in 0..REQUESTS {
        let started = Instant::now();
        assert_eq!(gateway.consumer.get("/operations", &[]).await.status, 200);
        slowest = slowest.max(started.elapsed());
    }
    let until = Instant::now() + Duration::from_secs(30);
    while spans(&gateway, result).await == 0 {
        assert!(Instant::now() < until, "no {result} spans");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(spans(&gateway, "exported").await, 0);
    let log = gateway.folder.path().join("gateway.err");
    let started = Instant::now();
    assert!(gateway.process.terminate().success());
    let took = started.elapsed();
    let log = std::fs::read_to_string(log).expect("the log");
    assert!(!log.contains(HEADER), "{log}");
    (slowest, log, took)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_gone_costs_one_line() {
    let (slowest, log, shutdown) = against(free_port(), "failed").await;
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("spans can't be exported")).collect();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(
        lines[0].contains("\"cause\":\"refused\"") && lines[0].contains("\"level\":\"WARN\""),
        "{}",
        lines[0]
    );
    assert!(
        slowest < Duration::from_secs(2) && shutdown < Duration::from_secs(10),
        "{slowest:?} {shutdown:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_hangs_delays_no_request_and_no_shutdown() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (slowest, _, shutdown) = against(silent.local_addr().expect("an address").port(), "dropped").await;
    assert!(
        slowest < Duration::from_secs(2) && shutdown < Duration::from_secs(10),
        "{slowest:?} {shutdown:?}"
    );
}

/// Answers each request on a connection of its own.
fn refuse_all(collector: &TcpListener) {
    for connection in collector.incoming() {
        let Ok(mut connection) = connection.map(BufReader::new) else { continue };
        let (mut length, mut line) = (0, String::new());
        while connection.read_line(&mut line).is_ok_and(|read| read > 2) {
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().expect("a length");
            }
            line.clear();
        }
        let _ = connection.read_exact(&mut vec![0; length]);
        let answer = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let _ = connection.get_mut().write_all(answer.as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_refuses_spans_is_another_cause() {
    let collector = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = collector.local_addr().expect("an address").port();
    std::thread::spawn(move || refuse_all(&collector));
    let (_, log, _) = against(port, "failed").await;
    let line = log.lines().find(|line| line.contains("spans can't be exported")).expect("a line");
    assert!(line.contains("\"cause\":\"other\"") && line.contains("400"), "{line}");
}
