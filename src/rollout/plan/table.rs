//! Reads CSV, as spreadsheets write it, into the same values as YAML: a line with the names of the columns, then a line for
//! each tunnel.

use csv::{ReaderBuilder, StringRecord, Trim};
use serde_json::Number;

use super::document::{Kind, Member, Node, PlanFault};

/// What a cell becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    Text,
    /// As written, blanks included.
    Secret,
    Number,
    Flag,
    /// Values separated by blanks.
    List,
}

const PATH: &str = "path";
const GENERATE: &str = "generate";

/// The columns of fields.
const FIELDS: &[(&str, Cell)] = &[
    ("name", Cell::Text),
    ("pre_shared_key", Cell::Secret),
    ("peer_cidrs", Cell::List),
    ("ike.version", Cell::Text),
    ("ike.encryption_algorithm", Cell::Text),
    ("ike.authentication_algorithm", Cell::Text),
    ("ike.exchange_mode", Cell::Text),
    ("ike.local_identity.type", Cell::Text),
    ("ike.local_identity.address", Cell::Text),
    ("ike.local_identity.fqdn", Cell::Text),
    ("ike.remote_identity.type", Cell::Text),
    ("ike.remote_identity.address", Cell::Text),
    ("ike.remote_identity.fqdn", Cell::Text),
    ("ike.dh_group", Cell::Text),
    ("ike.sa_lifetime_seconds", Cell::Number),
    ("ipsec.encryption_algorithm", Cell::Text),
    ("ipsec.integrity_algorithm", Cell::Text),
    ("ipsec.sa_lifetime_seconds", Cell::Number),
    ("ipsec.sa_lifetime_kilobytes", Cell::Number),
    ("ipsec.pfs_dh_group", Cell::Text),
    ("dpd.enabled", Cell::Flag),
    ("dpd.timeout_seconds", Cell::Number),
    ("dpd.action", Cell::Text),
    ("negotiation_type", Cell::Text),
    ("health_check.enabled", Cell::Flag),
    ("health_check.local_ip", Cell::Text),
    ("health_check.remote_ip", Cell::Text),
    ("health_check.interval_ms", Cell::Number),
    ("health_check.timeout_ms", Cell::Number),
    ("health_check.failure_threshold", Cell::Number),
    ("customer_gateway_id", Cell::Text),
    ("bgp.tunnel_cidr", Cell::Text),
    ("bgp.local_ip", Cell::Text),
    ("bgp.remote_ip", Cell::Text),
];

/// Reads a table.
///
/// # Errors
/// Every fault.
pub(super) fn read(text: &str) -> Result<Node, Vec<PlanFault>> {
    let (text, lines_before, separator) = separator(text);
    let mut reader = ReaderBuilder::new()
        .delimiter(separator)
        .has_headers(false)
        .flexible(true)
        .trim(Trim::None)
        .from_reader(text.as_bytes());
    let mut lines = Lines { text: text.as_bytes(), at: 0, line: 1 + lines_before };
    let mut faults = Vec::new();
    let mut columns: Option<Vec<String>> = None;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                // The message of the error could repeat a cell.
                let line = lines.of(error.position());
                faults.push(PlanFault::at(line, "", "is not CSV in UTF-8"));
                break;
            }
        };
        let line = lines.of(record.position());
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        match &columns {
            None => columns = Some(header(&record, line, &mut faults)),
            Some(columns) => rows.extend(row(columns, &record, line, &mut faults)),
        }
    }
    if columns.is_none() {
        faults.push(PlanFault { line: None, member: String::new(), detail: "the plan is empty".into() });
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let tunnels = Node { line: 1, kind: Kind::List(rows) };
    let member = Member { name: "tunnels".into(), line: 1, value: tunnels };
    Ok(Node { line: 1, kind: Kind::Map(vec![member]) })
}

/// Counts lines. The reader of CSV counts the line of a record that follows `\r\n` as the one before.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of the first cell at or after a position. Positions only grow.
    fn of(&mut self, position: Option<&csv::Position>) -> u64 {
        let start = position.and_then(|position| usize::try_from(position.byte()).ok()).unwrap_or_default();
        while let Some(byte) = self.text.get(self.at) {
            if self.at >= start && !b"\r\n".contains(byte) {
                break;
            }
            self.line += u64::from(*byte == b'\n');
            self.at += 1;
        }
        self.line
    }
}

/// The text of the table, the number of lines before it, and the separator of its columns: what `sep=` names in the first
/// line, else what the first line has most of.
fn separator(text: &str) -> (&str, u64, u8) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    if let Some(named) = first.trim_end().strip_prefix("sep=")
        && let [separator @ (b',' | b';' | b'\t')] = named.as_bytes()
    {
        return (rest, 1, *separator);
    }
    let count = |separator: u8| first.bytes().filter(|byte| *byte == separator).count();
    let most = [b',', b';', b'\t'].into_iter().rev().max_by_key(|separator| count(*separator));
    (text, 0, most.unwrap_or(b','))
}

/// The names of the columns.
fn header(record: &StringRecord, line: u64, faults: &mut Vec<PlanFault>) -> Vec<String> {
    let columns: Vec<String> = record.iter().map(|name| name.trim().to_owned()).collect();
    for (index, name) in columns.iter().enumerate() {
        let is_known =
            [PATH, GENERATE].contains(&name.as_str()) || FIELDS.iter().any(|(known, _)| known == name);
        if name.is_empty() {
            // Spreadsheets write empty columns at the end.
        } else if name == "security_policies" {
            faults.push(PlanFault::at(line, name, "does not fit into a cell: use YAML, or peer_cidrs"));
        } else if !is_known {
            let known: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
            let detail = format!("is not a column; the columns are: path, generate, {}", known.join(", "));
            faults.push(PlanFault::at(line, name, detail));
        } else if columns[..index].contains(name) {
            faults.push(PlanFault::at(line, name, "is given twice"));
        }
    }
    if !columns.iter().any(|name| name == PATH) {
        faults.push(PlanFault::at(line, PATH, "is required: the first line names the columns"));
    }
    columns
}

fn row(columns: &[String], record: &StringRecord, line: u64, faults: &mut Vec<PlanFault>) -> Option<Node> {
    if record.len() != columns.len() {
        let detail =
            format!("has {} cells, and the first line names {} columns", record.len(), columns.len());
        faults.push(PlanFault::at(line, "", detail));
        return None;
    }
    let mut entry = Vec::new();
    let mut patch = Vec::new();
    for (name, cell) in columns.iter().zip(record.iter()) {
        if cell.trim().is_empty() {
            continue;
        }
        if name.is_empty() {
            faults.push(PlanFault::at(line, "", "has a value in a column without a name"));
        } else if [PATH, GENERATE].contains(&name.as_str()) {
            entry.push(Member { name: name.clone(), line, value: Node::text(line, cell.trim()) });
        } else if let Some((_, kind)) = FIELDS.iter().find(|(known, _)| known == name) {
            match value(*kind, cell, line) {
                Ok(value) => put(&mut patch, name, value),
                Err(detail) => faults.push(PlanFault::at(line, name, detail)),
            }
        }
    }
    if !patch.is_empty() {
        entry.push(Member { name: "patch".into(), line, value: Node { line, kind: Kind::Map(patch) } });
    }
    Some(Node { line, kind: Kind::Map(entry) })
}

fn value(kind: Cell, cell: &str, line: u64) -> Result<Node, &'static str> {
    let trimmed = cell.trim();
    let kind = match kind {
        Cell::Text => return Ok(Node::text(line, trimmed)),
        Cell::Secret => return Ok(Node::text(line, cell)),
        Cell::Number => {
            Kind::Number(trimmed.parse::<u64>().map(Number::from).map_err(|_| "must be a whole number")?)
        }
        Cell::Flag if trimmed.eq_ignore_ascii_case("true") => Kind::Flag(true),
        Cell::Flag if trimmed.eq_ignore_ascii_case("false") => Kind::Flag(false),
        Cell::Flag => return Err("must be true or false"),
        Cell::List => Kind::List(trimmed.split_whitespace().map(|item| Node::text(line, item)).collect()),
    };
    Ok(Node { line, kind })
}

/// Puts a value at a dotted name.
fn put(members: &mut Vec<Member>, name: &str, value: Node) {
    let line = value.line;
    let Some((group, rest)) = name.split_once('.') else {
        members.push(Member { name: name.to_owned(), line, value });
        return;
    };
    let index = members.iter().position(|member| member.name == group).unwrap_or_else(|| {
        members.push(Member {
            name: group.to_owned(),
            line,
            value: Node { line, kind: Kind::Map(Vec::new()) },
        });
        members.len() - 1
    });
    if let Kind::Map(inner) = &mut members[index].value.kind {
        put(inner, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::patch::MEMBERS;

    #[test]
    fn every_field_but_the_policies_has_a_column() {
        for member in MEMBERS.iter().filter(|member| **member != "security_policies") {
            let is_column = |(name, _): &(&str, Cell)| name.split('.').next() == Some(member);
            assert!(FIELDS.iter().any(is_column), "{member}");
        }
    }

    #[test]
    fn cells_become_the_types_of_their_fields() {
        let text = "path;dpd.enabled;ike.sa_lifetime_seconds;peer_cidrs;pre_shared_key\n\
                    a/b/c;WAHR;1e3;10.0.0.0/8; key \na/b/d;TRUE;86400;10.0.0.0/8  10.1.0.0/16; key \n";
        let faults = read(text).err().expect("faults");
        let shown: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "line 2: dpd.enabled: must be true or false",
                "line 2: ike.sa_lifetime_seconds: must be a whole number"
            ]
        );
        let text = text.replace("WAHR", "FALSE").replace("1e3", "60");
        let node = read(&text).expect("a table");
        let json = node.to_json("", &mut BTreeMap::new());
        assert_eq!(
            json["tunnels"][1]["patch"],
            serde_json::json!({"dpd": {"enabled": true}, "ike": {"sa_lifetime_seconds": 86400},
                "peer_cidrs": ["10.0.0.0/8", "10.1.0.0/16"], "pre_shared_key": " key "})
        );
    }
}
