//! The list over several accounts.

use std::time::Duration;

use tokio::net::TcpListener;
use tunnelgate::cloud::{self, Endpoints};
use tunnelgate::config::Settings;
use tunnelgate::domain::api::Api;
use tunnelgate::domain::principal::{Scope, VpcScope};

use super::{TUNNELS, names, page, sorted, walk};
use crate::harness::Harness;
use crate::support::Store;

/// A copy of the harness's account under another name, for some VPCs.
fn account(settings: &Settings, name: &str, vpcs: &[&str]) -> cloud::Settings {
    let patterns = vpcs.iter().map(|pattern| pattern.parse().expect("a pattern")).collect();
    let (account, vpcs) = (name.to_owned(), VpcScope::Matching(patterns));
    cloud::Settings { account, vpcs, ..settings.accounts[0].clone() }
}

async fn a_tunnel_is_listed_by_the_account_that_answers_for_its_vpc(api: Api) {
    // Both see the same tunnels in the cloud.
    let harness = Harness::on_api(Store::sqlite(), api, |settings| {
        let first = account(settings, "z-prod", &["vpc-prod-*", "gz_vpc_8849"]);
        settings.accounts = vec![first, account(settings, "rest", &["vpc-*"])];
    })
    .await;
    let (all, _) = walk(&harness.consumer, "/tunnels?limit=200").await;
    assert_eq!(all.len(), TUNNELS, "each once");
    // By name, not in the order of the settings.
    assert_eq!(all.last().map(String::as_str), Some("z-prod/vpnx-prod1"));
    assert!(all[..TUNNELS - 1].iter().all(|name| name.starts_with("rest/")), "{all:?}");
    assert_eq!(walk(&harness.consumer, "/tunnels?limit=9").await.0, all);
    assert_eq!(walk(&harness.consumer, "/tunnels?account=rest").await.0, all[..TUNNELS - 1]);
    assert_eq!(walk(&harness.consumer, "/tunnels?account=z-prod").await.0, all[TUNNELS - 1..]);
    let accounts = ["z-prod", "rest"];
    let found = accounts.map(|name| format!("/tunnels?vpc_id=vpc-prod-1&account={name}"));
    assert_eq!(names(&page(&harness.consumer, &found[0]).await), ["z-prod/vpnx-prod1"]);
    assert_eq!(names(&page(&harness.consumer, &found[1]).await), [""; 0], "z-prod answers for it");
    // Of an account none of whose VPCs the caller may read, nothing can be seen.
    let prod = harness.consumer_with("prod", &[(Scope::TunnelsRead, &["vpc-prod-*"])]).await;
    let before = harness.reads().await;
    assert_eq!(names(&page(&prod, "/tunnels?account=rest").await), [""; 0]);
    assert_eq!(harness.reads().await, before);
    assert_eq!(walk(&prod, "/tunnels").await.0, ["z-prod/vpnx-prod1"]);
    assert_eq!(walk(&prod, "/tunnels?limit=1").await.0, ["z-prod/vpnx-prod1"]);
}

/// A server that accepts connections and never answers.
async fn silent_cloud() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.push(stream);
        }
    });
    address
}

async fn a_bad_account_is_named_and_hides_no_other(api: Api) {
    let silent = silent_cloud().await;
    let harness = Harness::on_api(Store::sqlite(), api, |settings| {
        let mut refused = account(settings, "b-refused", &["vpc-refused"]);
        refused.credentials.secret_key = "revoked".into();
        let mut silenced = account(settings, "c-silent", &["vpc-silent"]);
        (silenced.endpoints, silenced.timeout) = (Endpoints::simulated(silent), Duration::from_millis(600));
        let (first, last) =
            (account(settings, "a-first", &["vpc-prod-*"]), account(settings, "d-last", &["vpc-03vihbk9"]));
        settings.accounts = vec![first, refused, silenced, last];
    })
    .await;
    let first = harness.consumer.get("/tunnels?limit=200", &[]).await;
    assert_eq!(names(&first.json()), ["a-first/vpnx-prod1"]);
    let next = first.next_page().expect("a page that can't be read");
    for (route, account, expected) in [
        (next.as_str(), "b-refused", (502, "upstream_credentials")),
        ("/tunnels?account=b-refused", "b-refused", (502, "upstream_credentials")),
        ("/tunnels?account=c-silent", "c-silent", (503, "tunnel_unreadable")),
        ("/tunnels?vpc_id=vpc-silent&search=x", "c-silent", (503, "tunnel_unreadable")),
    ] {
        let answer = harness.consumer.get(route, &[]).await;
        let (status, code) = answer.problem();
        assert_eq!((status, code.as_str()), expected, "{route}");
        assert_eq!(answer.header("retry-after").is_some(), status == 503, "{route}");
        let problem = answer.json();
        assert_eq!(problem["account"], account, "{route}");
        let detail = problem["detail"].as_str().expect("a detail");
        assert!(detail.contains(account) && detail.contains("`account`"), "{detail}");
        for secret in ["revoked", "AKID"] {
            assert!(!answer.body.contains(secret), "{}", answer.body);
        }
    }
    let (last, _) = walk(&harness.consumer, "/tunnels?account=d-last").await;
    assert_eq!(last.len(), TUNNELS - 1);
    // A caller without rights for its VPCs does not meet the bad account.
    let grants: [(Scope, &[&str]); 1] = [(Scope::TunnelsRead, &["vpc-0*", "vpc-p*"])];
    let others = harness.consumer_with("others", &grants).await;
    let mut expected = vec!["a-first/vpnx-prod1".to_owned()];
    expected.extend(last);
    assert_eq!(sorted(walk(&others, "/tunnels").await.0), sorted(expected));
}

async fn a_list_goes_on_with_the_accounts_that_there_are(api: Api) {
    let names = ["a-one", "c-two"];
    let harness = Harness::on_api(Store::sqlite(), api, |settings| {
        let vpcs = [&["vpc-prod-*"][..], &["*"]];
        settings.accounts =
            names.iter().zip(vpcs).map(|(name, vpcs)| account(settings, name, vpcs)).collect();
    })
    .await;
    let first = harness.consumer.get("/tunnels?limit=1", &[]).await;
    let second = harness.consumer.get(&first.next_page().expect("a page"), &[]).await;
    let next = second.next_page().expect("a third page");
    // The account of the cursor is gone.
    let (_replica, other) = harness
        .replica_with(|settings| {
            settings.accounts =
                vec![account(settings, "a-one", &["vpc-prod-*"]), account(settings, "d-new", &["*"])];
        })
        .await;
    let (rest, _) = walk(&other, &next).await;
    assert_eq!(rest.len(), TUNNELS - 1);
    assert!(rest.iter().all(|name| name.starts_with("d-new/")), "{rest:?}");
}

with_each_api!(
    a_tunnel_is_listed_by_the_account_that_answers_for_its_vpc,
    a_bad_account_is_named_and_hides_no_other,
    a_list_goes_on_with_the_accounts_that_there_are,
);
