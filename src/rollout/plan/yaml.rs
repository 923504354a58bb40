//! Reads YAML 1.2 into values with lines. One document, without tags; names are not repeated. Anchors and aliases work.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle};
use serde_json::Number;

use super::document::{Kind, Member, Node, PlanFault};

/// The deepest nesting.
const MAX_DEPTH: usize = 16;
/// The largest number of values, those that aliases repeat included.
const MAX_VALUES: usize = 500_000;

/// A list or mapping whose end is not read yet.
enum Open {
    List { line: u64, anchor: usize, items: Vec<Node> },
    Map { line: u64, anchor: usize, members: Vec<Member>, name: Option<(String, u64)> },
}

struct Reader {
    open: Vec<Open>,
    root: Option<Node>,
    anchored: HashMap<usize, Node>,
    values: usize,
    faults: Vec<PlanFault>,
}

/// Reads a document.
///
/// # Errors
/// Every fault up to the first one after which the rest can't be read.
pub(super) fn read(text: &str) -> Result<Node, Vec<PlanFault>> {
    let mut reader =
        Reader { open: Vec::new(), root: None, anchored: HashMap::new(), values: 0, faults: Vec::new() };
    for read in Parser::new_from_str(text) {
        let step = match read {
            Ok((event, span)) => reader.take(event, line(span.start.line())),
            // The parser's messages name its rules, not the text.
            Err(error) => {
                Err(PlanFault::at(line(error.marker().line()), "", format!("is not YAML: {}", error.kind())))
            }
        };
        if let Err(fatal) = step {
            reader.faults.push(fatal);
            return Err(reader.faults);
        }
    }
    match reader.root {
        Some(root) if reader.faults.is_empty() => Ok(root),
        Some(_) => Err(reader.faults),
        None => {
            let detail = "the plan is empty".to_owned();
            reader.faults.push(PlanFault { line: None, member: String::new(), detail });
            Err(reader.faults)
        }
    }
}

fn line(line: usize) -> u64 {
    u64::try_from(line).unwrap_or(u64::MAX)
}

impl Reader {
    /// Takes the parser's next event. An error ends the reading.
    fn take(&mut self, event: Event<'_>, line: u64) -> Result<(), PlanFault> {
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(PlanFault::at(line, "", "a plan is one document; a second one begins here"))
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.is_some(), line);
                if let Some(Open::Map { name: name @ None, .. }) = self.open.last_mut() {
                    *name = Some((text.into_owned(), line));
                    return Ok(());
                }
                let kind = match style {
                    ScalarStyle::Plain => plain(&text),
                    _ => Node::text(line, &text).kind,
                };
                self.place(Node { line, kind }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), line);
                self.begin(Open::List { line, anchor, items: Vec::new() }, line)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), line);
                self.begin(Open::Map { line, anchor, members: Vec::new(), name: None }, line)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { line, anchor, items }) => {
                    self.place(Node { line, kind: Kind::List(items) }, anchor)
                }
                Some(Open::Map { line, anchor, members, .. }) => {
                    self.place(Node { line, kind: Kind::Map(members) }, anchor)
                }
                None => Err(PlanFault::at(line, "", "is not YAML: an end without a beginning")),
            },
            Event::Alias(anchor) => match self.anchored.get(&anchor).cloned() {
                Some(node) => {
                    self.count(node.size(), line)?;
                    self.put(node)
                }
                None => Err(PlanFault::at(line, "", "an alias must not be inside the value that it names")),
            },
            _ => Ok(()),
        }
    }

    fn refuse_tag(&mut self, has_tag: bool, line: u64) {
        if has_tag {
            self.faults.push(PlanFault::at(line, "", "tags (!…) have no meaning in a plan"));
        }
    }

    fn begin(&mut self, open: Open, line: u64) -> Result<(), PlanFault> {
        if matches!(self.open.last(), Some(Open::Map { name: None, .. })) {
            return Err(PlanFault::at(line, "", "the name of a member must be text"));
        }
        if self.open.len() == MAX_DEPTH {
            return Err(PlanFault::at(line, "", format!("is nested more than {MAX_DEPTH} deep")));
        }
        self.open.push(open);
        Ok(())
    }

    fn count(&mut self, values: usize, line: u64) -> Result<(), PlanFault> {
        self.values = self.values.saturating_add(values);
        if self.values > MAX_VALUES {
            return Err(PlanFault::at(line, "", format!("a plan has at most {MAX_VALUES} values")));
        }
        Ok(())
    }

    /// Puts a new value where it belongs, and keeps it for aliases.
    fn place(&mut self, node: Node, anchor: usize) -> Result<(), PlanFault> {
        self.count(1, node.line)?;
        if anchor != 0 {
            self.count(node.size(), node.line)?;
            self.anchored.insert(anchor, node.clone());
        }
        self.put(node)
    }

    fn put(&mut self, node: Node) -> Result<(), PlanFault> {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { members, name, .. }) => {
                let Some((name, line)) = name.take() else {
                    return Err(PlanFault::at(node.line, "", "the name of a member must be text"));
                };
                match members.iter().find(|member| member.name == name) {
                    Some(first) => {
                        let detail = format!("is given twice, first in line {}", first.line);
                        self.faults.push(PlanFault::at(line, name, detail));
                    }
                    None => members.push(Member { name, line, value: node }),
                }
            }
        }
        Ok(())
    }
}

/// A scalar without quotation marks, by the core schema of YAML 1.2. A number with leading zeros is a text: digits of a key
/// must not get lost.
fn plain(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
        "true" | "True" | "TRUE" => return Kind::Flag(true),
        "false" | "False" | "FALSE" => return Kind::Flag(false),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let has_leading_zero = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b));
    if is_number && !has_leading_zero {
        if let Ok(whole) = text.parse::<u64>() {
            return Kind::Number(whole.into());
        }
        if let Some(number) = text.parse::<f64>().ok().and_then(Number::from_f64) {
            return Kind::Number(number);
        }
    }
    Node::text(0, text).kind
}
