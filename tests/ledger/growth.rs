//! The partitions of the log on PostgreSQL.

use tunnelgate::domain::principal::VpcScope;
use tunnelgate::service::audit::{Break, Row, Verdict, verify};
use tunnelgate::service::ledger::{EventFilter, LogSize, Order, Step};

use crate::harness::{Harness, advance, at, denied, opening, submit, succeed};
use crate::support::Store;

/// A harness whose partitions have `size` events.
async fn partitioned(size: u32) -> Harness {
    let harness = Harness::open(Store::postgres().await).await;
    harness.store.small_partitions(size).await;
    harness.ledger.extend_log().await.expect("extended");
    harness
}

async fn finished(harness: &Harness, tunnel: &str, seconds: u64) {
    let opened = harness.opened(opening(tunnel, at(seconds))).await;
    let running = harness.advanced(advance(opened, submit(), 0, at(seconds + 1))).await;
    harness.advanced(advance(running, succeed(), 0, at(seconds + 2))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_grows_over_its_partitions() {
    let harness = partitioned(10).await;
    let size = harness.ledger.log_size().await.expect("a size");
    assert_eq!(
        LogSize { bytes: 0, ..size },
        LogSize { oldest_seq: 1, newest_seq: 0, bytes: 0, room: Some(30) }
    );
    for number in 0..18 {
        finished(&harness, "vpnx-1", number * 3700).await;
        if number % 4 == 0 {
            harness.ledger.extend_log().await.expect("extended");
        }
    }
    let size = harness.ledger.log_size().await.expect("a size");
    assert_eq!((size.oldest_seq, size.newest_seq, size.room), (1, 54, Some(36)));
    assert!(size.bytes > 0);

    let all: Vec<i64> = (1..=54).collect();
    let seqs = |events: Vec<tunnelgate::domain::event::Event>| -> Vec<i64> {
        events.into_iter().map(|event| event.row.seq).collect()
    };
    assert_eq!(seqs(harness.events().await), all);
    let filter = EventFilter { tunnel_id: Some("vpnx-1".into()), ..EventFilter::default() };
    let newest = harness
        .ledger
        .events(&VpcScope::All, &filter, Order::NewestFirst, Some(45), 20)
        .await
        .expect("events");
    assert_eq!(seqs(newest), (25..45).rev().collect::<Vec<_>>());
    // By time, over the edges of partitions: the events of the fifth to the seventh operation.
    let between = EventFilter {
        created_after: Some(at(4 * 3700)),
        created_before: Some(at(6 * 3700 + 3)),
        ..EventFilter::default()
    };
    let found = harness.ledger.events(&VpcScope::All, &between, Order::OldestFirst, None, 50).await;
    assert_eq!(seqs(found.expect("events")), (13..=21).collect::<Vec<_>>());
    let counts = harness
        .ledger
        .event_counts(&VpcScope::All, &between, tunnelgate::domain::bucket::Bucket::Hour)
        .await
        .expect("counts");
    assert_eq!(counts.iter().map(|count| count.count).sum::<u64>(), 9);
    let event = harness.ledger.event(31, &VpcScope::All).await.expect("read").expect("an event");
    assert_eq!(event.row.seq, 31);

    let checkpoint = harness.ledger.checkpoint().await.expect("read");
    assert_eq!(checkpoint.map(|newest| newest.seq), Some(54));
    let verdict = verify(&*harness.ledger, checkpoint).await.expect("verified");
    assert_eq!(verdict, Verdict::Whole { events: 54, newest: checkpoint });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vpc_that_lists_can_not_find_is_noticed() {
    let harness = partitioned(10).await;
    finished(&harness, "vpnx-1", 0).await;
    harness.store.execute("DELETE FROM audit_vpcs").await.expect("deleted");
    let verdict = verify(&*harness.ledger, None).await.expect("verified");
    assert_eq!(verdict, Verdict::Broken { row: Row::Event(1), why: Break::Vpcs });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_without_a_partition_refuses_steps_until_there_is_one() {
    let harness = partitioned(2).await;
    let write = |number: u64| harness.ledger.write(Step::Record(Box::new(denied(at(number), "netops"))));
    for number in 0..6 {
        write(number).await.expect("written");
    }
    let refused = write(6).await.expect_err("no partition");
    assert!(format!("{refused:?}").contains("no partition for its next event"), "{refused:?}");
    harness.ledger.extend_log().await.expect("extended");
    write(7).await.expect("written");
    assert_eq!(harness.events().await.len(), 7);
    let verdict = verify(&*harness.ledger, None).await.expect("verified");
    assert!(matches!(verdict, Verdict::Whole { events: 7, .. }), "{verdict:?}");
}

/// A service's role with CREATE on the schema tries to run its own code with the owner's rights, and to take the names of the
/// next partitions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_of_another_role_neither_run_with_the_owners_rights_nor_stop_the_log() {
    use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
    let harness = partitioned(5).await;
    let role = format!("creator_{}", crate::support::postgres::digits());
    let grant = format!(
        "CREATE ROLE {role} LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO {role};
         GRANT EXECUTE ON FUNCTION audit_events_extend() TO {role}"
    );
    harness.store.execute(&grant).await.expect(&grant);
    let url = harness.store.url().replace("postgres@", &format!("{role}@"));
    let mut service = PgConnection::connect(&url).await.expect("the role may log in");
    service.execute("CREATE TABLE ran (who text); GRANT INSERT ON ran TO PUBLIC").await.expect("a table");
    // An exact match of the arguments comes before the variadic function of pg_catalog, whatever the search path says.
    let mut objects = vec![
        ("format", "a text, b text", "a"),
        ("format", "a text, b bigint", "a || b"),
        ("format", "a text, b text, c bigint", "a || b || c"),
        ("format", "a text, b bigint, c bigint", "a || b || c"),
        ("format", "a text, b text, c bigint, d bigint", "a || b || c || d"),
        ("regexp_match", "a text, b varchar", "ARRAY[a]"),
        ("pg_get_expr", "a text, b oid", "a"),
        ("md5", "a varchar", "a"),
    ];
    for (index, (name, arguments, value)) in objects.drain(..).enumerate() {
        let returns = if value.starts_with("ARRAY") { "text[]" } else { "text" };
        let create = format!(
            "CREATE FUNCTION public.{name}({arguments}) RETURNS {returns} LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO public.ran VALUES ({index} || CURRENT_USER); RETURN {value}; END $$"
        );
        service.execute(AssertSqlSafe(create)).await.expect(name);
    }
    for (operator, right) in
        [("+", "numeric"), ("*", "numeric"), (">=", "numeric"), ("=", "numeric"), ("-", "numeric")]
    {
        let returns = if matches!(operator, ">=" | "=") { "boolean" } else { "bigint" };
        let create = format!(
            "CREATE OR REPLACE FUNCTION public.op_{returns}(a bigint, b {right}) RETURNS {returns} LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO public.ran VALUES (CURRENT_USER); RETURN 1; END $$;
             CREATE OPERATOR public.{operator} (LEFTARG = bigint, RIGHTARG = {right}, FUNCTION = public.op_{returns})"
        );
        service.execute(AssertSqlSafe(create)).await.expect(operator);
    }
    service
        .execute(
            "CREATE TABLE audit_events_16 (x int); CREATE VIEW audit_events_21 AS SELECT 1 AS x;
             CREATE TYPE audit_events_26 AS ENUM ('x'); CREATE SEQUENCE audit_events_31;
             CREATE TEMPORARY TABLE chain_head AS SELECT 1000 AS seq; CREATE TEMPORARY TABLE audit_events (seq bigint)",
        )
        .await
        .expect("objects");
    for number in 0..10 {
        finished(&harness, "vpnx-1", number * 10).await;
        service.execute("SELECT audit_events_extend()").await.expect("extended");
        harness.ledger.extend_log().await.expect("extended");
    }
    let size = harness.ledger.log_size().await.expect("a size");
    assert_eq!((size.newest_seq, size.room), (30, Some(15)));
    let nothing_ran = "UPDATE chain_head SET seq = seq WHERE NOT EXISTS (SELECT FROM ran)";
    assert_eq!(harness.store.execute(nothing_ran).await.expect("counted"), 1, "a function of the role ran");
    let verdict = verify(&*harness.ledger, None).await.expect("verified");
    assert!(matches!(verdict, Verdict::Whole { events: 30, .. }), "{verdict:?}");
    drop(service);
    let drop = format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}");
    harness.store.execute(&drop).await.expect(&drop);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_create_partitions_at_the_same_time() {
    let harness = partitioned(5).await;
    let replicas = [crate::harness::open_replica(&harness.store).await, harness.ledger.clone()];
    for number in 0..9 {
        finished(&harness, "vpnx-1", number * 10).await;
        let extended = replicas.iter().map(|replica| replica.extend_log());
        for extended in futures_util::future::join_all(extended).await {
            extended.expect("extended");
        }
    }
    let size = harness.ledger.log_size().await.expect("a size");
    assert_eq!((size.newest_seq, size.room), (27, Some(18)));
}
