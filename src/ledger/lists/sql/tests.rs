//! The text of every form of statement, on both stores, compared with the files in `lists/snapshots`.
//! `UPDATE_SNAPSHOTS=1 cargo test --lib ledger::lists` writes them.

use std::fmt::Write as _;
use std::path::Path;

use uuid::Uuid;

use super::*;
use crate::service::ledger::EventFilter;

fn id(number: u128) -> OperationId {
    Uuid::from_u128((0x1234 << 80) + number)
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + micros)
}

fn patterns() -> Vec<VpcPattern> {
    ["vpc-prod-*", "vpc_1"].iter().map(|pattern| pattern.parse().expect("a pattern")).collect()
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// The text with a line for each clause, and the values.
fn rendered(statement: &Statement) -> String {
    let mut sql = statement.text.split_whitespace().collect::<Vec<_>>().join(" ");
    for clause in ["FROM", "WHERE", "AND", "CROSS JOIN", "LEFT JOIN", "UNION ALL", "GROUP BY", "ORDER BY"] {
        sql = sql.replace(&format!(" {clause} "), &format!("\n{clause} "));
    }
    for (clause, lines) in
        [(", vpcs AS", ",\nvpcs AS"), (", page AS", ",\npage AS"), (") SELECT", ")\nSELECT")]
    {
        sql = sql.replace(clause, lines);
    }
    for (index, value) in statement.values.iter().enumerate() {
        write!(sql, "\n-- ${} = {value:?}", index + 1).expect("written");
    }
    if !statement.is_prepared {
        sql.push_str("\n-- planned each time");
    }
    sql
}

fn compare(name: &str, statement: impl Fn(Dialect) -> Statement) {
    let [postgres, sqlite] =
        [Dialect::Postgres, Dialect::Sqlite].map(|dialect| rendered(&statement(dialect)));
    let found = format!("-- PostgreSQL\n{postgres}\n\n-- SQLite\n{sqlite}\n");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ledger/lists/snapshots").join(name);
    let file = file.with_extension("sql");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&file, &found).expect("the snapshot is writable");
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(found, expected, "{} differs; see the top of this file", file.display());
}

#[test]
fn single_reads_keep_their_text() {
    let vpcs = VpcScope::Matching(patterns());
    compare("operation", |dialect| operation(dialect, id(1), &VpcScope::All));
    compare("operation_in_vpcs", |dialect| operation(dialect, id(1), &vpcs));
    compare("operations_by_id", |dialect| operations_by_id(dialect, &[id(1), id(2)]));
    compare("operations_in_status", |dialect| operations_in_status(dialect, Status::Running));
    compare("event_in_vpcs", |dialect| event(dialect, 7, &vpcs));
    compare("events_by_seq", |dialect| events_by_seq(dialect, &[3, 5]));
    compare("events_of", |dialect| events_of(dialect, &[id(1), id(2)]));
    compare("checkpoint", checkpoint);
}

#[test]
fn lists_of_operations_keep_their_text() {
    let patterns = patterns();
    let all = OperationFilter::default;
    let list = |name: &str, reach: Reach<'_>, filter: OperationFilter, after| {
        compare(name, |dialect| operations(dialect, reach, &filter, after, 50));
    };
    list("operations", Reach::All, all(), None);
    list("operations_of_vpc_after", Reach::One("vpc-1"), all(), Some(id(9)));
    list(
        "operations_by_vpc",
        Reach::Matching(&patterns),
        OperationFilter { status: Some(Status::Failed), requested_by: text("alice"), ..all() },
        None,
    );
    list(
        "operations_of_tunnel_in_vpcs",
        Reach::Matching(&patterns),
        OperationFilter { tunnel_id: text("vpnx-1"), ..all() },
        None,
    );
    list("operations_of_account", Reach::All, OperationFilter { account: text("prod-gz"), ..all() }, None);
    list(
        "operations_of_account_in_vpc",
        Reach::One("vpc-1"),
        OperationFilter { account: text("prod-gz"), ..all() },
        None,
    );
    list(
        "operations_between",
        Reach::All,
        OperationFilter { created_after: Some(at(0)), created_before: Some(at(500)), ..all() },
        None,
    );
}

#[test]
fn searches_for_events_keep_their_text() {
    let patterns = patterns();
    let (all, ids) = (EventFilter::default(), [id(1), id(2)]);
    let newest = Search {
        reach: Reach::All,
        filter: &all,
        within: None,
        order: Order::NewestFirst,
        after: None,
        seqs: (0, i64::MAX),
        limit: 50,
    };
    let list = |name: &str, searched: Search<'_>, status| {
        compare(name, |dialect| search(dialect, &searched, status));
    };
    list("events", newest, None);
    list("events_after_oldest_first", Search { order: Order::OldestFirst, after: Some(9), ..newest }, None);
    list("events_with_status", newest, Some(Status::Succeeded));
    list("events_by_vpc", Search { reach: Reach::Matching(&patterns), ..newest }, Some(Status::Failed));
    let denied = EventFilter { event: Some(EventKind::Denied), ..all.clone() };
    list(
        "rare_events_in_vpcs",
        Search { reach: Reach::Matching(&patterns), filter: &denied, ..newest },
        None,
    );
    list("events_within", Search { within: Some(&ids), ..newest }, None);
    let filtered = EventFilter {
        operation_id: Some(id(1)),
        event: Some(EventKind::Requested),
        tunnel_id: text("vpnx-1"),
        requested_by: text("alice"),
        created_after: Some(at(0)),
        created_before: Some(at(500)),
        ..all.clone()
    };
    list(
        "events_with_every_filter",
        Search { reach: Reach::One("vpc-1"), filter: &filtered, seqs: (3, 9), ..newest },
        None,
    );
    compare("seq_range", |dialect| seq_range(dialect, Some(at(0)), None));
    compare("operations_across_seq", |dialect| {
        operations_across(dialect, &newest, EventKind::Failed, Edge::Seq(7))
    });
    compare("operations_across_time", |dialect| {
        operations_across(dialect, &newest, EventKind::Failed, Edge::Time(at(500)))
    });
}

#[test]
fn counts_keep_their_text() {
    let vpcs = VpcScope::Matching(patterns());
    compare("event_counts", |dialect| {
        event_counts(dialect, &VpcScope::All, &EventFilter::default(), (7, 90), Bucket::Hour)
    });
    let filter = EventFilter {
        operation_id: Some(id(1)),
        event: Some(EventKind::Requested),
        vpc_id: text("vpc-1"),
        tunnel_id: text("vpnx-1"),
        status: Some(Status::Running),
        requested_by: text("alice"),
        account: text("prod-gz"),
        created_after: Some(at(0)),
        created_before: Some(at(500)),
    };
    compare("event_counts_with_every_filter", |dialect| {
        event_counts(dialect, &vpcs, &filter, (7, 90), Bucket::Day)
    });
}
