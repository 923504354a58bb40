//! A real collector, rotel, that prints what it receives.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::consumer::PATIENCE;

/// A received span.
#[derive(Debug, Clone, Default)]
pub struct Span {
    pub trace: String,
    pub id: String,
    pub parent: String,
    pub name: String,
    pub kind: String,
    pub status: String,
    pub attributes: BTreeMap<String, String>,
    /// Trace and span of each link.
    pub links: Vec<(String, String)>,
}

pub struct Collector {
    child: Child,
    output: PathBuf,
    port: u16,
    _folder: tempfile::TempDir,
}

/// A port that is free now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

impl Collector {
    pub fn start() -> Self {
        let program =
            std::env::var("TUNNELGATE_TEST_ROTEL").expect("run scripts/telemetry: it installs rotel");
        let folder = tempfile::tempdir().expect("a folder");
        let output = folder.path().join("rotel.out");
        let (port, other) = (free_port(), free_port());
        let child = Command::new(program)
            .args([
                "start",
                "--exporter",
                "blackhole",
                "--debug-log",
                "traces",
                "--debug-log-verbosity",
                "detailed",
            ])
            .args(["--otlp-http-endpoint", &format!("127.0.0.1:{port}")])
            .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{other}")])
            .stdin(Stdio::null())
            .stdout(File::create(&output).expect("a file"))
            .stderr(Stdio::null())
            .spawn()
            .expect("rotel starts");
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "rotel does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, output, port, _folder: folder }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn text(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// The spans received so far.
    pub fn spans(&self) -> Vec<Span> {
        let text = self.text();
        text.split("\nSpan #").skip(1).map(span).collect()
    }

    /// Waits until the spans are as `find` wants them.
    pub fn await_spans<T>(&self, what: &str, find: impl Fn(&[Span]) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            let spans = self.spans();
            if let Some(found) = find(&spans) {
                return found;
            }
            assert!(Instant::now() < until, "no {what} in {spans:#?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Parses what rotel prints about a span.
fn span(block: &str) -> Span {
    let mut span = Span::default();
    let mut link = None;
    for line in block.lines().map(str::trim) {
        if let Some(pair) = line.strip_prefix("-> ") {
            let (name, value) = pair.split_once(": ").unwrap_or((pair, ""));
            match name {
                "Trace ID" => link = Some(value.to_owned()),
                "ID" => span.links.extend(link.take().map(|trace| (trace, value.to_owned()))),
                _ => {
                    let value = value.split_once('(').map_or(value, |(_, rest)| rest.trim_end_matches(')'));
                    span.attributes.insert(name.to_owned(), value.to_owned());
                }
            }
        } else if let Some((name, value)) = line.split_once(" : ").or_else(|| line.split_once(": ")) {
            let value = value.trim().to_owned();
            match name.trim() {
                "Trace ID" => span.trace = value,
                "Parent ID" => span.parent = value,
                "ID" => span.id = value,
                "Name" => span.name = value,
                "Kind" => span.kind = value,
                "Status code" => span.status = value,
                _ => {}
            }
        }
    }
    span
}
