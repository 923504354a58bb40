//! Rollouts that go on with another token, or get one in between.

use serde_json::json;

use super::site::{Site, path, token_of};

fn plan(tunnels: usize) -> String {
    let one = |n: usize| {
        format!(
            "- path: {}\n  patch: {{name: office-{n}, peer_cidrs: [10.{n}.0.0/16]}}\n",
            path(&format!("vpnx-load-{n}"))
        )
    };
    format!("tunnels:\n{}", (1..=tunnels).map(one).collect::<String>())
}

/// Runs a rollout that dies at a failpoint.
fn killed(site: &Site, point: &str, args: &[&str]) {
    let died = site.rollout_with(args, &[("TUNNELGATE_FAILPOINTS", &format!("{point}=abort"))]);
    assert_eq!(died.code, None, "{}{}", died.stdout, died.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_caller_adopts_what_the_first_one_sent() {
    if cfg!(not(feature = "failpoints")) {
        return;
    }
    let site = Site::new().await;
    site.write("plan.yaml", &plan(2));
    // The gateway has accepted the change, and the rollout does not know it.
    killed(&site, "rollout.answered", &["plan.yaml", "--yes"]);
    assert_eq!(site.state("plan.yaml.state")["tunnels"][0]["step"]["is"], "sending");
    let other = token_of(
        &site,
        &["create", "--name", "other", "--scope", "tunnels:read", "--scope", "tunnels:write"],
    );
    let token = [("TUNNELGATE_TOKEN", other.as_str())];
    let resume = ["plan.yaml", "--yes", "--resume", "plan.yaml.state"];
    let shown = site.rollout_with(&["plan.yaml", "--dry-run", "--resume", "plan.yaml.state"], &token).with(3);
    assert_eq!(site.state("plan.yaml.state")["caller"]["name"], "netops-ci", "{}", shown.stdout);
    let done = site.rollout_with(&resume, &token).with(0);
    assert!(done.stdout.contains("1 changes that API key netops-ci ("), "{}", done.stdout);
    assert_eq!((site.received("vpnx-load-1").await, site.received("vpnx-load-2").await), (1, 1));
    let state = site.state("plan.yaml.state");
    assert_eq!(state["caller"]["name"], "other");
    for (tunnel, caller) in ["netops-ci", "other"].into_iter().enumerate() {
        let id = state["tunnels"][tunnel]["step"]["operation_id"].as_str().expect("an operation");
        let operation = site.consumer.get(&format!("/operations/{id}"), &[]).await.json();
        assert_eq!(operation["requested_by"], caller);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_caller_does_not_send_what_may_be_on_its_way() {
    if cfg!(not(feature = "failpoints")) {
        return;
    }
    let site = Site::new().await;
    site.write("plan.yaml", &plan(2));
    killed(&site, "rollout.sending", &["plan.yaml", "--yes"]);
    let before = site.read("plan.yaml.state");
    let other = token_of(
        &site,
        &["create", "--name", "other", "--scope", "tunnels:read", "--scope", "tunnels:write"],
    );
    let resume = ["plan.yaml", "--yes", "--resume", "plan.yaml.state"];
    let stopped = site.rollout_with(&resume, &[("TUNNELGATE_TOKEN", &other)]).with(2);
    for told in [
        "the change of vpc-03vihbk9/vpngw-kfldykuz/vpnx-load-1 of this rollout may have been sent by API key netops-ci (",
        "belongs to API key other (",
        "Go on with a token of API key netops-ci",
        "another --state",
    ] {
        assert!(stopped.stderr.contains(told), "{told} in {}", stopped.stderr);
    }
    assert_eq!((site.read("plan.yaml.state"), site.received("vpnx-load-1").await), (before, 0));

    // A key is one caller with all its tokens.
    let rotated = token_of(&site, &["rotate", "netops-ci"]);
    site.rollout_with(&resume, &[("TUNNELGATE_TOKEN", &rotated)]).with(0);
    assert_eq!((site.received("vpnx-load-1").await, site.received("vpnx-load-2").await), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_file_may_get_another_token_of_the_same_caller_only() {
    let site = Site::new().await;
    site.write("plan.yaml", &plan(3));
    site.write("token", &site.consumer.token);
    site.write("rotated", &token_of(&site, &["rotate", "netops-ci"]));
    site.write(
        "other",
        &token_of(
            &site,
            &["create", "--name", "other", "--scope", "tunnels:read", "--scope", "tunnels:write"],
        ),
    );
    // Another token before the second change, another caller's before the third one.
    let before = "case $TUNNELGATE_TUNNEL_ID in *-2) cp rotated token;; *-3) cp other token;; esac";
    let command = ["plan.yaml", "--yes", "--batch", "1", "--token-file", "token", "--before", before];
    let stopped = site.rollout_with(&command, &[("TUNNELGATE_TOKEN", "")]).with(1);
    let told = "vpnx-load-3: not sent: the token belongs to API key other (";
    assert!(stopped.stdout.contains(told), "{}", stopped.stdout);
    assert_eq!((site.received("vpnx-load-2").await, site.received("vpnx-load-3").await), (1, 0));
    assert_eq!(site.state("plan.yaml.state")["tunnels"][2]["step"]["is"], "not_sent");

    // Nothing may be on its way, so another caller can go on.
    let resume = ["plan.yaml", "--yes", "--resume", "plan.yaml.state", "--token-file", "token"];
    site.rollout_with(&resume, &[("TUNNELGATE_TOKEN", "")]).with(0);
    assert_eq!(site.received("vpnx-load-3").await, 1);

    let unknown =
        site.rollout_with(&["plan.yaml", "--dry-run"], &[("TUNNELGATE_TOKEN", "tg_unknown")]).with(2);
    let told =
        "can't learn from the gateway who the token belongs to: 401 unauthorized: the token is unknown";
    assert!(unknown.stderr.contains(told) && unknown.stdout.is_empty(), "{}", unknown.stderr);
}

/// Gateways forget keys after a day, but not operations.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_too_old_is_searched_and_never_repeated() {
    if cfg!(not(feature = "failpoints")) {
        return;
    }
    let site = Site::new().await;
    site.write("plan.yaml", &plan(2));
    let make_old = |tunnel: usize| {
        let mut state = site.state("plan.yaml.state");
        let request = &mut state["tunnels"][tunnel]["step"]["request"];
        let at = request["at"].as_str().expect("a time");
        let at = tunnelgate::domain::timestamp::Timestamp::parse(at).expect("a time");
        request["at"] = json!(at.minus(std::time::Duration::from_secs(23 * 3600 + 60)));
        site.write("plan.yaml.state", &state.to_string());
    };
    let command = ["plan.yaml", "--yes", "--batch", "1", "--json"];
    let resume = [&command[..], &["--resume", "plan.yaml.state"]].concat();
    killed(&site, "rollout.answered", &command);
    make_old(0);
    // The first one is found; the second one has never arrived.
    killed(&site, "rollout.sending", &resume);
    assert_eq!(site.state("plan.yaml.state")["tunnels"][0]["step"]["is"], "done");
    make_old(1);
    let lost = site.rollout(&resume).with(1);
    let objects = lost.objects();
    let report = objects.last().expect("a report");
    assert_eq!((&report["event"], &report["exit_code"]), (&json!("report"), &json!(1)));
    assert_eq!(report["as_asked"], json!([path("vpnx-load-1")]));
    let why = report["not_as_asked"][0]["why"].as_str().expect("a reason");
    assert!(
        why.starts_with("not known: the change was being sent at ") && why.contains("has no operation"),
        "{why}"
    );
    assert_eq!((site.received("vpnx-load-1").await, site.received("vpnx-load-2").await), (1, 0));
    // Neither is it sent later.
    site.rollout(&resume).with(1);
    assert_eq!(site.received("vpnx-load-2").await, 0);
}
