//! Files, boundaries and rows that are not as the archive left them: `audit verify` names the first.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use serde_json::Value;

use super::{Archive, SEGMENTS, SIGABRT, is, unzipped, zip};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_that_is_not_as_it_was_is_named() {
    let archive = Archive::with(18).await;
    is(&archive.archive(&["--drop"]), 0, &["segment 41 to 50: removed"]);
    let events = |segment: usize| archive.file(&format!("events-{}.ndjson.gz", SEGMENTS[segment]));
    let kept = |file: &Path| std::fs::read(file).expect("the file");

    let (second, third) = (kept(&events(1)), kept(&events(2)));
    std::fs::remove_file(events(1)).expect("removed");
    is(&archive.verify_all(), 2, &["segment 11 to 20: ", "events-000000000011"]);
    for (name, bytes) in
        [("reordered", third.clone()), ("cut", second[..second.len() - 20].to_vec()), ("empty", Vec::new())]
    {
        std::fs::write(events(1), bytes).expect(name);
        is(&archive.verify_all(), 1, &["broken at segment 11 to 20: its file of events is not the one"]);
    }
    std::fs::write(events(1), &second).expect("written");
    let changed = unzipped(&events(1)).replacen("vpnx-1", "vpnx-2", 1);
    zip(&events(1), &changed);
    is(&archive.verify_all(), 1, &["broken at segment 11 to 20: its file of events is not the one"]);
    std::fs::write(events(1), &second).expect("written");

    let operations = archive.file(&format!("operations-{}.ndjson.gz", SEGMENTS[4]));
    let before = kept(&operations);
    zip(&operations, &unzipped(&operations).replacen("CHG-4711", "CHG-0000", 1));
    is(&archive.verify_all(), 1, &["broken at segment 41 to 50: its file of operations is not the one"]);
    std::fs::write(&operations, before).expect("written");
    is(&archive.verify_all(), 0, &["whole: 59 events"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_boundary_is_noticed() {
    let archive = Archive::with(18).await;
    is(&archive.archive(&["--drop"]), 0, &["segment 41 to 50: removed"]);
    let forged = async |sql: &str, part: &str| {
        archive
            .harness
            .store
            .execute("CREATE TABLE kept AS SELECT * FROM archived_segments")
            .await
            .expect("kept");
        archive
            .harness
            .store
            .execute("CREATE TABLE kept_operations AS SELECT * FROM operations")
            .await
            .expect("kept");
        archive.harness.store.execute(sql).await.expect(sql);
        for found in [archive.verify(), archive.verify_all()] {
            is(&found, 1, &[part]);
        }
        let back = "DELETE FROM archived_segments; INSERT INTO archived_segments SELECT * FROM kept; DROP TABLE kept;
                    DELETE FROM operations; INSERT INTO operations SELECT * FROM kept_operations;
                    DROP TABLE kept_operations";
        archive.harness.store.execute(back).await.expect(back);
        is(&archive.verify(), 0, &["whole: 9 events"]);
    };
    let zeros = "decode(repeat('00', 32), 'hex')";
    forged(&format!("UPDATE archived_segments SET last_hash = {zeros} WHERE first_seq = 41"), "broken at ")
        .await;
    forged("DELETE FROM archived_segments WHERE first_seq = 41", "broken at seq 51: an event is missing")
        .await;
    forged("DELETE FROM archived_segments", "broken at seq 51: an event is missing").await;
    forged("DELETE FROM archived_segments WHERE first_seq = 21", "broken at segment 31 to 40: ").await;
    forged("UPDATE archived_segments SET operations = 0 WHERE first_seq = 41", "segment 41 to 50: no event")
        .await;
    // Of the operation over the boundary the newest event counts, of the others everything.
    forged(
        "UPDATE operations SET task_id = 'x' WHERE last_seq = 51",
        "its task_id is not what its events say",
    )
    .await;
    forged("UPDATE operations SET reason = 'x' WHERE last_seq = 54", "its reason is not what its events say")
        .await;
    forged("DELETE FROM operations WHERE last_seq = 51", "its operation is missing").await;

    // A checkpoint of an archived event needs the files, one of the boundary does not.
    let line = unzipped(&archive.file(&format!("events-{}.ndjson.gz", SEGMENTS[4])));
    let last: Value = serde_json::from_str(line.lines().last().expect("a line")).expect("JSON");
    let check = |seq: u64, hash: &str, more: &[&str]| {
        let text = format!(r#"{{"seq":{seq},"hash":"{hash}","at":"2020-01-01T00:00:00.000000Z"}}"#);
        std::fs::write(archive.file("kept.json"), text).expect("written");
        archive.run(&[&["audit", "verify", "--checkpoint", &archive.path("kept.json")], more].concat())
    };
    let (hash, other) = (last["hash"].as_str().expect("a hash"), "11".repeat(32));
    is(&check(50, hash, &[]), 0, &["whole: 9 events"]);
    is(&check(50, &other, &[]), 1, &["seq 50: its hash is not the one in the checkpoint"]);
    is(&check(7, &other, &[]), 0, &["not verified: the checkpoint, whose event is archived"]);
    is(
        &check(7, &other, &["--archive", archive.dir()]),
        1,
        &["seq 7: its hash is not the one in the checkpoint"],
    );
}

/// What `audit archive --drop` leaves if it dies before it deletes the operations.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leftover_operations_must_be_those_of_the_files() {
    let archive = Archive::with(8).await;
    let args = ["audit", "archive", "--before", "2021-01-01", "--output", archive.dir(), "--drop"];
    let died = archive.command(&args, &[("TUNNELGATE_FAILPOINTS", "archive.after-commit=abort")]);
    assert_eq!(died.status.signal(), Some(SIGABRT), "{died:?}");
    is(&archive.verify(), 0, &["not verified: 3 operations whose events are archived"]);
    let whole = archive.verify_all();
    is(&whole, 0, &["whole: "]);
    assert!(!whole.1.contains("not verified"), "{}", whole.1);

    let execute = async |sql: &str| archive.harness.store.execute(sql).await.expect(sql);
    execute("CREATE TABLE kept AS SELECT * FROM operations").await;
    for (forged, part) in [
        (
            "UPDATE operations SET reason = 'x' WHERE last_seq = 3",
            "it is not what the file of its segment says",
        ),
        ("UPDATE operations SET fingerprint_key_id = 'x' WHERE last_seq = 3", "it is not what the file"),
        ("UPDATE operations SET last_seq = 4 WHERE last_seq = 3", "it is not what the file"),
        (&invented(2), "all of its events are archived, but no file contains it"),
    ] {
        execute(forged).await;
        is(&archive.verify_all(), 1, &["broken at operation ", part]);
        execute("DELETE FROM operations; INSERT INTO operations SELECT * FROM kept").await;
    }
    is(&archive.verify_all(), 0, &["whole: "]);

    // A position that no event has is no archived one.
    for seq in [0, -3] {
        execute(&invented(seq)).await;
        is(&archive.verify(), 1, &["broken at operation ", "it has no events"]);
        is(&archive.verify_all(), 1, &["broken at operation ", "it has no events"]);
        execute("DELETE FROM operations; INSERT INTO operations SELECT * FROM kept").await;
    }
}

/// A statement that inserts an operation that never was.
fn invented(last_seq: i64) -> String {
    format!(
        "CREATE TEMPORARY TABLE invented AS SELECT * FROM operations WHERE last_seq = 3;
         UPDATE invented SET id = '01900000-0000-7000-8000-000000000000', last_seq = {last_seq};
         INSERT INTO operations SELECT * FROM invented"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_were_put_back_below_the_boundary_are_noticed() {
    let archive = Archive::with(8).await;
    let execute = async |sql: &str| archive.harness.store.execute(sql).await.expect(sql);
    execute("CREATE TABLE kept AS SELECT * FROM audit_events").await;
    is(&archive.archive(&["--drop"]), 0, &["segment 11 to 20: removed"]);
    is(&archive.verify_all(), 0, &["whole: "]);

    execute("CREATE TABLE back PARTITION OF audit_events FOR VALUES FROM (-20) TO (21)").await;
    for seq in [7, 20, 0, -9] {
        let number = if seq < 1 { 7 } else { seq };
        execute(&format!("INSERT INTO back SELECT * FROM kept WHERE seq = {number}")).await;
        execute(&format!("ALTER TABLE back DISABLE TRIGGER USER; UPDATE back SET seq = {seq}")).await;
        for found in [archive.verify(), archive.verify_all()] {
            is(&found, 1, &[&format!("broken at seq {seq}: ")]);
            assert!(seq < 1 || found.1.contains("events up to 20 are archived"), "{}", found.1);
        }
        execute("TRUNCATE back").await;
    }
    is(&archive.verify_all(), 0, &["whole: "]);
}
