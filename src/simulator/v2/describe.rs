//! The actions that read: `DescribeVpnConn` and `DescribeVpcTaskResult`.

use serde_json::{Value, json};

use crate::simulator::answer::{Answer, HTTP_500};
use crate::simulator::behaviour::{Behaviour, Lists};
use crate::simulator::cloud::Cloud;
use crate::simulator::state::{PageFault, Poll};
use crate::simulator::tunnel::Tunnel;

use super::answer::{Refused, body, refused};
use super::common::{COMMON, Params};
use super::tunnel::entry;

/// The parameters of `DescribeVpnConn` apart from the common ones.
const FILTERS: &[&str] = &["vpnConnName", "offset", "limit", "orderField", "orderDirection"];

/// Answers `DescribeVpcTaskResult`.
pub(super) fn task(cloud: &Cloud, params: &Params) -> Result<Answer, Refused> {
    let id = params.get("taskId").and_then(|id| id.parse::<i64>().ok());
    let id = id.ok_or_else(|| refused(4000, "taskId is missing or not a number"))?;
    let now = cloud.clock.now();
    let mut state = cloud.state();
    let region = params.get("Region").cloned().unwrap_or_default();
    let id = id.to_string();
    state.record_poll(Poll { received_at: now, api: "2.0", task_id: id.clone(), region });
    state.advance(now);
    let task = state.tasks.get(&id).ok_or_else(|| refused(5000, "the task does not exist"))?;
    let has_ended = task.ends_at.is_some_and(|end| end <= now);
    let (status, output) = match task.behaviour {
        Some(Behaviour::TaskForgotten) => return Err(refused(5000, "the task does not exist")),
        Some(Behaviour::StrangeTaskStatus) => (json!(7), json!([])),
        Some(Behaviour::TaskFails) if has_ended => {
            (json!(1), json!({"errorCode": 10013, "errorMsg": "the peer gateway refused the proposal"}))
        }
        Some(Behaviour::TaskEchoesKey) if has_ended => {
            let key = task.change.key.as_deref().unwrap_or_default();
            let message = format!("the peer gateway refused preSharedKey \"{key}\"");
            (json!(1), json!({"errorCode": 10013, "errorMsg": message}))
        }
        _ if has_ended => (json!(0), json!([])),
        _ => (json!(2), json!([])),
    };
    Ok(body(&json!({"code": "0", "message": "", "codeDesc": "Success",
                    "data": {"status": status, "output": output}})))
}

/// Answers `DescribeVpnConn`.
pub(super) fn tunnels(cloud: &Cloud, params: &Params) -> Result<Answer, Refused> {
    let is_known = |name: &str| COMMON.contains(&name) || FILTERS.contains(&name);
    if let Some(name) = params.keys().find(|name| !is_known(name)) {
        return Err(refused(4000, format!("(100001)parameter {name} is unknown")));
    }
    let number = |name: &str, default: usize, max: usize| -> Result<usize, Refused> {
        let Some(text) = params.get(name) else { return Ok(default) };
        let number = text.parse().ok().filter(|number| *number <= max);
        number.ok_or_else(|| refused(4000, format!("{name} is wrong")))
    };
    let (offset, limit) = (number("offset", 0, usize::MAX)?, number("limit", 20, 50)?);
    let word = |name: &str, words: [&'static str; 2]| -> Result<&'static str, Refused> {
        let Some(text) = params.get(name) else { return Ok(words[0]) };
        words.into_iter().find(|word| word == text).ok_or_else(|| refused(4000, format!("{name} is wrong")))
    };
    let order =
        (word("orderField", ["createTime", "vpnConnName"])?, word("orderDirection", ["desc", "asc"])?);
    let mut state = cloud.state();
    let is_limited = params.contains_key("vpnGwId") || params.contains_key("vpnConnId");
    if state.may_list_gateways_only && !is_limited {
        return Err(refused(4102, "not authorized to list all tunnels"));
    }
    state.advance(cloud.clock.now());
    if let Some(gateway) = params.get("vpnGwId") {
        state.prepare_gateway(gateway);
    }
    if let Some(id) = params.get("vpnConnId") {
        // Creates a tunnel of a load test at its first read.
        let _ = state.find(id);
    }
    let is_whole = !["vpcId", "vpnGwId", "vpnConnId"].iter().any(|name| params.contains_key(*name));
    if is_whole && state.lists == Lists::NotWhole {
        return Err(refused(4102, "not authorized to list the tunnels of the account"));
    }
    let matches = |tunnel: &&Tunnel| {
        if state.lists == Lists::Unfiltered {
            return true;
        }
        params.get("vpcId").is_none_or(|id| tunnel.is_in(id))
            && params.get("vpnGwId").is_none_or(|id| tunnel.is_on(id))
            && params.get("vpnConnId").is_none_or(|id| tunnel.is(id))
            && params.get("vpnConnName").is_none_or(|name| tunnel.name.contains(name))
    };
    let gateway = params.get("vpnGwId").filter(|_| state.lists != Lists::Unfiltered);
    let candidates = state.candidates(gateway.map(String::as_str));
    let mut found: Vec<&Tunnel> = candidates.into_iter().filter(matches).collect();
    let only = found.first().filter(|_| params.contains_key("vpnConnId"));
    let was_changed = only.is_some_and(|tunnel| tunnel.attempts > 0);
    match only.and_then(|tunnel| tunnel.behaviour()) {
        Some(Behaviour::Unreadable) => return Ok(HTTP_500),
        Some(Behaviour::UnreadableAfter) if was_changed => return Ok(HTTP_500),
        Some(Behaviour::AlwaysRateLimited) => {
            return Err(refused(4400, "more requests than the quota allows"));
        }
        _ => {}
    }
    match order.0 {
        "vpnConnName" => found.sort_by_key(|tunnel| (tunnel.name.clone(), tunnel.id.1)),
        _ => found.sort_by_key(|tunnel| (tunnel.created_at(), tunnel.id.1)),
    }
    if order.1 == "desc" {
        found.reverse();
    }
    let total = found.len();
    let page = || found.iter().skip(offset).take(limit);
    let entries: Vec<Value> = page().map(|tunnel| entry(tunnel)).collect();
    let ids: Vec<String> = page().map(|tunnel| tunnel.id.0.clone()).collect();
    let fault = if params.contains_key("vpnConnId") { None } else { state.page_fault(&ids) };
    match fault {
        Some(PageFault::Unlisted) => {
            return Ok(body(&json!({"code": 0, "message": "", "totalCount": total})));
        }
        Some(PageFault::Silent) => return Ok(Answer::Silence),
        None => {}
    }
    Ok(body(&json!({"code": 0, "message": "", "totalCount": total, "data": entries})))
}
