//! `tunnelgate rollout --rollback`.

use serde_json::json;

use super::site::{Site, path};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_puts_back_what_succeeded_and_says_what_it_can_not() {
    let site = Site::new().await;
    let mut plan = "tunnels:\n".to_owned();
    for n in 1..=3 {
        plan += &format!(
            "- path: {}\n  patch: {{name: office-{n}, peer_cidrs: [10.{n}.0.0/16]}}\n",
            path(&format!("vpnx-load-{n}"))
        );
    }
    plan += &format!("- path: {}\n  generate: pre_shared_key\n", path("vpnx-load-4"));
    site.write("plan.yaml", &plan);
    site.rollout(&["plan.yaml", "--yes"]).with(0);
    // Somebody changes one of them in between.
    site.set_ranges(&[("vpnx-load-3".to_owned(), "10.99.0.0/16".to_owned())].into()).await;

    let shown = site.rollout(&["--rollback", "plan.yaml.state", "--dry-run"]).with(3);
    assert!(shown.stdout.contains("vpnx-load-1  name: office-1 → load-1"), "{}", shown.stdout);
    assert!(!site.file("plan.yaml.state.rollback").exists());
    let hook = "test -n \"$TUNNELGATE_ROLLBACK_OF\" && touch back-$TUNNELGATE_TUNNEL_ID";
    let command = ["--rollback", "plan.yaml.state", "--yes", "--before", hook, "--reason", "back"];
    let rolled_back = site.rollout(&command).with(1);
    for told in [
        "not rolled back: vpc-03vihbk9/vpngw-kfldykuz/vpnx-load-4: the change set the pre-shared key",
        "vpnx-load-3: 409 changed_since",
        "2 as asked, 0 not as asked, 1 never sent",
    ] {
        assert!(rolled_back.stdout.contains(told), "{told} in {}", rolled_back.stdout);
    }
    for (tunnel, name, range) in [
        ("vpnx-load-1", "load-1", "172.16.0.0/16"),
        ("vpnx-load-2", "load-2", "172.16.0.0/16"),
        ("vpnx-load-3", "office-3", "10.99.0.0/16"),
    ] {
        let now = site.tunnel(tunnel).await;
        assert_eq!((&now["name"], &now["peer_cidrs"]), (&json!(name), &json!([range])), "{tunnel}");
    }
    assert!(site.file("back-vpnx-load-1").exists() && !site.file("back-vpnx-load-3").exists());
    assert_eq!(site.changes("back").await.len(), 2);
    let state = site.state("plan.yaml.state.rollback");
    assert_eq!(state["tunnels"][0]["step"]["is"], "done");

    // The same command again sends nothing more, and a rollback is no rollout.
    site.rollout(&command).with(1);
    assert_eq!(site.changes("back").await.len(), 2);
    let refused = site.rollout(&["--rollback", "plan.yaml.state.rollback", "--yes"]).with(2);
    assert!(refused.stderr.contains("is the state of a rollback"), "{}", refused.stderr);
}
