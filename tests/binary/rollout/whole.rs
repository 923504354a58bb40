//! Whole rollouts, from the dry run to the report.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::site::{FIRST_KEY, Site, path, url_path};
use crate::installation::Installation;
use crate::process::run;
use crate::support::Store;
use crate::tls::Authority;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_in_yaml_is_shown_and_carried_out() {
    let site = Site::new().await;
    let plan = format!(
        "tunnels:\n- path: {}\n  patch: {{peer_cidrs: [10.1.0.0/16], ike: {{dh_group: group24}}}}\n\
         - path: {}\n  patch: {{name: office, peer_cidrs: [10.2.0.0/16]}}\n",
        path("vpnx-load-1"),
        path("vpnx-load-2")
    );
    site.write("plan.yaml", &plan);

    let shown = site.rollout(&["plan.yaml", "--dry-run"]).with(3);
    for line in [
        "peer_cidrs: 172.16.0.0/16 → 10.1.0.0/16",
        "ike.dh_group: group14 → group24",
        "name: load-2 → office",
    ] {
        assert!(shown.stdout.contains(line), "{line} in {}", shown.stdout);
    }
    assert!(!site.file("plan.yaml.state").exists());
    // Nobody is there to be asked.
    let refused = site.rollout(&["plan.yaml"]).with(2);
    assert!(refused.stderr.contains("--yes"), "{}", refused.stderr);
    assert!(site.installation.received().await.is_empty(), "nothing was sent");

    let done = site.rollout(&["plan.yaml", "--yes", "--reason", "CHG-1"]).with(0);
    assert!(done.stdout.contains("2 as asked, 0 not as asked, 0 never sent"), "{}", done.stdout);
    let changes = site.changes("CHG-1").await;
    assert_eq!(changes.values().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
    let tunnel = site.tunnel("vpnx-load-2").await;
    assert_eq!((&tunnel["name"], &tunnel["peer_cidrs"]), (&json!("office"), &json!(["10.2.0.0/16"])));
    let state = site.state("plan.yaml.state");
    let steps: Vec<&Value> =
        state["tunnels"].as_array().expect("tunnels").iter().map(|entry| &entry["step"]["is"]).collect();
    assert_eq!(steps, ["done", "done"]);

    // The state is not overwritten; with another one there is nothing left to do.
    assert!(site.rollout(&["plan.yaml", "--yes"]).with(2).stderr.contains("--resume"));
    let again = site.rollout(&["plan.yaml", "--yes", "--state", "second"]).with(0);
    assert!(again.stdout.contains("as asked already"), "{}", again.stdout);
    assert!(!site.file("second").exists());
    site.rollout(&["plan.yaml", "--dry-run"]).with(0);
    assert_eq!(site.installation.received().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_of_a_spreadsheet_is_carried_out_and_told_to_programs() {
    let site = Site::new().await;
    let plan = format!(
        "\u{feff}path;peer_cidrs;ike.sa_lifetime_seconds;generate\r\n{};10.1.0.0/16 10.2.0.0/16;3600;\r\n{};;;pre_shared_key\r\n",
        path("vpnx-load-1"),
        path("vpnx-load-2")
    );
    site.write("plan.csv", &plan);
    let refused = site.rollout(&["plan.csv", "--json"]).with(2);
    assert!(refused.stderr.contains("--yes"), "{}", refused.stderr);
    let done = site.rollout(&["plan.csv", "--json", "--yes"]).with(0);
    let objects = done.objects();
    let of = |event: &str| objects.iter().filter(|object| object["event"] == event).collect::<Vec<_>>();
    assert_eq!(of("dry_run").len(), 2);
    assert!(of("dry_run")[0]["fields"][0]["differs"] == true, "{}", of("dry_run")[0]);
    let is_done =
        |object: &&&Value| object["step"]["is"] == "done" && object["step"]["operation_id"].is_string();
    assert_eq!(of("step").iter().filter(is_done).count(), 2);
    let report = of("report")[0];
    assert_eq!((&report["exit_code"], &report["keys_in_state"]), (&json!(0), &json!(0)));
    assert_eq!(report["as_asked"], json!([path("vpnx-load-1"), path("vpnx-load-2")]));
    let tunnel = site.tunnel("vpnx-load-1").await;
    assert_eq!(tunnel["peer_cidrs"], json!(["10.1.0.0/16", "10.2.0.0/16"]));
    assert_eq!(tunnel["ike"]["sa_lifetime_seconds"], 3600);
}

/// All keys of a gateway: the peer gets the new key before the tunnel does, on standard input only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_keys_of_a_gateway_are_rotated_with_their_peers() {
    let site = Site::new().await;
    let selector = "selector: {vpc_id: vpc-03vihbk9, gateway_id: vpngw-load-7}\ngenerate: pre_shared_key\n";
    site.write("all.yaml", selector);
    let shown = site.rollout(&["all.yaml", "--dry-run"]).with(3);
    for number in 1..=50 {
        assert!(shown.stdout.contains(&format!("/vpnx-load-7-{number} ")), "{number}: {}", shown.stdout);
    }
    let mut plan = "tunnels:\n".to_owned();
    for number in 1..=12 {
        plan += &format!("- path: {}\n  generate: pre_shared_key\n", path(&format!("vpnx-load-7-{number}")));
    }
    site.write("rotation.yaml", &plan);
    std::fs::create_dir(site.file("peers")).expect("a folder");
    let before = "umask 077; cat > peers/$TUNNELGATE_TUNNEL_ID.new; \
                  test -n \"$TUNNELGATE_VPC_ID$TUNNELGATE_GATEWAY_ID\" && test -z \"$TUNNELGATE_OPERATION_ID\"";
    let after = "read -r key; test \"$key\" = \"$(cat peers/$TUNNELGATE_TUNNEL_ID.new)\" \
                 && echo $TUNNELGATE_OPERATION_ID > peers/$TUNNELGATE_TUNNEL_ID.done; echo $key";
    let args = ["rotation.yaml", "--yes", "--batch", "100%", "--before", before, "--after", after];
    // All share their ranges, so they are changed one by one, whatever the batch.
    let rotation = site.rollout(&args).with(0);
    let said = format!("{}{}", rotation.stdout, rotation.stderr);
    assert_eq!(said.matches(": sending").count(), 12);
    assert!(said.contains("batch 12: 1 tunnels") && said.contains("12 as asked"), "{said}");

    let journal = site.installation.received().await;
    for number in 1..=12 {
        let tunnel = format!("vpnx-load-7-{number}");
        let key = site.read(&format!("peers/{tunnel}.new")).trim().to_owned();
        assert_eq!(key.len(), 40, "{tunnel}");
        assert!(!said.contains(&key) && !site.read("rotation.yaml.state").contains(&key), "{tunnel}");
        let received: Vec<&Value> =
            journal.iter().filter(|entry| entry["tunnel_id"] == tunnel.as_str()).collect();
        let [entry] = received.as_slice() else { panic!("{tunnel}: {received:?}") };
        let digest: String =
            Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(entry["params"]["preSharedKey"], digest.as_str(), "{entry}");
        assert_eq!(site.read(&format!("peers/{tunnel}.done")).trim().len(), 36);
    }
    assert!(!site.read("rotation.yaml.state").contains("\"key\""));
    // Ranges were repeated, because the account speaks API 2.0.
    let tunnel = site.tunnel("vpnx-load-7-12").await;
    assert_eq!(tunnel["peer_cidrs"], json!(["172.16.0.0/16"]));
    let key = site.consumer.get(&url_path("vpnx-load-8-1"), &[]).await.json()["pre_shared_key"].clone();
    assert_ne!(tunnel["pre_shared_key"], key, "no longer {FIRST_KEY}");
}

/// The certificate is verified, and the token comes from a file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateway_is_reached_by_tls() {
    let installation = Installation::new(Store::sqlite()).await;
    let authority = Authority::new(installation.path());
    authority.issue();
    let flags = authority.flags();
    // Before the gateway starts, so that one process alone sets up the ledger.
    let token = installation.token();
    let mut gateway =
        installation.serve_with("gateway", &flags.iter().map(String::as_str).collect::<Vec<_>>());
    std::fs::write(installation.path().join("token"), token).expect("written");
    let plan =
        format!("tunnels: [{{path: {}, patch: {{peer_cidrs: [10.1.0.0/16]}}}}]\n", path("vpnx-load-1"));
    std::fs::write(installation.path().join("plan.yaml"), plan).expect("written");
    let url = gateway.address().replace("127.0.0.1", "localhost");
    let args =
        ["rollout", "plan.yaml", "--dry-run", "--url", &url, "--token-file", "token", "--retry-for", "0"];
    let trusting = run(installation.path(), &args, &[("SSL_CERT_FILE", "ca.pem")]);
    assert_eq!(trusting.status.code(), Some(3), "{trusting:?}");
    let other = run(installation.path(), &args, &[("SSL_CERT_FILE", "tls.crt")]);
    let told = String::from_utf8_lossy(&other.stderr).into_owned();
    assert_eq!(other.status.code(), Some(2), "{other:?}");
    assert!(told.contains("certificate"), "{told}");
}
