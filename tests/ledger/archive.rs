//! Old events move to files: `tunnelgate audit archive`, and `audit verify` over files and ledger. PostgreSQL only.

mod tampering;

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;
use tunnelgate::domain::principal::VpcScope;
use tunnelgate::domain::timestamp::Timestamp;
use tunnelgate::service::ledger::Replayed;

use crate::harness::{Harness, advance, opening, submit, succeed};
use crate::support::{ARCHIVE_POINTS, Store};

/// Events of a partition.
const SIZE: u32 = 10;
const SIGABRT: i32 = 6;

fn old(seconds: u64) -> Timestamp {
    Timestamp::parse("2020-01-01T00:00:00.123456Z").expect("a moment").plus(Duration::from_secs(seconds))
}

struct Archive {
    harness: Harness,
    folder: tempfile::TempDir,
}

impl Archive {
    /// A log with this many operations, each with three events.
    async fn with(operations: u64) -> Self {
        let harness = Harness::open(Store::postgres().await).await;
        harness.store.small_partitions(SIZE).await;
        let archive = Self { harness, folder: tempfile::tempdir().expect("a folder") };
        archive.add(0..operations).await;
        archive
    }

    async fn add(&self, operations: std::ops::Range<u64>) {
        for number in operations {
            self.harness.ledger.extend_log().await.expect("extended");
            let at = old(number * 600);
            let opened = self.harness.opened(opening("vpnx-1", at)).await;
            let at = at.plus(Duration::from_secs(1));
            let running = self.harness.advanced(advance(opened, submit(), 0, at)).await;
            self.harness.advanced(advance(running, succeed(), 0, at)).await;
        }
    }

    fn command(&self, args: &[&str], env: &[(&str, &str)]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tunnelgate"))
            .args(args)
            .env_clear()
            .env("DATABASE_URL", self.harness.store.url())
            .envs(env.iter().copied())
            .output()
            .expect("the binary runs")
    }

    fn run(&self, args: &[&str]) -> (Option<i32>, String) {
        let output = self.command(args, &[]);
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).expect("text"))
    }

    fn dir(&self) -> &str {
        self.folder.path().to_str().expect("a path")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn archive(&self, more: &[&str]) -> (Option<i32>, String) {
        let args = ["audit", "archive", "--before", "2021-01-01", "--output", self.dir()];
        self.run(&[&args, more].concat())
    }

    fn verify(&self) -> (Option<i32>, String) {
        self.run(&["audit", "verify"])
    }

    fn verify_all(&self) -> (Option<i32>, String) {
        self.run(&["audit", "verify", "--archive", self.dir()])
    }

    async fn count(&self, table: &str) -> u64 {
        let sql = format!("UPDATE chain_head SET seq = seq WHERE (SELECT count(*) FROM {table}) = ");
        for count in 0..200 {
            if self.harness.store.execute(&format!("{sql}{count}")).await.expect("counted") == 1 {
                return count;
            }
        }
        panic!("more than 200 rows in {table}");
    }
}

#[track_caller]
fn is(found: &(Option<i32>, String), code: i32, parts: &[&str]) {
    assert_eq!(found.0, Some(code), "{}", found.1);
    for part in parts {
        assert!(found.1.contains(part), "no {part:?} in:\n{}", found.1);
    }
}

fn unzipped(file: &Path) -> String {
    let mut text = String::new();
    let file = std::fs::File::open(file).expect("the file");
    GzDecoder::new(file).read_to_string(&mut text).expect("gzip");
    text
}

fn zip(file: &Path, text: &str) {
    let mut out = GzEncoder::new(std::fs::File::create(file).expect("the file"), Compression::default());
    out.write_all(text.as_bytes()).expect("written");
    out.finish().expect("written");
}

/// Runs the program for auditors from the document.
fn recomputed(lines: &str) -> String {
    let document = include_str!("../../docs/audit-format.md");
    let script = document.split("```python\n").nth(1).and_then(|rest| rest.split("```").next());
    let mut python = Command::new("python3")
        .args(["-c", script.expect("the program")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 (scripts/test installs it)");
    python.stdin.take().expect("its input").write_all(lines.as_bytes()).expect("it reads");
    let output = python.wait_with_output().expect("its end");
    String::from_utf8([output.stdout, output.stderr].concat()).expect("text")
}

const SEGMENTS: [&str; 5] = [
    "000000000001-000000000010",
    "000000000011-000000000020",
    "000000000021-000000000030",
    "000000000031-000000000040",
    "000000000041-000000000050",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn archived_events_and_the_rest_of_the_log_are_one_chain() {
    let archive = Archive::with(18).await;
    // Writing changes nothing in the ledger, and a second command finds the files.
    is(&archive.archive(&[]), 0, &["segment 1 to 10: written, 10 events", "segment 41 to 50: written"]);
    is(&archive.archive(&[]), 0, &["segment 1 to 10: already written", "segment 41 to 50: already written"]);
    is(&archive.verify(), 0, &["whole: 54 events"]);
    is(&archive.verify_all(), 0, &["whole: 54 events"]);

    is(
        &archive.archive(&["--drop"]),
        0,
        &["segment 1 to 10: removed from the ledger\n3 operations removed", "segment 41 to 50: removed"],
    );
    // The sixteenth operation has two archived events, the two last ones have none.
    assert_eq!((archive.count("audit_events").await, archive.count("operations").await), (9, 2));
    assert_eq!(archive.count("archived_segments").await, 5);
    let whole = archive.verify();
    is(
        &whole,
        0,
        &[
            "whole: 9 events, newest seq 59 hash ",
            "not verified: events 1 to 50, which are archived in 5 segments; --archive FOLDER",
            "not verified: the request of 1 operations",
        ],
    );
    let all = archive.verify_all();
    is(&all, 0, &["whole: 59 events, newest seq 59 hash "]);
    assert!(!all.1.contains("not verified"), "{}", all.1);

    // An auditor reads the files and an export without our code.
    let export = archive.run(&["audit", "export", "--format", "ndjson", "--output", &archive.path("rest")]);
    is(&export, 0, &["events 1 to 50 are archived; the export begins with event 51"]);
    let mut lines: String =
        SEGMENTS.iter().map(|name| unzipped(&archive.file(&format!("events-{name}.ndjson.gz")))).collect();
    lines += &std::fs::read_to_string(archive.file("rest")).expect("the export");
    assert_eq!(recomputed(&lines), "whole: 59 events\n");
    let operations = unzipped(&archive.file(&format!("operations-{}.ndjson.gz", SEGMENTS[0])));
    let first: Value = serde_json::from_str(operations.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&first["status"], &first["fingerprint_key_id"]), (&"succeeded".into(), &"a key".into()));
    assert!(first["changes"]["pre_shared_key"]["hmac_sha256"].is_string(), "{first}");

    // The log says what was removed, and goes on.
    let event = archive.harness.ledger.event(55, &VpcScope::All).await.expect("read").expect("an event");
    assert_eq!((event.row.event.as_str(), event.row.actor.as_str()), ("log_archived", "command line"));
    let changes = event.row.changes.expect("changes");
    assert_eq!(
        (&changes["archived"]["first_seq"], &changes["archived"]["last_seq"]),
        (&1.into(), &10.into())
    );
    archive.add(18..24).await;
    is(&archive.archive(&["--drop"]), 0, &["nothing to archive"]);
    is(&archive.verify(), 0, &["whole: 27 events"]);
    is(&archive.verify_all(), 0, &["whole: 77 events"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_a_webhook_has_not_passed_are_not_removed() {
    let archive = Archive::with(0).await;
    let ledger = &archive.harness.ledger;
    ledger.begin_webhook("chatops").await.expect("begun");
    archive.add(0..7).await;
    let claim = ledger.claim_webhook("chatops", "a", old(0), old(9)).await.expect("asked").expect("a claim");
    assert!(ledger.move_webhook(&claim, 19, None, old(9)).await.expect("moved"));
    let refused = [
        "segment 1 to 10: removed from the ledger",
        "segment 11 to 20: webhook \"chatops\" has not delivered the events after 19; nothing was removed",
    ];
    is(&archive.archive(&["--drop"]), 2, &refused);
    let replayed = |from| ledger.replay_webhook("chatops", from, None);
    assert_eq!(replayed(10).await.expect("asked"), Replayed::Archived(10));
    is(&archive.run(&["webhooks", "replay", "chatops", "--from", "10"]), 2, &["events 1 to 10 are archived"]);
    assert_eq!(replayed(11).await.expect("asked"), Replayed::Moved);
    is(&archive.run(&["webhooks", "forget", "chatops"]), 0, &[]);
    is(&archive.archive(&["--drop"]), 0, &["segment 11 to 20: removed from the ledger"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_removed_that_must_stay() {
    let archive = Archive::with(9).await;
    let unfinished = archive.harness.running("vpnx-2", old(6000)).await;
    archive.add(11..16).await;
    is(&archive.archive(&[]), 0, &["segment 1 to 10: written", "segment 31 to 40: written"]);

    // A file that the disk has changed.
    let file = archive.file(&format!("events-{}.ndjson.gz", SEGMENTS[0]));
    let whole = std::fs::read(&file).expect("the file");
    std::fs::write(&file, &whole[1..]).expect("written");
    is(&archive.archive(&["--drop"]), 2, &["events-000000000001", "SHA-256"]);
    // One that was changed together with its manifest.
    let text = std::fs::read_to_string(archive.file(&format!("segment-{}.json", SEGMENTS[0])))
        .expect("the manifest");
    let manifest: Value = serde_json::from_str(&text).expect("JSON");
    std::fs::write(&file, &whole).expect("written");
    zip(&file, &unzipped(&file).replacen("vpnx-1", "vpnx-3", 1));
    let sum = Command::new("sha256sum").arg(&file).output().expect("sha256sum").stdout;
    let sum = String::from_utf8(sum).expect("text")[..64].to_owned();
    let forged = text.replace(manifest["events"]["sha256"].as_str().expect("a hash"), &sum);
    std::fs::write(archive.file(&format!("segment-{}.json", SEGMENTS[0])), forged).expect("written");
    is(&archive.archive(&["--drop"]), 2, &["events-000000000001", "line 1 is not what the ledger contains"]);
    assert_eq!(archive.count("archived_segments").await, 0);
    std::fs::write(&file, &whole).expect("written");
    std::fs::write(archive.file(&format!("segment-{}.json", SEGMENTS[0])), text).expect("written");

    // A role that does not own the tables.
    let role = format!("reader_{}", crate::support::postgres::digits());
    let grant = format!("CREATE ROLE {role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}");
    archive.harness.store.execute(&grant).await.expect(&grant);
    let url = archive.harness.store.url().replace("postgres@", &format!("{role}@"));
    let args = ["audit", "archive", "--before", "2021-01-01", "--output", archive.dir()];
    is(
        &archive.run(&[&args[..], &["--database-url", &url]].concat()),
        0,
        &["segment 1 to 10: already written"],
    );
    is(&archive.run(&[&args[..], &["--drop", "--database-url", &url]].concat()), 2, &["permission denied"]);
    archive.harness.store.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.expect("dropped");

    // An unfinished operation keeps its segment and all that follow, but not the ones before.
    let refused = archive.archive(&["--drop"]);
    is(
        &refused,
        2,
        &[
            "segment 11 to 20: removed",
            &format!("segment 21 to 30: operation {} has events in it", unfinished.id),
        ],
    );
    is(&archive.verify_all(), 0, &["whole: "]);
    let ended = advance(unfinished, succeed(), 0, old(9600));
    archive.harness.advanced(ended).await;
    is(&archive.archive(&["--drop"]), 0, &["segment 31 to 40: removed"]);
    is(&archive.verify(), 0, &["whole: "]);
    is(&archive.verify_all(), 0, &["whole: "]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_command_leaves_whole_segments_or_none_and_continues() {
    for point in ARCHIVE_POINTS {
        let archive = Archive::with(8).await;
        let args = ["audit", "archive", "--before", "2021-01-01", "--output", archive.dir(), "--drop"];
        let died = archive.command(&args, &[("TUNNELGATE_FAILPOINTS", &format!("{point}=abort"))]);
        assert_eq!(died.status.signal(), Some(SIGABRT), "{point}: {died:?}");
        let removed = archive.count("archived_segments").await;
        is(&archive.verify(), 0, &["whole: "]);
        is(&archive.verify_all(), 0, &[&format!("whole: {} events", 24 + removed)]);

        is(&archive.archive(&["--drop"]), 0, &["segment 11 to 20: removed"]);
        let whole = archive.verify_all();
        is(&whole, 0, &["whole: 26 events"]);
        assert!(!whole.1.contains("not verified"), "{point}: {}", whole.1);
        assert_eq!(
            (archive.count("audit_events").await, archive.count("operations").await),
            (6, 2),
            "{point}"
        );
        let mut names: Vec<String> = std::fs::read_dir(archive.folder.path())
            .expect("the folder")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort_unstable();
        assert_eq!(names.len(), 6, "{point}: {names:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_delay_a_removal_and_writers_go_on() {
    use sqlx::{Connection, Executor, PgConnection};
    let archive = Archive::with(8).await;
    is(&archive.archive(&[]), 0, &["segment 11 to 20: written"]);
    let mut reader = PgConnection::connect(archive.harness.store.url()).await.expect("the database");
    reader.execute("BEGIN; SELECT count(*) FROM audit_events").await.expect("a reader");
    let args = ["audit", "archive", "--before", "2021-01-01", "--output", archive.dir(), "--drop"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_tunnelgate"))
        .args(args)
        .env_clear()
        .env("DATABASE_URL", archive.harness.store.url())
        .stdout(Stdio::null())
        .spawn()
        .expect("the binary runs");
    // The writer's statements wait behind the removal for half a second at most.
    archive.add(8..12).await;
    assert!(command.try_wait().expect("its status").is_none(), "the removal waits for the reader");
    reader.execute("COMMIT").await.expect("the end");
    let status =
        tokio::task::spawn_blocking(move || command.wait()).await.expect("no panic").expect("its status");
    assert!(status.success());
    is(&archive.verify_all(), 0, &["whole: "]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_archived_is_refused_with_a_reason() {
    let archive = Archive::with(4).await;
    let run =
        |before: &str| archive.run(&["audit", "archive", "--before", before, "--output", archive.dir()]);
    is(&run("2020-01-01T00:00:00Z"), 0, &["nothing to archive"]);
    is(&run("yesterday"), 2, &["--before", "must be a date such as 2026-01-01"]);
    is(&run("2999-01-01"), 2, &["--before", "must be at least a day ago"]);
    let sqlite = Store::sqlite();
    let migrated = archive.command(&["migrate", "--database-url", sqlite.url()], &[]);
    assert!(migrated.status.success());
    let args = [
        "audit",
        "archive",
        "--before",
        "2021-01-01",
        "--output",
        archive.dir(),
        "--database-url",
        sqlite.url(),
    ];
    is(&archive.run(&args), 2, &["SQLite keeps all events"]);
}

impl Archive {
    fn path(&self, name: &str) -> String {
        self.file(name).to_str().expect("a path").to_owned()
    }
}
