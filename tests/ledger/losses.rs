//! A replica notes a loss while another one writes.

use std::time::Duration;

use sqlx::{Connection, Executor, PgConnection, Row};
use tunnelgate::service::ledger::{LedgerError, Step};

use crate::harness::{Harness, at, denied};
use crate::support::Store;

/// A batch may wait for the chain head while another process notes a loss. It sees the head as it is then, and the other
/// tables as they were when it began to wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_waits_while_a_loss_is_noted_is_not_written() {
    let harness = Harness::open(Store::postgres().await).await;
    let step = || Step::Record(Box::new(denied(at(1), "netops")));
    let mut noting = PgConnection::connect(harness.store.url()).await.expect("the database");
    let mut admin = PgConnection::connect(harness.store.url()).await.expect("the database");
    // The first batch of a process locks the head first; a later one is a single statement.
    for batches_before in [0, 2] {
        for _ in 0..batches_before {
            harness.ledger.write(step()).await.expect("written");
        }
        let written = harness.kinds().await.len();
        noting.execute("BEGIN; SELECT FROM chain_head FOR UPDATE").await.expect("locked");
        let ledger = harness.ledger.clone();
        let waiting = tokio::spawn(async move { ledger.write(step()).await });
        loop {
            let select = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%chain_head%'";
            let row = admin.fetch_one(select).await.expect("the activity");
            if row.get::<i64, _>(0) > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let note = "INSERT INTO lost_heads (seq, hash) SELECT 99 + count(*), decode(repeat('ab', 32), 'hex') FROM lost_heads;
                    UPDATE chain_head SET rewound = true; COMMIT";
        noting.execute(note).await.expect("noted");
        let refused = waiting.await.expect("no panic");
        assert!(matches!(refused, Err(LedgerError::Rewound(_))), "{batches_before}: {refused:?}");
        assert_eq!(harness.kinds().await.len(), written);
        let accept = "UPDATE lost_heads SET acceptance = 1, accepted_at = now(); UPDATE chain_head SET rewound = false";
        noting.execute(accept).await.expect("accepted");
        harness.ledger.write(step()).await.expect("written again");
    }
}
