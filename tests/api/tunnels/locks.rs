//! One change at a time on one tunnel, in both forms of its ids; other tunnels are not affected.

use tunnelgate::domain::principal::Scope;

use crate::harness::{Harness, path, ranges};

async fn both_forms_of_its_ids_mean_one_tunnel(harness: Harness) {
    // A slow task: the operation must not end before the next requests.
    let older = "/vpcs/gz_vpc_8849/gateways/547/tunnels/404";
    let first = harness.consumer.patch(&path("vpnx-slow-task"), &ranges(), &[]).await;
    assert_eq!(first.status, 202, "{}", first.body);
    let second = harness.consumer.patch(older, &ranges(), &[]).await;
    assert_eq!(second.problem(), (409, "operation_in_progress".into()));
    assert_eq!(second.json()["operation_id"], first.json()["id"]);
    let dry = harness.consumer.patch(&format!("{older}?dry_run=true"), &ranges(), &[]).await;
    assert_eq!(dry.json()["operation_in_progress"], first.json()["id"], "{}", dry.body);
    harness.consumer.ended(first.json()["id"].as_str().expect("an id")).await;
    let third = harness.consumer.patch(older, &ranges(), &[("prefer", "wait=30")]).await;
    assert_eq!(third.json()["status"], "succeeded", "{}", third.body);
    assert_eq!(third.json()["tunnel"]["tunnel_id"], "404", "the id of the request");
}

async fn a_busy_tunnel_of_another_vpc_looks_as_if_it_were_not_there(harness: Harness) {
    let limited = harness
        .consumer_with(
            "limited",
            &[(Scope::TunnelsRead, &["vpc-mine"]), (Scope::TunnelsWrite, &["vpc-mine"])],
        )
        .await;
    let mine = "/vpcs/vpc-mine/gateways/vpngw-kfldykuz/tunnels/vpnx-slow-task";
    let theirs = harness.patch("vpnx-slow-task", &ranges()).await;
    assert_eq!(theirs.status, 202, "{}", theirs.body);
    let while_busy = limited.patch(mine, &ranges(), &[]).await;
    assert_eq!(while_busy.status, 404, "like a missing tunnel: {}", while_busy.body);
    let dry = limited.patch(&format!("{mine}?dry_run=true"), &ranges(), &[]).await;
    assert_eq!(dry.status, 404, "{}", dry.body);
}

async fn an_older_id_that_can_not_be_looked_up_is_not_sent(harness: Harness) {
    let unreadable = "/vpcs/gz_vpc_8849/gateways/vpngw-kfldykuz/tunnels/vpnx-unreadable";
    let answer = harness.consumer.patch(unreadable, &ranges(), &[]).await;
    assert_eq!(answer.problem(), (503, "tunnel_unreadable".into()));
    assert!(harness.received("vpnx-unreadable").is_empty());
}

on_each_api!(a_busy_tunnel_of_another_vpc_looks_as_if_it_were_not_there);
// Only API 2.0 has older ids.
on_each_ledger!(both_forms_of_its_ids_mean_one_tunnel, an_older_id_that_can_not_be_looked_up_is_not_sent);
