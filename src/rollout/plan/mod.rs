//! Plans: which tunnels to change, and how. A plan is YAML or CSV; reading it gives the plan, or all its faults with lines.

mod document;
mod table;
mod yaml;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use secrecy::zeroize::{Zeroize, Zeroizing};
use serde_json::{Map, Value};

use crate::domain::api::Api;
use crate::domain::cidr::Ipv4Cidr;
use crate::domain::ids::{GatewayId, TunnelPath, VpcId};
use crate::domain::patch::{Patch, Ranges, Requirements};
use crate::domain::secret::PreSharedKey;

pub use document::PlanFault;
use document::{Kind, Member, Node};

/// The largest plan, in bytes.
pub const MAX_PLAN: usize = 8 * 1024 * 1024;
/// The largest number of tunnels in a rollout.
pub const MAX_TUNNELS: usize = 10_000;

const KEY: &str = "pre_shared_key";

/// The format of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Yaml,
    Csv,
}

impl Format {
    /// The format that the name of a file says: CSV for `.csv`, else YAML.
    #[must_use]
    pub fn of(file: &Path) -> Self {
        match file.extension() {
            Some(extension) if extension.eq_ignore_ascii_case("csv") => Self::Csv,
            _ => Self::Yaml,
        }
    }
}

/// The pre-shared key that a change sets.
#[derive(Debug, Clone)]
pub enum Key {
    Unchanged,
    Given(PreSharedKey),
    /// A new random key for each tunnel.
    Generated,
}

/// What a plan asks of a tunnel.
#[derive(Debug, Clone)]
pub struct Change {
    /// The patch without the pre-shared key.
    pub patch: Map<String, Value>,
    pub key: Key,
    /// The ranges on the peer's side that the patch sets; `None` if it sets none.
    pub peer_ranges: Option<Vec<Ipv4Cidr>>,
    /// The line of each member of the patch, by its JSON pointer.
    lines: BTreeMap<String, u64>,
    /// The line of the change.
    line: u64,
}

impl Change {
    /// The line of a JSON pointer into the patch, or of what contains it.
    #[must_use]
    pub fn line_of(&self, pointer: &str) -> u64 {
        let mut pointer = pointer;
        loop {
            if let Some(line) = self.lines.get(pointer) {
                return *line;
            }
            match pointer.rsplit_once('/') {
                Some((outer, _)) => pointer = outer,
                None => return self.line,
            }
        }
    }

    #[must_use]
    pub const fn changes_key(&self) -> bool {
        !matches!(self.key, Key::Unchanged)
    }
}

/// A plan.
#[derive(Debug, Clone)]
pub enum Plan {
    /// The tunnels in the order of the plan, each with its change.
    Listed(Vec<(TunnelPath, Change)>),
    /// One change for all tunnels of some gateways.
    Selected { vpc: VpcId, gateways: Vec<GatewayId>, change: Box<Change> },
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// Every fault.
    pub fn read(bytes: &[u8], format: Format) -> Result<Self, Vec<PlanFault>> {
        let fault = |detail: String| vec![PlanFault { line: None, member: String::new(), detail }];
        if bytes.len() > MAX_PLAN {
            return Err(fault(format!("a plan has at most {MAX_PLAN} bytes")));
        }
        // Excel marks UTF-8 with a byte order mark.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes)
            .map_err(|_| fault("is not UTF-8; save it as UTF-8 (Excel: CSV UTF-8)".into()))?;
        let root = match format {
            Format::Yaml => yaml::read(text)?,
            Format::Csv => table::read(text)?,
        };
        let mut reader = Reader::default();
        let plan = reader.plan(&root);
        match plan {
            Some(plan) if reader.0.is_empty() => Ok(plan),
            _ => {
                reader.0.sort();
                reader.0.dedup();
                Err(reader.0)
            }
        }
    }
}

/// Reads the members of a plan and collects their faults.
#[derive(Default)]
struct Reader(Vec<PlanFault>);

impl Reader {
    fn fault(&mut self, line: u64, member: &str, detail: impl Into<String>) {
        self.0.push(PlanFault::at(line, member, detail));
    }

    fn plan(&mut self, root: &Node) -> Option<Plan> {
        let members = self.members(root, "", &["tunnels", "selector", "patch", "generate"])?;
        match (find(members, "tunnels"), find(members, "selector")) {
            (Some(_), Some(selector)) => {
                self.fault(selector.line, "selector", "is not allowed beside tunnels: give one of both");
                None
            }
            (None, None) => {
                self.fault(root.line, "", "must have tunnels, or a selector with a patch");
                None
            }
            (Some(tunnels), None) => {
                for name in ["patch", "generate"] {
                    if let Some(member) = find(members, name) {
                        self.fault(
                            member.line,
                            name,
                            "is allowed only with a selector; give each tunnel its own",
                        );
                    }
                }
                self.tunnels(&tunnels.value)
            }
            (None, Some(selector)) => self.selected(&selector.value, members, root.line),
        }
    }

    /// The members of a mapping. Adds a fault for each unknown one.
    fn members<'a>(&mut self, node: &'a Node, place: &str, known: &[&str]) -> Option<&'a [Member]> {
        let Kind::Map(members) = &node.kind else {
            self.fault(node.line, place, format!("must be a mapping with {}", known.join(", ")));
            return None;
        };
        for member in members.iter().filter(|member| !known.contains(&member.name.as_str())) {
            let detail = format!("is not known here; known are: {}", known.join(", "));
            self.fault(member.line, &member.name, detail);
        }
        Some(members)
    }

    fn tunnels(&mut self, node: &Node) -> Option<Plan> {
        let Kind::List(items) = &node.kind else {
            self.fault(node.line, "tunnels", "must be a list");
            return None;
        };
        if items.is_empty() || items.len() > MAX_TUNNELS {
            self.fault(node.line, "tunnels", format!("must name 1 to {MAX_TUNNELS} tunnels"));
        }
        let mut first: HashMap<TunnelPath, u64> = HashMap::new();
        let mut tunnels = Vec::new();
        for item in items {
            let Some(members) = self.members(item, "", &["path", "patch", "generate"]) else { continue };
            let path = match find(members, "path") {
                Some(member) => self.path(member),
                None => {
                    self.fault(item.line, "path", "is required");
                    None
                }
            };
            let change = self.change(members, item.line);
            let Some(path) = path else { continue };
            if let Some(line) = first.get(&path) {
                self.fault(
                    item.line,
                    "path",
                    format!("the plan has this tunnel twice, first in line {line}"),
                );
                continue;
            }
            first.insert(path.clone(), item.line);
            tunnels.extend(change.map(|change| (path, change)));
        }
        Some(Plan::Listed(tunnels))
    }

    fn path(&mut self, member: &Member) -> Option<TunnelPath> {
        let text = match &member.value.kind {
            Kind::Text(text) => text.as_str(),
            _ => "",
        };
        let parts: Vec<&str> = text.split('/').collect();
        let path = match parts.as_slice() {
            [vpc, gateway, tunnel] => path(vpc, gateway, tunnel),
            _ => None,
        };
        if path.is_none() {
            self.fault(
                member.line,
                "path",
                "must be the ids of VPC, gateway and tunnel, such as vpc-03vihbk9/vpngw-kfldykuz/vpnx-ol6bcqp0",
            );
        }
        path
    }

    fn selected(&mut self, selector: &Node, members: &[Member], line: u64) -> Option<Plan> {
        let inner = self.members(selector, "selector", &["vpc_id", "gateway_id"]);
        let inner = inner.unwrap_or_default();
        let ids = |member: Option<&Member>| -> Vec<String> {
            let texts = match member.map(|member| &member.value.kind) {
                Some(Kind::List(items)) => items.iter().map(text).collect(),
                Some(_) => member.map(|member| text(&member.value)).into_iter().collect(),
                None => Vec::new(),
            };
            texts.into_iter().map(Option::unwrap_or_default).collect()
        };
        let (vpc, gateway) = (find(inner, "vpc_id"), find(inner, "gateway_id"));
        let line_of = |member: Option<&Member>| member.map_or(selector.line, |member| member.line);
        let vpc_id = vpc.and_then(|member| text(&member.value)?.parse::<VpcId>().ok());
        if vpc_id.is_none() {
            self.fault(line_of(vpc), "selector.vpc_id", "must be the id of a VPC");
        }
        let given = ids(gateway);
        let gateways: Vec<GatewayId> = given.iter().filter_map(|id| id.parse().ok()).collect();
        if given.is_empty() || gateways.len() < given.len() {
            self.fault(
                line_of(gateway),
                "selector.gateway_id",
                "must be the id of a gateway, or a list of such ids",
            );
        }
        let change = self.change(members, line);
        Some(Plan::Selected { vpc: vpc_id?, gateways, change: Box::new(change?) })
    }

    /// The change that `patch` and `generate` describe.
    fn change(&mut self, members: &[Member], line: u64) -> Option<Change> {
        let (patch, generate) = (find(members, "patch"), find(members, "generate"));
        let is_generated = match generate {
            None => false,
            Some(member) if text(&member.value).as_deref() == Some(KEY) => true,
            Some(member) => {
                self.fault(
                    member.line,
                    "generate",
                    format!("must be {KEY}, the only field that can be generated"),
                );
                false
            }
        };
        let mut lines = BTreeMap::new();
        let mut document = match patch {
            Some(member) => member.value.to_json("", &mut lines),
            None => Value::Object(Map::new()),
        };
        let change =
            self.read_patch(&mut document, is_generated, lines, patch.map_or(line, |patch| patch.line));
        if change.is_none() {
            wipe(&mut document);
        }
        change
    }

    fn read_patch(
        &mut self,
        document: &mut Value,
        is_generated: bool,
        lines: BTreeMap<String, u64>,
        line: u64,
    ) -> Option<Change> {
        let Value::Object(patch) = document else {
            self.fault(line, "patch", "must be a mapping with the fields to change");
            return None;
        };
        if is_generated {
            if patch.contains_key(KEY) {
                self.fault(line, KEY, "is given and generated: give one of both");
            }
            patch.insert(KEY.into(), Value::String("generated".into()));
        }
        // Which API the account speaks shows in the dry run; API 3.0 takes every field.
        let requirements = Requirements { api: Api::V3, groups_go_together: false };
        let mut whole = Change { patch: Map::new(), key: Key::Unchanged, peer_ranges: None, lines, line };
        match Patch::parse(document, requirements) {
            Ok(parsed) => {
                if let Value::Object(patch) = document {
                    if let Some(Value::String(mut text)) = patch.remove(KEY) {
                        text.zeroize();
                    }
                    whole.patch = std::mem::take(patch);
                }
                whole.key = match parsed.pre_shared_key {
                    _ if is_generated => Key::Generated,
                    Some(key) => Key::Given(key),
                    None => Key::Unchanged,
                };
                whole.peer_ranges = parsed.ranges.map(|ranges| match ranges {
                    Ranges::PeerCidrs(peers) => peers,
                    Ranges::SecurityPolicies(policies) => {
                        policies.into_iter().flat_map(|policy| policy.peer_cidrs).collect()
                    }
                });
                Some(whole)
            }
            Err(faults) => {
                for fault in faults {
                    let member = fault.pointer.trim_start_matches('/').replace('/', ".");
                    let mut detail = fault.detail;
                    if member == KEY && fault.code == "wrong_type" {
                        detail.push_str(": put it between quotation marks");
                    }
                    self.fault(whole.line_of(&fault.pointer), &member, detail);
                }
                None
            }
        }
    }
}

fn find<'a>(members: &'a [Member], name: &str) -> Option<&'a Member> {
    members.iter().find(|member| member.name == name)
}

fn text(node: &Node) -> Option<String> {
    match &node.kind {
        Kind::Text(text) => Some(text.to_string()),
        _ => None,
    }
}

/// The path of three ids.
#[must_use]
pub fn path(vpc: &str, gateway: &str, tunnel: &str) -> Option<TunnelPath> {
    Some(TunnelPath {
        vpc_id: vpc.parse().ok()?,
        gateway_id: gateway.parse().ok()?,
        tunnel_id: tunnel.parse().ok()?,
    })
}

/// Wipes the texts of a document: one of them may be a pre-shared key.
fn wipe(document: &mut Value) {
    match document {
        Value::String(text) => drop(Zeroizing::new(std::mem::take(text))),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests;
