//! What consumers notice while calls to the cloud are short.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use tunnelgate::domain::api::Api;

use crate::harness::{Harness, path, ranges};
use crate::support::Store;

use super::read::BRANCHES;

const TIMEOUT: Duration = Duration::from_secs(20);

async fn short_of_calls(api: Api, calls_per_second: u32, timeout: Duration) -> Harness {
    Harness::on_api(Store::sqlite(), api, |settings| {
        settings.accounts[0].calls_per_second = calls_per_second;
        settings.accounts[0].timeout = timeout;
    })
    .await
}

async fn a_read_without_a_place_in_the_budget_says_when_to_come_back(api: Api) {
    // The next place is free after a second, and a read waits for half a second.
    let harness = short_of_calls(api, 1, Duration::from_millis(500)).await;
    let tunnel = path("vpnx-branch01");
    assert_eq!(harness.consumer.get(&tunnel, &[]).await.status, 200);
    let refused = loop {
        let answer = harness.consumer.get(&tunnel, &[]).await;
        if answer.status != 200 {
            break answer;
        }
    };
    assert_eq!(refused.problem(), (429, "call_budget".into()));
    let seconds = refused.header("retry-after").and_then(|seconds| seconds.parse::<u32>().ok());
    assert!(seconds.is_some_and(|seconds| (1..=8).contains(&seconds)), "{seconds:?}");
}

async fn changes_of_one_gateway_share_reads_and_need_fewer_polls(api: Api) {
    const CHANGES: u64 = 12;
    let harness = short_of_calls(api, 4, TIMEOUT).await;
    // Tunnels that the first page of a list shows: the oldest 50 (API 2.0), or the newest 100 (API 3.0).
    let paths: Vec<String> =
        (30..30 + CHANGES).map(|number| format!("{BRANCHES}/vpnx-site-{number:03}")).collect();
    let ranges = ranges();
    let changes = paths.iter().map(|path| harness.consumer.patch(path, &ranges, &[]));
    let operations = join_all(changes).await.into_iter().map(|answer| {
        assert_eq!(answer.status, 202, "{}", answer.body);
        answer.json()["id"].as_str().expect("an id").to_owned()
    });
    let operations: Vec<String> = operations.collect();
    let ends: Vec<Value> = join_all(operations.iter().map(|id| harness.consumer.ended(id))).await;
    for end in ends {
        assert_eq!(end["status"], "succeeded", "{end}");
        assert_eq!(end["verification"]["result"], "confirmed", "{end}");
    }
    assert_eq!(harness.modifications().await, CHANGES);
    let reads = harness.reads().await;
    let polls = harness.calls("DescribeVpcTaskResult").await;
    assert!(reads < CHANGES && polls < CHANGES, "{reads} reads, {polls} polls");
}

/// The tunnel is read while calls are short. Its status does not say that it is at rest, so its task is polled.
#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_no_document_names_proves_nothing_while_calls_are_short() {
    let harness = short_of_calls(Api::V2, 4, TIMEOUT).await;
    let ranges = ranges();
    let tunnels = ["vpnx-branch01", "vpnx-branch02", "vpnx-load-1", "vpnx-load-2", "vpnx-strange-status"];
    let answers = join_all(tunnels.iter().map(|tunnel| harness.patch(tunnel, &ranges))).await;
    for (tunnel, answer) in tunnels.iter().zip(answers) {
        let id = answer.json()["id"].as_str().expect("an id").to_owned();
        assert_eq!(harness.consumer.ended(&id).await["status"], "succeeded", "{tunnel}");
        let route = format!("/audit-events?operation_id={id}&event=succeeded");
        let events = harness.consumer.get(&route, &[]).await.json();
        let action = events["items"][0]["upstream"]["action"].as_str().expect("an action").to_owned();
        if *tunnel == "vpnx-strange-status" {
            assert_eq!(action, "DescribeVpcTaskResult");
        } else {
            assert_eq!(action, "DescribeVpnConn", "{tunnel}");
        }
    }
}

with_each_api!(
    a_read_without_a_place_in_the_budget_says_when_to_come_back,
    changes_of_one_gateway_share_reads_and_need_fewer_polls,
);
