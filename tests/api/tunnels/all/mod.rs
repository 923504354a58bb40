//! The list of all tunnels.

mod accounts;
mod drift;
mod filters;
mod pages;

use serde_json::Value;
use tunnelgate::simulator::Behaviour;

use crate::support::consumer::Consumer;

/// The tunnels of the simulated cloud: those of the first gateway, those of the branches, and one of production.
const TUNNELS: usize = 3 + Behaviour::ALL.len() + BRANCHES + 1;
const BRANCHES: usize = 120;

/// A page's tunnels, as `account/tunnel`.
fn names(page: &Value) -> Vec<String> {
    let name = |item: &Value| {
        let [account, tunnel] = ["account", "tunnel_id"].map(|name| item[name].as_str().expect("a name"));
        format!("{account}/{tunnel}")
    };
    page["items"].as_array().expect("items").iter().map(name).collect()
}

async fn page(consumer: &Consumer, route: &str) -> Value {
    let answer = consumer.get(route, &[]).await;
    assert_eq!(answer.status, 200, "{route}: {}", answer.body);
    answer.json()
}

/// All tunnels of a list, and the number on each of its pages.
async fn walk(consumer: &Consumer, first: &str) -> (Vec<String>, Vec<usize>) {
    let (mut all, mut pages, mut next) = (Vec::new(), Vec::new(), first.to_owned());
    loop {
        let answer = consumer.get(&next, &[]).await;
        assert_eq!(answer.status, 200, "{next}: {}", answer.body);
        let tunnels = names(&answer.json());
        pages.push(tunnels.len());
        all.extend(tunnels);
        let Some(route) = answer.next_page() else { return (all, pages) };
        next = route;
    }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}
