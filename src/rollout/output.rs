//! What a rollout says while it runs: a progress bar on a terminal, lines elsewhere, or one JSON object a line for programs.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use crate::domain::ids::TunnelPath;
use crate::domain::text::is_plain_character;

use super::state::Step;
use super::survey::{Refusal, Seen};

/// The longest value in the table, in characters.
const MAX_VALUE: usize = 60;

/// The bar. It fits into 40 columns, because a line that the terminal wraps can't be drawn again; the message takes the rest.
const BAR: &str = "{bar:10} {pos}/{len} tunnels, {elapsed}  {wide_msg}";

/// Where and how progress is shown.
pub(super) struct Output {
    is_json: bool,
    bar: ProgressBar,
}

/// The text of a path, as a plan has it.
pub(super) fn shown_path(path: &TunnelPath) -> String {
    format!("{}/{}/{}", path.vpc_id, path.gateway_id, path.tunnel_id)
}

impl Output {
    /// With a bar of `total` steps if standard error is a terminal.
    pub(super) fn new(is_json: bool) -> Self {
        let has_bar = !is_json && std::io::stderr().is_terminal();
        let target = if has_bar { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) = ProgressStyle::with_template(BAR) {
            bar.set_style(style);
        }
        Self { is_json, bar }
    }

    /// Shows a line, or its object to programs.
    pub(super) fn say(&self, line: &str, object: &Value) {
        let text = if self.is_json { object.to_string() } else { plain(line) };
        // Nobody reads any more: the rollout goes on.
        self.bar.suspend(|| {
            let _ = writeln!(std::io::stdout(), "{text}");
        });
    }

    /// A line for people only.
    pub(super) fn note(&self, line: &str) {
        if !self.is_json {
            self.say(line, &Value::Null);
        }
    }

    /// The table of the dry run.
    pub(super) fn table<'a>(&self, rows: impl Iterator<Item = (&'a TunnelPath, &'a Seen)> + Clone) {
        let width = rows.clone().map(|(path, _)| shown_path(path).chars().count()).max().unwrap_or(0);
        for (path, seen) in rows {
            let tunnel = shown_path(path);
            if self.is_json {
                let field = |field: &super::gateway::Field| {
                    json!({"pointer": field.pointer, "current": field.current, "wanted": field.wanted,
                        "differs": field.differs})
                };
                let fields: Vec<Value> = seen.fields.iter().map(field).collect();
                self.say("", &json!({"event": "dry_run", "tunnel": tunnel, "fields": fields}));
                continue;
            }
            if seen.is_as_asked() {
                self.note(&format!("{tunnel:width$}  as asked already"));
            }
            for field in seen.fields.iter().filter(|field| field.differs != Some(false)) {
                let member = field.pointer.trim_start_matches('/').replace('/', ".");
                let (current, wanted) = (value(&field.current), value(&field.wanted));
                self.note(&format!("{tunnel:width$}  {member}: {current} → {wanted}"));
            }
        }
    }

    /// Refusals of the dry run.
    pub(super) fn refused(&self, path: &TunnelPath, refusals: &[Refusal]) {
        let tunnel = shown_path(path);
        for refusal in refusals {
            let line = refusal.line.map(|line| format!("line {line}, ")).unwrap_or_default();
            self.say(
                &format!("refused: {line}{tunnel}: {}", refusal.detail),
                &json!({"event": "refused", "tunnel": tunnel, "line": refusal.line, "detail": refusal.detail}),
            );
        }
    }

    /// A change that can't be rolled back.
    pub(super) fn irreversible(&self, tunnel: &str, detail: &str) {
        self.say(
            &format!("not rolled back: {tunnel}: {detail}"),
            &json!({"event": "irreversible", "tunnel": tunnel, "detail": detail}),
        );
    }

    /// The dry run begins. Thousands of tunnels take minutes.
    pub(super) fn begin_dry_run(&self, total: usize) {
        self.bar.set_length(count(total));
        self.bar.set_message("dry run");
    }

    /// The dry run of one tunnel is over.
    pub(super) fn looked(&self) {
        self.bar.inc(1);
    }

    /// Shows how many tunnels there are, and how many of them are done.
    pub(super) fn begin(&self, total: usize, done: usize) {
        self.bar.reset();
        self.bar.set_length(count(total));
        self.bar.set_position(count(done));
    }

    /// A batch begins.
    pub(super) fn batch<'a>(&self, number: usize, tunnels: impl Iterator<Item = &'a TunnelPath>) {
        let tunnels: Vec<String> = tunnels.map(shown_path).collect();
        let text = format!("batch {number}: {} tunnels", tunnels.len());
        self.bar.set_message(text.clone());
        if self.bar.is_hidden() {
            self.say(&text, &json!({"event": "batch", "number": number, "tunnels": tunnels}));
        }
    }

    /// A tunnel takes a step.
    pub(super) fn step(&self, path: &TunnelPath, step: &Step) {
        let (word, is_end, is_trouble) = word(step);
        if is_end {
            self.bar.inc(1);
        }
        if self.bar.is_hidden() || is_trouble {
            let tunnel = shown_path(path);
            self.say(&format!("{tunnel}: {word}"), &json!({"event": "step", "tunnel": tunnel, "step": step}));
        }
    }

    /// A tunnel can't be followed.
    pub(super) fn trouble(&self, tunnel: &str, detail: &str) {
        let object = json!({"event": "trouble", "tunnel": tunnel, "detail": detail});
        self.say(&format!("{tunnel}: not known how it ends: {detail}"), &object);
    }

    /// No more progress follows.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// A step in words; whether it is the last one of a tunnel; whether it is trouble.
fn word(step: &Step) -> (String, bool, bool) {
    match step {
        Step::Waiting => ("waiting".into(), false, false),
        Step::Before => ("prepared".into(), false, false),
        Step::BeforeFailed { detail } => (format!("left alone: {detail}"), true, true),
        Step::Refused { detail } => (format!("refused, nothing was done: {detail}"), true, true),
        Step::NotSent { detail } => (format!("not sent: {detail}"), true, true),
        Step::Sending { .. } => ("sending".into(), false, false),
        Step::Running { operation_id } => (format!("running as operation {operation_id}"), false, false),
        Step::After { failed: None, .. } => ("succeeded; --after runs".into(), false, false),
        Step::After { failed: Some(detail), .. } => (format!("succeeded, but {detail}"), true, true),
        Step::Done { operation_id: Some(_) } => ("succeeded".into(), true, false),
        Step::Done { operation_id: None } => ("as asked already".into(), true, false),
        Step::Ended { status, detail, operation_id } => {
            (format!("{status}: {detail} (operation {operation_id})"), true, true)
        }
        Step::Lost { detail } => (format!("not known: {detail}"), true, true),
    }
}

/// How a tunnel ended, in words.
pub(super) fn end_in_words(step: &Step) -> String {
    word(step).0
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The text without what controls a terminal. Names and messages come from the cloud.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|character| if is_plain_character(character) { character } else { '\u{fffd}' }).collect()
}

/// A value of the table.
fn value(value: &Value) -> String {
    let text = match value {
        Value::Null => "not shown".to_owned(),
        Value::String(text) => text.clone(),
        Value::Object(members) if members.contains_key("hmac_sha256") => "***".to_owned(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    };
    let mut short: String = text.chars().take(MAX_VALUE).collect();
    if short.len() < text.len() {
        let _ = write!(short, "…");
    }
    short
}
