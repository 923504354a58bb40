//! What stops a rollout: refusals, failures, commands, and people.

use serde_json::json;

use super::site::{Site, path, url_path};
use crate::process::run;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_if_one_change_is_refused() {
    let site = Site::new().await;
    let plan = format!(
        "tunnels:\n- path: {}\n  patch: {{peer_cidrs: [10.1.0.0/16]}}\n\
         - path: {}\n  patch:\n    peer_cidrs: [10.1.0.0/16]\n    ike: {{dh_group: group99}}\n\
         - path: {}\n  patch: {{peer_cidrs: [10.1.0.0/16], dpd: {{enabled: true}}}}\n\
         - path: {VPC}/547/399\n  patch: {{peer_cidrs: [10.3.0.0/16]}}\n\
         - path: {}\n  patch: {{peer_cidrs: [10.4.0.0/16]}}\n",
        path("vpnx-load-1"),
        path("vpnx-load-2"),
        path("vpnx-nowhere"),
        path("vpnx-ol6bcqp0"),
        VPC = super::site::VPC,
    );
    site.write("plan.yaml", &plan);
    for args in [&["plan.yaml", "--yes"][..], &["plan.yaml", "--dry-run"]] {
        let refused = site.rollout(args).with(2);
        for told in [
            "refused: line 7, vpc-03vihbk9/vpngw-kfldykuz/vpnx-load-2: ike.dh_group: must be one of",
            "refused: line 9, vpc-03vihbk9/vpngw-kfldykuz/vpnx-nowhere: 404 tunnel_not_found",
            "is the same tunnel as vpc-03vihbk9/547/399",
            "nothing was sent",
        ] {
            assert!(refused.stdout.contains(told), "{told} in {}", refused.stdout);
        }
    }
    assert!(site.installation.received().await.is_empty());
    assert!(!site.file("plan.yaml.state").exists());

    let plan = "tunnels:\n- path: a/b\n- path: a/b/c\n  patch: {pre_shared_key: canary\u{e4}}\n";
    site.write("plan.yaml", plan);
    let refused = site.rollout(&["plan.yaml", "--yes"]).with(2);
    let lines: Vec<&str> = refused.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{}", refused.stderr);
    assert!(lines[0].starts_with("tunnelgate: plan.yaml: line 2: must give at least one"), "{}", lines[0]);
    assert!(
        lines[2].starts_with("tunnelgate: plan.yaml: line 4: pre_shared_key: must be")
            && !lines[2].contains("canary")
    );
}

#[test]
fn settings_that_are_wrong_are_told_together() {
    let folder = tempfile::tempdir().expect("a folder");
    let tell = |args: &[&str], env: &[(&str, &str)]| {
        let args: Vec<&str> = ["rollout", "plan"].into_iter().chain(args.iter().copied()).collect();
        let output = run(folder.path(), &args, env);
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).expect("text")
    };
    let told = tell(&[], &[("TUNNELGATE_TOKEN", "")]);
    assert!(told.contains("TUNNELGATE_URL (--url): is required"), "{told}");
    assert!(told.contains("TUNNELGATE_TOKEN: is required, or --token-file"), "{told}");
    let token = [("TUNNELGATE_TOKEN", "canary-token")];
    let told = tell(&["--url", "http://net.example.com/"], &token);
    assert!(told.contains("plain http sends the token") && !told.contains("canary"), "{told}");
    for url in
        ["net.example.com", "ftp://net.example.com/", "https://user:pass@net.example.com/", "https://a/?b=c"]
    {
        assert!(tell(&["--url", url], &token).contains("TUNNELGATE_URL (--url): must "), "{url}");
    }
    let told = tell(&["--url", "https://127.0.0.1:1", "--batch", "0"], &token);
    assert!(told.contains("--batch: a batch has at least one tunnel"), "{told}");
    let told = tell(&["--url", "http://127.0.0.1:1", "--dry-run"], &token);
    assert!(told.contains("can't read plan"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_failure_stops_the_rollout() {
    let site = Site::new().await;
    let tunnels = ["vpnx-load-1", "vpnx-task-fails", "vpnx-load-2", "vpnx-load-3"];
    let mut plan = "tunnels:\n".to_owned();
    for (n, tunnel) in tunnels.iter().enumerate() {
        plan += &format!("- path: {}\n  patch: {{peer_cidrs: [10.{n}.0.0/16]}}\n", path(tunnel));
    }
    site.write("plan.yaml", &plan);
    // All of them shared a range, so each batch has one, and none is changed after the pair of one that failed.
    let stopped = site.rollout(&["plan.yaml", "--yes", "--batch", "100%"]).with(1);
    for told in [
        "vpnx-task-fails: failed: ",
        "1 as asked, 1 not as asked, 2 never sent",
        "never sent: vpc-03vihbk9/vpngw-kfldykuz/vpnx-load-2: left alone: it shares a peer range with",
        "to go on: the same command with --resume plan.yaml.state",
    ] {
        assert!(stopped.stdout.contains(told), "{told} in {}", stopped.stdout);
    }
    assert_eq!(site.installation.received().await.len(), 2);

    // Tunnels that share nothing any more: the limit alone stops.
    let ranges = |tunnel: &str, range: &str| (tunnel.to_owned(), range.to_owned());
    let ranges = [ranges("vpnx-load-2", "10.12.0.0/16"), ranges("vpnx-load-3", "10.13.0.0/16")].into();
    site.set_ranges(&ranges).await;
    site.rollout(&["plan.yaml", "--yes", "--resume", "plan.yaml.state"]).with(1);
    assert_eq!((site.received("vpnx-load-2").await, site.received("vpnx-load-3").await), (2, 2));
    assert_eq!(site.received("vpnx-task-fails").await, 1, "what failed is not sent again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_fails_leaves_its_tunnel_alone() {
    let site = Site::new().await;
    let mut plan = "tunnels:\n".to_owned();
    for n in 1..=3 {
        let tunnel = format!("vpnx-load-{n}");
        plan += &format!(
            "- path: {}\n  patch: {{peer_cidrs: [10.{n}.0.0/16]}}\n  generate: pre_shared_key\n",
            path(&tunnel)
        );
    }
    site.write("plan.yaml", &plan);
    // Tunnels that share nothing: a command that fails leaves the pairs of its tunnel alone.
    let ranges = (1..=3).map(|n| (format!("vpnx-load-{n}"), format!("10.{n}.0.0/16")));
    site.set_ranges(&ranges.collect()).await;
    let before =
        "test $TUNNELGATE_TUNNEL_ID != vpnx-load-2 || test -e repaired || { cat; echo no route; exit 3; }";
    let after = "test $TUNNELGATE_TUNNEL_ID != vpnx-load-3 || test -e repaired";
    let command = ["plan.yaml", "--yes", "--before", before, "--after", after, "--max-failures", "3"];
    let stopped = site.rollout(&command).with(1);
    for told in [
        "vpnx-load-2: left alone: --before ended with status 3: *** no route",
        "vpnx-load-3: succeeded, but --after ended with status 1",
        "1 as asked, 1 not as asked, 1 never sent",
        "has the generated keys of 2 tunnels",
    ] {
        assert!(stopped.stdout.contains(told), "{told} in {}", stopped.stdout);
    }
    assert_eq!(site.received("vpnx-load-2").await, 1, "its ranges");
    let key =
        |state: &serde_json::Value, index: usize| state["tunnels"][index]["key"].as_str().map(str::to_owned);
    let state = site.state("plan.yaml.state");
    let kept = key(&state, 1).expect("a key");
    assert!(!stopped.stdout.contains(&kept));
    assert_eq!((key(&state, 0), key(&state, 2).is_some()), (None, true));

    site.write("repaired", "");
    let resumed = [&command[..], &["--resume", "plan.yaml.state"]].concat();
    site.rollout(&resumed).with(0);
    assert_eq!((site.received("vpnx-load-2").await, site.received("vpnx-load-3").await), (2, 2));
    assert!(!site.read("plan.yaml.state").contains("\"key\""));
    let state = site.state("plan.yaml.state");
    assert_eq!(state["tunnels"][1]["step"]["is"], json!("done"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_stops_after_the_batch_and_the_resumed_rollout_finishes() {
    let site = Site::new().await;
    let mut plan = "tunnels:\n".to_owned();
    for n in 1..=3 {
        plan += &format!(
            "- path: {}\n  patch: {{name: office-{n}, peer_cidrs: [10.{n}.0.0/16]}}\n",
            path(&format!("vpnx-load-{n}"))
        );
    }
    site.write("plan.yaml", &plan);
    let before = "touch begun; while ! test -e go; do sleep 0.02; done";
    let command = ["plan.yaml", "--yes", "--batch", "1", "--before", before];
    let mut rollout = site.start("rollout", &command);
    rollout.await_output("a command that runs", |_| site.file("begun").exists().then_some(()));
    // Another process must not work on the same state.
    let second = site.rollout(&["plan.yaml", "--yes", "--resume", "plan.yaml.state"]).with(2);
    assert!(second.stderr.contains("another process works on"), "{}", second.stderr);
    rollout.signal("-INT");
    rollout.await_output("the notice", |output| output.contains("shutting down").then_some(()));
    site.write("go", "");
    assert_eq!(rollout.wait().code(), Some(1));
    let said = rollout.stdout();
    assert!(said.contains("stopped, as requested"), "{said}");
    assert!(said.contains("1 as asked, 0 not as asked, 2 never sent"), "{said}");

    // Another plan, another gateway, another reason: not the same rollout.
    site.write("other.yaml", &plan.replace("office", "branch"));
    let resume = ["--yes", "--resume", "plan.yaml.state"];
    let other = site.rollout(&[&["other.yaml"][..], &resume].concat()).with(2);
    assert!(other.stderr.contains("is not the plan"), "{}", other.stderr);
    let url = site.consumer.base.replace("127.0.0.1", "localhost");
    let other = site.rollout(&[&["plan.yaml", "--url", &url][..], &resume].concat()).with(2);
    assert!(other.stderr.contains("belongs to the gateway"), "{}", other.stderr);
    let other = site.rollout(&[&["plan.yaml", "--reason", "another"][..], &resume].concat()).with(2);
    assert!(other.stderr.contains("--reason must stay"), "{}", other.stderr);

    site.rollout(&[&command[..], &resume[1..]].concat()).with(0);
    let names: Vec<_> = [1, 2, 3].map(|n| url_path(&format!("vpnx-load-{n}"))).into();
    for (n, path) in names.iter().enumerate() {
        assert_eq!(site.consumer.get(path, &[]).await.json()["name"], format!("office-{}", n + 1));
    }
    assert_eq!(site.installation.received().await.len(), 3);
}
