//! What a rollout does about tunnels that may not carry traffic, or that may or may not have been changed.

use serde_json::{Value, json};
use uuid::Uuid;

use super::site::{Site, path, url_path};

/// Two tunnels that share a peer range.
const PAIR: [&str; 2] = ["vpnx-load-1", "vpnx-task-never-ends"];

/// Changes the state file, as if a rollout had been killed at another point.
fn set_step(site: &Site, tunnel: usize, step: &Value) {
    let mut state = site.state("plan.yaml.state");
    state["tunnels"][tunnel]["step"] = step.clone();
    site.write("plan.yaml.state", &state.to_string());
}

/// A request that a killed rollout was sending.
fn sending(site: &Site) -> Value {
    let at = site.state("plan.yaml.state")["created_at"].clone();
    json!({"is": "sending", "request": {
        "idempotency_key": Uuid::from_u128(7), "at": at, "peer_cidrs": null, "if_match": null,
    }})
}

fn plan(tunnels: &[&str]) -> String {
    let one = |tunnel: &&str| {
        format!("- path: {}\n  patch: {{name: office, peer_cidrs: [172.16.0.0/16]}}\n", path(tunnel))
    };
    format!("tunnels:\n{}", tunnels.iter().map(one).collect::<String>())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tunnel_in_doubt_keeps_its_pair_as_it_is() {
    let site = Site::new().await;
    site.write("plan.yaml", &plan(&PAIR));
    let start = ["plan.yaml", "--yes", "--batch", "100%", "--max-failures", "5"];
    let resume = [&start[..], &["--resume", "plan.yaml.state"]].concat();
    let with = |command: &[&str], more: [&str; 2]| site.rollout(&[command, &more].concat()).with(1);
    let left_alone = "vpnx-task-never-ends: left alone: it shares a peer range with";

    // The peer may have been set, and the tunnel was not.
    let stopped = with(&start, ["--before", "exit 3"]);
    assert!(stopped.stdout.contains(left_alone), "{}", stopped.stdout);
    assert!(site.installation.received().await.is_empty());
    // The tunnel was changed, and does not carry traffic.
    let stopped = with(&resume, ["--after", "exit 3"]);
    assert!(stopped.stdout.contains(left_alone), "{}", stopped.stdout);
    assert_eq!(site.received(PAIR[0]).await, 1);
    // The other one of the pair may have been sent: it is not sent again either.
    set_step(&site, 1, &sending(&site));
    let stopped = with(&resume, ["--after", "exit 3"]);
    let left_alone = "vpnx-task-never-ends: sent, and not known whether it arrived; left alone: it shares";
    assert!(stopped.stdout.contains(left_alone), "{}", stopped.stdout);
    assert_eq!(site.received(PAIR[1]).await, 0);
    let back = site.rollout(&["--rollback", "plan.yaml.state", "--yes"]).with(2);
    assert!(back.stderr.contains("finish them with --resume first"), "{}", back.stderr);

    // A change that would be refused now does not keep others from their end.
    let change = site.consumer.patch(&url_path(PAIR[1]), &json!({"peer_cidrs": ["10.9.0.0/16"]}), &[]).await;
    assert_eq!(change.status, 202, "{}", change.body);
    let sent = sending(&site);
    set_step(&site, 1, &json!({"is": "waiting"}));
    let stopped = with(&resume, ["--after", "true"]);
    for told in
        ["1 as asked, 0 not as asked, 1 never sent", "would be refused: another change of this tunnel"]
    {
        assert!(stopped.stdout.contains(told), "{told} in {}", stopped.stdout);
    }
    // The change in progress may be the repeated one, if it was sent with another API key.
    set_step(&site, 1, &sent);
    let stopped = with(&resume, ["--after", "true"]);
    assert!(stopped.stdout.contains("not known: sent by an interrupted run"), "{}", stopped.stdout);
    assert_eq!(site.state("plan.yaml.state")["tunnels"][1]["step"]["is"], "lost");
    let back = with(&["--rollback", "plan.yaml.state", "--yes"], ["--batch", "1"]);
    let doubt = "vpnx-task-never-ends: the change may or may not have been accepted";
    assert!(back.stdout.contains(doubt), "{}", back.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_rolled_back_does_not_go_on() {
    let site = Site::new().await;
    site.write("plan.yaml", &plan(&["vpnx-load-1", "vpnx-load-2"]));
    let before = "test $TUNNELGATE_TUNNEL_ID = vpnx-load-1";
    site.rollout(&["plan.yaml", "--yes", "--before", before]).with(1);
    let rollback = ["--rollback", "plan.yaml.state", "--yes"];
    let hook = "touch begun; while ! test -e go; do sleep 0.02; done";
    let mut running = site.start("rollback", &[&rollback[..], &["--before", hook]].concat());
    running.await_output("a command that runs", |_| site.file("begun").exists().then_some(()));
    let resume = ["plan.yaml", "--yes", "--resume", "plan.yaml.state"];
    let refused = site.rollout(&resume).with(2);
    assert!(refused.stderr.contains("another process works on"), "{}", refused.stderr);
    site.write("go", "");
    assert_eq!(running.wait().code(), Some(0));
    let refused = site.rollout(&resume).with(2);
    assert!(refused.stderr.contains("is being rolled back, or was"), "{}", refused.stderr);
    assert_eq!(site.received("vpnx-load-2").await, 0);

    // A rollback that does not know all changes says so.
    site.rollout(&rollback).with(0);
    let operation = site.state("plan.yaml.state")["tunnels"][0]["step"].clone();
    let mut other = operation.clone();
    other["operation_id"] = json!(Uuid::from_u128(7));
    set_step(&site, 1, &other);
    let refused = site.rollout(&rollback).with(2);
    assert!(refused.stderr.contains("is not the rollback of all changes"), "{}", refused.stderr);
}

/// A batch is larger than what is begun at the same time; the rest of it is not begun after a failure.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_more_of_a_batch_begins_after_the_last_failure_that_is_allowed() {
    let site = Site::new().await;
    let tunnels: Vec<String> = (0..66).map(|n| format!("vpnx-load-{}-{}", 1 + n / 50, 1 + n % 50)).collect();
    let ranges = tunnels.iter().enumerate().map(|(n, tunnel)| (tunnel.clone(), format!("10.{n}.0.0/16")));
    site.set_ranges(&ranges.collect()).await;
    let mut plan = "tunnels:\n".to_owned();
    for tunnel in &tunnels {
        plan += &format!("- path: {}\n  generate: pre_shared_key\n", path(tunnel));
    }
    site.write("plan.yaml", &plan);
    let command =
        ["plan.yaml", "--yes", "--batch", "100%", "--before", "echo $TUNNELGATE_TUNNEL_ID >> begun; exit 1"];
    let stopped = site.rollout(&command).with(1);
    assert_eq!(site.read("begun").lines().count(), 64);
    assert_eq!(stopped.stdout.matches(": not begun").count(), 2, "{}", stopped.stdout);
}
