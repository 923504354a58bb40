//! `DescribeVpnConnections`.

use serde_json::{Map, Value, json};

use crate::simulator::answer::{Answer, HTTP_500};
use crate::simulator::behaviour::{Behaviour, Lists};
use crate::simulator::cloud::Cloud;
use crate::simulator::state::{PageFault, State};
use crate::simulator::tunnel::Tunnel;

use super::answer::{Refused, Reply, refused};
use super::record::Record;
use super::tunnel::connection;

const MAX_IDS: usize = 100;
const MAX_FILTERS: usize = 10;
const MAX_VALUES: usize = 5;
const MAX_LIMIT: u32 = 100;

const CONNECTION_ID: &str = "vpn-connection-id";
const FILTERS: &[&str] =
    &["vpc-id", "vpn-gateway-id", "customer-gateway-id", "vpn-connection-name", CONNECTION_ID];

/// A filter: the field's name, and the values of which it has to have one.
struct Filter<'a> {
    name: &'a str,
    values: Vec<&'a str>,
}

impl Filter<'_> {
    fn lets_through(&self, tunnel: &Tunnel) -> bool {
        let value = match self.name {
            "vpc-id" => tunnel.vpc.0,
            "vpn-gateway-id" => &tunnel.gateway.0,
            "customer-gateway-id" => &tunnel.customer_gateway,
            "vpn-connection-name" => &tunnel.name,
            _ => &tunnel.id.0,
        };
        self.values.contains(&value)
    }
}

/// Answers a call.
pub(super) fn describe(cloud: &Cloud, parameters: &Value) -> Result<Reply, Refused> {
    let body = Record::new("", parameters, &["VpnConnectionIds", "Filters", "Offset", "Limit"])?;
    let ids = body.texts("VpnConnectionIds", MAX_IDS)?;
    let filters = body.list("Filters", MAX_FILTERS)?.map(read_filters).transpose()?;
    let offset = body.integer("Offset", 0..=u32::MAX)?.unwrap_or(0);
    let limit = body.integer("Limit", 0..=MAX_LIMIT)?.unwrap_or(20);
    if ids.is_some() && filters.is_some() {
        let message = "VpnConnectionIds and Filters cannot be given together";
        return Err(refused("InvalidParameter.Coexist", message));
    }
    let filters = filters.unwrap_or_default();
    let mut state = cloud.state();
    let of_gateway = |filter: &Filter<'_>| filter.name == "vpn-gateway-id" || filter.name == CONNECTION_ID;
    if state.may_list_gateways_only && ids.is_none() && !filters.iter().any(of_gateway) {
        return Err(refused("UnauthorizedOperation", "not authorized to list all tunnels"));
    }
    state.advance(cloud.clock.now());
    let named = match (&ids, filters.iter().find(|filter| filter.name == CONNECTION_ID)) {
        (Some(ids), _) => ids.clone(),
        (None, Some(filter)) => filter.values.clone(),
        (None, None) => Vec::new(),
    };
    let gateways = filters.iter().filter(|filter| filter.name == "vpn-gateway-id");
    gateways.flat_map(|filter| &filter.values).for_each(|gateway| state.prepare_gateway(gateway));
    // Creates the tunnels of a load test at their first read.
    let known: Vec<Option<String>> = named.iter().map(|id| state.find_unified(id)).collect();
    if ids.is_some() && known.iter().any(Option::is_none) {
        return Err(refused("ResourceNotFound", "a VPN connection does not exist"));
    }
    if let [id] = named.as_slice()
        && let Some(reply) = misread(&state, id)
    {
        return reply;
    }
    if ids.is_none() && filters.is_empty() && state.lists == Lists::NotWhole {
        return Err(refused("UnauthorizedOperation", "not authorized to list the tunnels of the account"));
    }
    let is_unfiltered = state.lists == Lists::Unfiltered;
    let is_named = |tunnel: &Tunnel| ids.as_ref().is_none_or(|ids| ids.contains(&tunnel.id.0.as_str()));
    let is_wanted = |tunnel: &&Tunnel| {
        is_unfiltered || is_named(tunnel) && filters.iter().all(|filter| filter.lets_through(tunnel))
    };
    let mut filters = filters.iter().filter(|_| !is_unfiltered);
    let gateway = filters.find(|filter| filter.name == "vpn-gateway-id" && filter.values.len() == 1);
    let candidates = state.candidates(gateway.map(|filter| filter.values[0]));
    let mut found: Vec<&Tunnel> = candidates.into_iter().filter(is_wanted).collect();
    found.sort_by_key(|tunnel| std::cmp::Reverse((tunnel.created_at(), tunnel.id.1)));
    let page = || found.iter().skip(offset as usize).take(limit as usize);
    let entries = page().map(|tunnel| connection(tunnel)).collect();
    let page: Vec<String> = page().map(|tunnel| tunnel.id.0.clone()).collect();
    let mut members = Map::new();
    members.insert("TotalCount".into(), json!(found.len()));
    match if named.is_empty() { state.page_fault(&page) } else { None } {
        Some(PageFault::Unlisted) => {}
        Some(PageFault::Silent) => return Ok(Reply::Other(Answer::Silence)),
        None => drop(members.insert("VpnConnectionSet".into(), entries)),
    }
    Ok(Reply::Members(members))
}

fn read_filters(items: &[Value]) -> Result<Vec<Filter<'_>>, Refused> {
    let filter = |(index, item)| {
        let record = Record::new(&format!("Filters.{index}"), item, &["Name", "Values"])?;
        let name = record.required("Name")?;
        if !FILTERS.contains(&name) {
            return Err(refused("InvalidParameter.FilterInvalidKey", format!("there is no filter {name}")));
        }
        let values = record.texts("Values", MAX_VALUES)?.ok_or_else(|| record.missing("Values"))?;
        Ok(Filter { name, values })
    };
    items.iter().enumerate().map(filter).collect()
}

/// What a read of this tunnel alone gets instead of an answer.
fn misread(state: &State, id: &str) -> Option<Result<Reply, Refused>> {
    let tunnel = state.tunnels.get(id)?;
    match tunnel.behaviour()? {
        Behaviour::Unreadable => Some(Ok(Reply::Other(HTTP_500))),
        Behaviour::UnreadableAfter if tunnel.attempts > 0 => Some(Ok(Reply::Other(HTTP_500))),
        Behaviour::AlwaysRateLimited => {
            Some(Err(refused("RequestLimitExceeded", "more requests than the limit allows")))
        }
        _ => None,
    }
}
