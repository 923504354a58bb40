//! The writing connections of PostgreSQL wait for the disk, whatever the database's own settings say.

use tunnelgate::ledger::{self, Options, SynchronousCommit};
use tunnelgate::metrics::Metrics;
use tunnelgate::service::ledger::Step;

use crate::harness::{OPTIONS, at, denied};
use crate::support::Store;

/// Keeps what a transaction that writes an event sees.
const SPY: &[&str] = &[
    "CREATE TABLE seen (setting text NOT NULL)",
    "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$",
    "CREATE TRIGGER spy AFTER INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION see()",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_writer_sets_synchronous_commit_itself() {
    let store = Store::postgres().await;
    let name = store.url().rsplit('/').next().expect("a name").to_owned();
    store.execute(&format!("ALTER DATABASE {name} SET synchronous_commit = off")).await.expect("set");
    drop(ledger::open(store.url(), OPTIONS, &Metrics::default()).await.expect("a ledger"));
    for sql in SPY {
        store.execute(sql).await.expect(sql);
    }
    for mode in SynchronousCommit::ALL {
        let options = Options { synchronous_commit: *mode, ..OPTIONS };
        let ledger = ledger::open(store.url(), options, &Metrics::default()).await.expect("a ledger");
        // One event goes by the locked path, the next by the optimistic path.
        for second in 0..2 {
            let step = Step::Record(Box::new(denied(at(second), "netops")));
            ledger.write(step).await.expect("written");
        }
        let seen = format!("DELETE FROM seen WHERE setting = '{mode}'");
        assert_eq!(store.execute(&seen).await.expect("deleted"), 2, "{mode}");
    }
}
