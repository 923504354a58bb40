//! The gateway dies while it delivers: every event arrives, in order, and a repeated one under its id.

use std::os::unix::process::ExitStatusExt;

use crate::deployment::{Deployment, asking_for, blocking, try_patch};
use crate::receiver::{Delivery, Receiver, Response};
use crate::support::Store;
use crate::support::consumer::{Consumer, plain_client};

/// A receiver has taken an event, and its place is not stored.
pub const POINT: &str = "webhook.taken";
const SIGABRT: i32 = 6;

async fn a_kill_loses_no_event_and_repeats_it_under_its_id(store: Store) {
    let receiver = Receiver::start().await;
    let deployment = Deployment::new(store);
    std::fs::write(deployment.path().join("hook"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
        .expect("written");
    let config =
        format!("[[webhooks]]\nname = \"one\"\nurl = \"{}\"\nsecret_file = \"hook\"\n", receiver.url);
    std::fs::write(deployment.path().join("tunnelgate.toml"), config).expect("written");
    let webhooks = ("TUNNELGATE_CONFIG", "tunnelgate.toml");
    let token = deployment.token("netops-ci");

    let armed = format!("{POINT}=abort@2");
    let (mut gateway, base) = deployment.serve("first", &[webhooks, ("TUNNELGATE_FAILPOINTS", &armed)]);
    // The response may be lost.
    let _ =
        try_patch(&plain_client(), &base, &token, "vpnx-branch01", &asking_for("10.1.0.0/24"), None).await;
    assert_eq!(blocking(|| gateway.wait()).signal(), Some(SIGABRT), "{}", gateway.stderr());
    assert_eq!(receiver.all().iter().map(Delivery::seq).collect::<Vec<_>>(), [2, 3]);

    // Killed in the middle of the attempt for event 4. That for 3 is repeated.
    receiver.answers(|delivery| if delivery.seq() == 4 { Response::Silence } else { Response::Status(200) });
    let (mut gateway, base) = deployment.serve("second", &[webhooks]);
    let answer =
        try_patch(&plain_client(), &base, &token, "vpnx-branch02", &asking_for("10.2.0.0/24"), None).await;
    assert_eq!(answer.expect("an answer").status, 202);
    receiver.until("the attempt", |all| all.iter().any(|delivery| delivery.seq() == 4)).await;
    blocking(|| gateway.kill());

    receiver.answers(|_| Response::Status(200));
    let (gateway, base) = deployment.serve("third", &[webhooks]);
    deployment.at_peace().await;
    let newest = Consumer::new(base, token).get("/audit-events/checkpoint", &[]).await.json()["seq"].as_i64();
    let newest = newest.expect("a seq");
    let all = receiver.until("the newest event", |all| all.iter().any(|d| d.seq() == newest)).await;
    let seqs: Vec<i64> = all.iter().map(Delivery::seq).collect();
    let expected: Vec<i64> = [2, 3, 3, 4].into_iter().chain(4..=newest).collect();
    assert_eq!(seqs, expected);
    for delivery in &all {
        assert_eq!(delivery.json()["data"]["event"]["id"], delivery.id());
    }
    assert!(blocking(|| gateway.terminate()).success());
    deployment.assert_whole();
}

on_each_ledger!(a_kill_loses_no_event_and_repeats_it_under_its_id);
