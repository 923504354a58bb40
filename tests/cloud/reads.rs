//! Reads that both versions of the API make in the same way.

use std::time::Duration;

use serde_json::json;
use tunnelgate::service::cloud::{Priority, ReadFailure, TaskStatus, TunnelsOf, Turn};

use crate::stub::{Act, Received, SECRET_KEY, Stub};
use crate::version::{BOTH, V2, at, path};

#[tokio::test]
async fn a_task_ends_well_or_badly_and_an_unknown_status_is_no_success() {
    for version in BOTH {
        for (succeeded, expected) in [
            (Some(true), TaskStatus::Succeeded),
            (Some(false), TaskStatus::Failed),
            (None, TaskStatus::Unrecognized),
        ] {
            let stub = Stub::playing([Act::Json(version.task(succeeded))]).await;
            let report = stub.client(version).task(version.task_id()).await.expect("a report");
            assert_eq!(report.status, expected);
            assert_eq!(report.upstream.task_id.as_deref(), Some(version.task_id()));
            assert_eq!(version.action(&stub.received()[0]), "DescribeVpcTaskResult");
        }
    }
}

#[tokio::test]
async fn a_failed_task_comes_with_the_cloud_s_words() {
    for version in BOTH {
        let stub = Stub::playing([Act::Json(version.task(Some(false)))]).await;
        let report = stub.client(version).task("7").await.expect("a report");
        assert_eq!(report.upstream.message.as_deref(), Some("peer refused"));
    }
}

#[tokio::test]
async fn no_part_of_a_secret_survives_where_the_words_of_a_task_are_cut() {
    let token = "t0Ken/+&".repeat(40);
    let encoded = |secret: &str| secret.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    for (version, secret) in BOTH.into_iter().flat_map(|version| [(version, SECRET_KEY), (version, &token)]) {
        let places = || {
            [secret.to_owned(), encoded(secret)].into_iter().flat_map(|spelt| {
                (400..=520).map(move |at| format!("{}{spelt}{}", ".".repeat(at), ".".repeat(200)))
            })
        };
        let stub = Stub::playing(places().map(|words| Act::Json(version.failed_task(&words)))).await;
        let client = stub.client_with(version, |settings| {
            settings.credentials.token = Some(token.clone().into());
        });
        for words in places() {
            let message = client.task("7").await.expect("a report").upstream.message.expect("words");
            assert!(message.contains("...") || message.contains("withheld"), "{message}");
            for part in [&secret[..6], &encoded(secret)[..18]] {
                assert!(!message.contains(part), "{words} became {message}");
            }
        }
    }
}

#[tokio::test]
async fn an_entry_that_names_no_tunnel_does_not_prove_that_there_is_none() {
    for version in BOTH {
        for entry in [json!("vpnx-1"), json!(null), json!({}), json!([])] {
            let act = version.entries(vec![entry, version.entry(2)], 2);
            let client = Stub::playing([act]).await.client(version);
            let read = client.tunnel(&at("vpnx-1"), Priority::Poll, "").await;
            assert_eq!(read.expect_err("no answer").failure, ReadFailure::NoAnswer);
            client.tunnel(&at("vpnx-2"), Priority::Poll, "").await.expect("a tunnel");
            let gateway = path();
            let list = client.tunnels(&gateway.vpc_id, &gateway.gateway_id).await;
            assert_eq!(list.expect_err("no answer").failure, ReadFailure::NoAnswer);
        }
    }
}

#[tokio::test]
async fn a_read_is_tried_again_where_a_change_would_not_be() {
    for version in BOTH {
        let good = version.task(Some(true));
        for bad in
            [Act::Http(500, ""), Act::CloseAfterReading, Act::Truncated(good.clone()), Act::Http(200, "<p>")]
        {
            let stub = Stub::playing([bad, Act::Json(good.clone())]).await;
            assert_eq!(stub.client(version).task("7").await.expect("a report").status, TaskStatus::Succeeded);
            assert_eq!(stub.received().len(), 2);
        }
        let stub = Stub::playing([Act::Http(500, "")]).await;
        let error = stub.client(version).task("7").await.expect_err("no report");
        assert_eq!(error.failure, ReadFailure::NoAnswer);
    }
}

#[tokio::test]
async fn tunnels_are_read_page_by_page() {
    for version in BOTH {
        let size = version.page_size();
        let total = 2 * size + 20;
        let pages = [0..size, size..2 * size, 2 * size..total].map(|numbers| version.list(numbers, total));
        let stub = Stub::playing(pages).await;
        let gateway = path();
        let tunnels =
            stub.client(version).tunnels(&gateway.vpc_id, &gateway.gateway_id).await.expect("tunnels");
        assert_eq!(tunnels.len(), total);
        let offsets: Vec<usize> = stub.received().iter().map(|request| version.offset(request)).collect();
        assert_eq!(offsets, [0, size, 2 * size]);
    }
}

fn ids(tunnels: &[tunnelgate::domain::tunnel::Tunnel]) -> Vec<&str> {
    tunnels.iter().filter_map(|tunnel| tunnel.tunnel_ids.first().map(String::as_str)).collect()
}

#[tokio::test]
async fn a_list_that_changes_while_it_is_read_is_read_again() {
    for version in BOTH {
        let size = version.page_size();
        // Tunnel 7 is deleted after the first page. The later tunnels move up by one, so that no page contains the first
        // of the second page.
        let total = size + 10;
        let without: Vec<usize> = (0..total).filter(|number| *number != 7).collect();
        let again = |numbers: &[usize]| version.list(numbers.iter().copied(), total - 1);
        let moved = version.list(size + 1..total, total - 1);
        let script = [version.list(0..size, total), moved, again(&without[..size]), again(&without[size..])];
        let stub = Stub::playing(script).await;
        let gateway = path();
        let tunnels =
            stub.client(version).tunnels(&gateway.vpc_id, &gateway.gateway_id).await.expect("tunnels");
        assert_eq!(ids(&tunnels), without.iter().map(|number| format!("vpnx-{number}")).collect::<Vec<_>>());
        assert_eq!(stub.received().len(), 4);
        if version == V2 {
            let asked = &stub.received()[0].params;
            assert_eq!(
                (asked["orderField"].as_str(), asked["orderDirection"].as_str()),
                ("createTime", "asc")
            );
        }
    }
}

#[tokio::test]
async fn a_list_that_never_stands_still_ends_all_the_same_and_names_each_tunnel_once() {
    for version in BOTH {
        let size = version.page_size();
        let turn = [version.list(0..size, size + 1), version.list(size - 1..size, size + 1)];
        let stub = Stub::playing(turn.clone().into_iter().chain(turn.clone()).chain(turn)).await;
        let gateway = path();
        let tunnels =
            stub.client(version).tunnels(&gateway.vpc_id, &gateway.gateway_id).await.expect("tunnels");
        assert_eq!((tunnels.len(), stub.received().len()), (size, 6));
    }
}

#[tokio::test]
async fn a_part_of_too_long_a_list_does_not_pass_for_the_whole() {
    for version in BOTH {
        let stub = Stub::playing([version.list(0..version.page_size(), 100_000)]).await;
        let client = stub.client_with(version, |settings| settings.timeout = Duration::from_secs(30));
        let gateway = path();
        let error = client.tunnels(&gateway.vpc_id, &gateway.gateway_id).await.expect_err("too many");
        assert_eq!(error.failure, ReadFailure::NoAnswer);
        let most = (version.page_size() * 40).to_string();
        assert!(error.upstream.message.is_some_and(|message| message.contains(&most)));
    }
}

#[tokio::test]
async fn a_tunnel_that_is_elsewhere_is_not_found() {
    for version in BOTH {
        for (vpc, gateway, tunnel) in [
            ("vpc-other", "vpngw-kfldykuz", "vpnx-1"),
            ("vpc-03vihbk9", "vpngw-other", "vpnx-1"),
            ("vpc-03vihbk9", "vpngw-kfldykuz", "vpnx-999"),
        ] {
            // The cloud may ignore its filters.
            let stub = Stub::playing([version.list(0..3, 3)]).await;
            let mut wanted = at(tunnel);
            wanted.vpc_id = vpc.parse().expect("an id");
            wanted.gateway_id = gateway.parse().expect("an id");
            let read = stub.client(version).tunnel(&wanted, Priority::Poll, "").await;
            assert_eq!(read.expect_err("not there").failure, ReadFailure::NotFound);
        }
    }
}

#[tokio::test]
async fn reads_of_one_gateway_that_wait_share_a_call_and_each_gets_its_own_tunnel() {
    for version in BOTH {
        let size = version.page_size();
        let stub = Stub::playing([version.list(0..size, size)]).await;
        let client = stub.client_with(version, |settings| {
            settings.calls_per_second = 1;
            settings.timeout = Duration::from_secs(4);
        });
        let read = |number: usize, priority| {
            let (client, wanted) = (&client, at(&format!("vpnx-{number}")));
            async move { client.tunnel(&wanted, priority, "").await }
        };
        // Takes the only slot of this second.
        read(1, Priority::Read).await.expect("a tunnel");
        let priorities = [Priority::Change, Priority::Poll, Priority::Read];
        let reads = (0..30).map(|number| read(number, priorities[number % 3]));
        for (number, tunnel) in futures_util::future::join_all(reads).await.into_iter().enumerate() {
            let tunnel = tunnel.expect("a tunnel");
            assert_eq!(tunnel.tunnel_ids.first(), Some(&format!("vpnx-{number}")));
        }
        assert_eq!(stub.received().len(), 2, "one call for all that waited");
        let missing = read(999, Priority::Read).await.expect_err("not there");
        assert_eq!(missing.failure, ReadFailure::NotFound);
    }
}

#[tokio::test]
async fn a_tunnel_that_a_shared_call_does_not_show_is_read_by_itself() {
    for version in BOTH {
        let size = version.page_size();
        let total = 2 * size + 20;
        let (first, second) = (version.list(0..size, total), version.list(size..2 * size, total));
        let stub = Stub::playing([first.clone(), first.clone(), first, second]).await;
        let client = stub.client_with(version, |settings| settings.calls_per_second = 1);
        client.tunnel(&at("vpnx-1"), Priority::Read, "").await.expect("a tunnel");
        let later = format!("vpnx-{}", size + 27);
        let (near, far) = (at("vpnx-2"), at(&later));
        let reads = (client.tunnel(&near, Priority::Read, ""), client.tunnel(&far, Priority::Read, ""));
        let (near, far) = tokio::join!(reads.0, reads.1);
        assert_eq!(near.expect("a tunnel").tunnel_ids.first().map(String::as_str), Some("vpnx-2"));
        assert_eq!(far.expect("a tunnel").tunnel_ids.first(), Some(&later));
        assert_eq!(stub.received().len(), 4);
    }
}

#[tokio::test]
async fn a_read_whose_caller_leaves_takes_nothing_from_the_others() {
    for version in BOTH {
        let stub = Stub::playing([version.list(0..version.page_size(), version.page_size())]).await;
        let client = stub.client_with(version, |settings| settings.calls_per_second = 1);
        client.tunnel(&at("vpnx-1"), Priority::Read, "").await.expect("a tunnel");
        let [first, second] = ["vpnx-2", "vpnx-3"].map(|tunnel| {
            let client = client.clone();
            tokio::spawn(async move { client.tunnel(&at(tunnel), Priority::Read, "").await })
        });
        tokio::task::yield_now().await;
        first.abort();
        let tunnel = second.await.expect("no panic").expect("a tunnel");
        assert_eq!(tunnel.tunnel_ids.first().map(String::as_str), Some("vpnx-3"));
    }
}

#[tokio::test]
async fn a_sweep_reads_one_page_of_a_gateway_or_of_the_account_at_a_time() {
    for version in BOTH {
        let size = version.page_size();
        let (gateway, total) = (path(), size + 20);
        let on_gateway = TunnelsOf { vpc: Some(&gateway.vpc_id), gateway: Some(&gateway.gateway_id) };
        let turn = Turn { priority: Priority::Sweep, end: None };
        for of in [on_gateway, TunnelsOf::default()] {
            let pages = [0..size, size..total].map(|numbers| version.list(numbers, total));
            let stub = Stub::playing(pages).await;
            let client = stub.client(version);
            assert_eq!(client.page_size(), size);
            let first = client.page(of, 0, turn).await.expect("a page");
            assert_eq!((first.tunnels.len(), first.total, first.is_last), (size, Some(total), false));
            let second = client.page(of, size, turn).await.expect("a page");
            assert_eq!((second.tunnels.len(), second.is_last), (20, true));
            let received = stub.received();
            let offsets: Vec<usize> = received.iter().map(|request| version.offset(request)).collect();
            assert_eq!(offsets, [0, size]);
            let names_gateway =
                |request: &Received| format!("{request:?}").contains(gateway.gateway_id.as_str());
            let expected = of.gateway.is_some();
            assert!(received.iter().all(|request| names_gateway(request) == expected), "{of:?}");
        }
    }
}
