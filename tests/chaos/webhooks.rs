//! Events for webhooks, while the ledger hangs.

use std::time::Duration;

use crate::cluster::{Cluster, by_way_of, ranges, server_address, tunnel};
use crate::proxy::Proxy;
use crate::receiver::{Delivery, Receiver, Response};

/// The receiver takes an event while the lease can't be extended. The ledger answers again after the lease has ended.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_receiver_took_while_the_ledger_hung_is_not_sent_again() {
    let receiver = Receiver::start().await;
    receiver.answers(|delivery| match delivery.kind().as_str() {
        "operation.requested" => Response::Late(Duration::from_secs(8)),
        _ => Response::Status(204),
    });
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("text").to_owned()
    };
    let secret = file("hook", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
    let entry =
        format!("[[webhooks]]\nname = \"one\"\nurl = \"{}\"\nsecret_file = \"{secret}\"\n", receiver.url);
    let config = file("tunnelgate.toml", &entry);
    let cluster = Cluster::on_postgres().await;
    let proxy = Proxy::to_postgres(server_address(&cluster.url)).await;
    let database = ("DATABASE_URL", by_way_of(&cluster.url, proxy.address));
    let gateway = cluster.gateway("gateway", &[database, ("TUNNELGATE_CONFIG", config)]);
    let id = gateway.accepted(&tunnel(1), &ranges(1)).await;
    gateway.consumer.ended(&id).await;

    receiver.until("the first event", |all| !all.is_empty()).await;
    proxy.hold_answers();
    // By then the lease is lost.
    let mut process = gateway.process;
    let is_lost = |output: &str| output.contains("a webhook can't read the ledger").then_some(());
    tokio::task::block_in_place(|| process.await_output("a lost lease", is_lost));
    proxy.release_answers();
    receiver.took("operation.succeeded").await;
    let seqs: Vec<i64> = receiver.all().iter().map(Delivery::seq).collect();
    assert_eq!(seqs, [2, 3, 4]);
}
