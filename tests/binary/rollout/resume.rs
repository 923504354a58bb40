//! Rollouts that are killed, again and again.

use std::collections::BTreeMap;

use super::site::{Site, path};
use crate::support::ROLLOUT_POINTS;

/// The pairs: tunnels of two gateways with the same ranges on the peer's side.
const PAIRS: usize = 100;

fn tunnels(pair: usize) -> [String; 2] {
    let (gateway, number) = (pair / 50, pair % 50 + 1);
    [1, 3].map(|first| format!("vpnx-load-{}-{number}", first + gateway))
}

/// A hundred pairs get new keys. The rollout dies at every point between two steps, in a command before and after a change,
/// and now and then. No change is sent twice, and of no pair both change at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollout_that_is_killed_at_any_point_sends_nothing_twice_and_never_both_of_a_pair() {
    let site = Site::new().await;
    let range = |pair: usize| format!("10.{pair}.0.0/16");
    let ranges: BTreeMap<String, String> =
        (0..PAIRS).flat_map(|pair| tunnels(pair).map(|tunnel| (tunnel, range(pair)))).collect();
    site.set_ranges(&ranges).await;
    // The two of a pair follow each other, so that every batch has to pass over some.
    let mut plan = "tunnels:\n".to_owned();
    for tunnel in (0..PAIRS).flat_map(tunnels) {
        plan += &format!("- path: {}\n  generate: pre_shared_key\n", path(&tunnel));
    }
    site.write("plan.yaml", &plan);
    std::fs::create_dir(site.file("peers")).expect("a folder");
    // What the peer got last is what the tunnel must have in the end. A file named `kill-…` kills the rollout once.
    let before = "cat > peers/$TUNNELGATE_TUNNEL_ID; rm kill-before 2>/dev/null && kill -9 $PPID; true";
    let after = "rm kill-after 2>/dev/null && kill -9 $PPID; true";
    let command = [
        "plan.yaml",
        "--yes",
        "--batch",
        "1,8,8%",
        "--reason",
        "rotation",
        "--before",
        before,
        "--after",
        after,
    ];
    let resumed = [&command[..], &["--resume", "plan.yaml.state"]].concat();

    site.write("kill-before", "");
    assert_eq!(site.rollout(&command).code, None, "killed in the first command");
    site.write("kill-after", "");
    assert_eq!(site.rollout(&resumed).code, None, "killed in the first command after a change");
    if cfg!(feature = "failpoints") {
        for (n, point) in ROLLOUT_POINTS.iter().enumerate() {
            let armed = format!("{point}=abort@{}", 2 + 5 * n);
            let died = site.rollout_with(&resumed, &[("TUNNELGATE_FAILPOINTS", &armed)]);
            assert_eq!(died.code, None, "{armed}: {}{}", died.stdout, died.stderr);
        }
    }
    for (n, word) in [": sending", ": running"].into_iter().enumerate() {
        let mut rollout = site.start(&format!("killed-{n}"), &resumed);
        rollout.await_output(word, |output| (output.matches(word).count() > 8).then_some(()));
        rollout.kill();
    }
    let done = site.rollout(&resumed).with(0);
    assert!(done.stdout.contains("200 as asked, 0 not as asked, 0 never sent"), "{}", done.stdout);

    let changes = site.changes("rotation").await;
    assert_eq!(changes.len(), 2 * PAIRS);
    for (tunnel, changes) in &changes {
        assert_eq!(changes.len(), 1, "{tunnel} was changed twice: {changes:?}");
    }
    for pair in 0..PAIRS {
        let [one, other] = tunnels(pair).map(|tunnel| changes[&tunnel][0].clone());
        assert!(one.1 <= other.0 || other.1 <= one.0, "both of pair {pair} at once: {one:?} {other:?}");
    }
    let journal = site.installation.received().await;
    let digests: BTreeMap<&str, &str> = journal
        .iter()
        .filter_map(|entry| Some((entry["tunnel_id"].as_str()?, entry["params"]["preSharedKey"].as_str()?)))
        .collect();
    assert_eq!(journal.len(), 4 * PAIRS, "one change to set the ranges, one for the key");
    for tunnel in ranges.keys() {
        let key = site.read(&format!("peers/{tunnel}"));
        let digest = <sha2::Sha256 as sha2::Digest>::digest(key.trim().as_bytes());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            digests.get(tunnel.as_str()),
            Some(&digest.as_str()),
            "{tunnel}: the peer has another key"
        );
    }
    assert!(!site.read("plan.yaml.state").contains("\"key\""));
}
