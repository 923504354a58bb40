//! What the API answers about archived events and operations.

use serde_json::json;
use tunnelgate::domain::fingerprint::hex;

use crate::harness::{Harness, path, ranges};
use crate::support::Store;

#[tokio::test(flavor = "multi_thread")]
async fn archived_events_and_operations_are_gone_with_a_reason() {
    let harness = Harness::new(Store::postgres().await).await;
    let archived =
        harness.patch("vpnx-ol6bcqp0", &ranges()).await.json()["id"].as_str().expect("an id").to_owned();
    harness.consumer.ended(&archived).await;
    let last = harness.consumer.get("/audit-events/checkpoint", &[]).await.json();
    let seq = last["seq"].as_i64().expect("a seq");
    let kept =
        harness.patch("vpnx-branch01", &ranges()).await.json()["id"].as_str().expect("an id").to_owned();
    harness.consumer.ended(&kept).await;
    let unknown = "0199b3a1-7c1e-7d30-8f00-0123456789ab";
    let missing = harness.consumer.get(&format!("/operations/{unknown}"), &[]).await;
    assert_eq!(missing.problem(), (404, "not_found".into()));

    // As `tunnelgate audit archive --drop` leaves the ledger.
    let hash = last["hash"].as_str().expect("a hash");
    let zeros = hex(&[0; 32]);
    let sql = format!(
        "ALTER TABLE audit_events DISABLE TRIGGER USER; DELETE FROM audit_events WHERE seq <= {seq};
         DELETE FROM operations WHERE id = '{archived}';
         INSERT INTO archived_segments VALUES (1, {seq}, '\\x{hash}', '{}', '\\x{zeros}', 1, '\\x{zeros}')",
        last["at"].as_str().expect("a time")
    );
    harness.store.execute(&sql).await.expect("archived");

    for gone in [1, seq] {
        let answer = harness.consumer.get(&format!("/audit-events/{gone}"), &[]).await;
        assert_eq!(answer.problem(), (410, "archived".into()));
        let detail = format!("the events up to seq {seq} are archived; the log begins at seq {}", seq + 1);
        assert_eq!(answer.json()["detail"], detail);
    }
    for never in ["0", "-1", "999"] {
        let answer = harness.consumer.get(&format!("/audit-events/{never}"), &[]).await;
        assert_eq!(answer.problem(), (404, "not_found".into()), "{never}");
    }
    for id in [archived.as_str(), unknown] {
        for route in [format!("/operations/{id}"), format!("/operations/{id}/stream")] {
            let answer = harness.consumer.get(&route, &[]).await;
            assert_eq!(answer.problem(), (404, "maybe_archived".into()), "{route}");
        }
        let rollback = harness.consumer.raw("POST", &format!("/operations/{id}/rollback"), "{}", &[]).await;
        assert_eq!(rollback.problem(), (404, "maybe_archived".into()), "{}", rollback.body);
    }
    assert_eq!(harness.consumer.get(&format!("/operations/{kept}"), &[]).await.status, 200);
    let export = harness.consumer.get("/audit-events", &[("accept", "application/x-ndjson")]).await;
    assert_eq!(export.header("log-begins"), Some((seq + 1).to_string().as_str()));
    assert!(!export.body.contains("\"seq\":1,") && export.body.contains(&format!("\"seq\":{},", seq + 1)));

    for after in [0, seq - 1] {
        let answer = harness.consumer.get(&format!("/audit-events/stream?after={after}"), &[]).await;
        assert_eq!(answer.problem(), (410, "archived".into()), "{after}");
    }

    // The chain is checked from the boundary on.
    let checked = harness.consumer.get("/audit-events/verification", &[]).await.json();
    assert_eq!((&checked["result"], &checked["complete"]), (&json!("whole"), &json!(true)), "{checked}");
    let after =
        |seq: i64, hash: &str| format!("/audit-events/verification?after_seq={seq}&after_hash={hash}");
    let at_the_end = harness.consumer.get(&after(seq, hash), &[]).await.json();
    assert_eq!(at_the_end, checked);
    let before = harness.consumer.get(&after(1, hash), &[]).await;
    assert_eq!(before.problem(), (410, "archived".into()));
    let wrong = harness.consumer.get(&after(seq, &zeros), &[]).await.json();
    assert_eq!((&wrong["result"], &wrong["seq"]), (&json!("broken"), &json!(seq)));

    // Changes go on.
    assert_eq!(harness.consumer.patch(&path("vpnx-ol6bcqp0"), &ranges(), &[]).await.status, 202);
}
