//! A caller's address behind trusted proxies.

use super::gateway_with;
use crate::harness::{path, ranges};

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_holds_the_address_that_a_trusted_proxy_names() {
    for (trusted, expected) in [("127.0.0.0/8", "2001:db8:9::1"), ("192.0.2.0/24", "127.0.0.1")] {
        let harness = gateway_with(|settings| {
            settings.edge.trusted_proxies = vec![trusted.parse().expect("a network")]
        })
        .await;
        let claim = [("x-forwarded-for", "192.0.2.66, [2001:db8:9::1]:4711, 127.0.0.1")];
        assert_eq!(harness.consumer.patch(&path("vpnx-branch01"), &ranges(), &claim).await.status, 202);
        let events = harness.consumer.get("/audit-events?event=requested", &[]).await.json();
        assert_eq!(events["items"][0]["source_ip"], expected, "trusted: {trusted}");
    }
}
