//! The report at the end: which tunnels are as asked, which are not, which were never sent.

use std::collections::HashMap;
use std::path::Path;

use serde_json::json;

use super::output::{Output, end_in_words};
use super::state::{State, Step};

/// The tunnels by how they ended, each with a sentence.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) as_asked: Vec<String>,
    pub(super) not_as_asked: Vec<(String, String)>,
    pub(super) never_sent: Vec<(String, String)>,
    /// Tunnels whose generated key is still in the state file.
    pub(super) keys: usize,
}

impl Report {
    /// The report of a state. `skipped`: tunnels that were left alone because of their pair, with the reason.
    pub(super) fn of(state: &State, skipped: &[(usize, String)]) -> Self {
        let mut report = Self::default();
        let mut reasons: HashMap<usize, &String> = HashMap::new();
        for (index, why) in skipped {
            reasons.entry(*index).or_insert(why);
        }
        for (index, entry) in state.tunnels.iter().enumerate() {
            let tunnel = entry.shown();
            report.keys += usize::from(entry.key.is_some());
            let skipped = reasons.get(&index).copied().cloned();
            match &entry.step {
                Step::Done { .. } => report.as_asked.push(tunnel),
                Step::Waiting | Step::Before => {
                    report.never_sent.push((tunnel, skipped.unwrap_or_else(|| "not begun".into())));
                }
                step @ (Step::BeforeFailed { .. } | Step::Refused { .. } | Step::NotSent { .. }) => {
                    report.never_sent.push((tunnel, end_in_words(step)));
                }
                step @ (Step::After { .. } | Step::Ended { .. } | Step::Lost { .. }) => {
                    report.not_as_asked.push((tunnel, end_in_words(step)));
                }
                Step::Sending { .. } => {
                    let more = skipped.map(|why| format!("; {why}")).unwrap_or_default();
                    report
                        .not_as_asked
                        .push((tunnel, format!("sent, and not known whether it arrived{more}")));
                }
                Step::Running { operation_id } => {
                    report.not_as_asked.push((tunnel, format!("operation {operation_id} has not ended")));
                }
            }
        }
        report
    }

    pub(super) fn is_whole(&self) -> bool {
        self.not_as_asked.is_empty() && self.never_sent.is_empty()
    }

    /// Shows the report.
    pub(super) fn show(&self, output: &Output, state: Option<&Path>, exit: u8) {
        let list = |tunnels: &[(String, String)]| -> Vec<_> {
            tunnels.iter().map(|(tunnel, why)| json!({"tunnel": tunnel, "why": why})).collect()
        };
        let object = json!({
            "event": "report", "exit_code": exit, "as_asked": self.as_asked, "not_as_asked": list(&self.not_as_asked),
            "never_sent": list(&self.never_sent), "state": state, "keys_in_state": self.keys,
        });
        let (good, bad, rest) = (self.as_asked.len(), self.not_as_asked.len(), self.never_sent.len());
        output.say(&format!("{good} as asked, {bad} not as asked, {rest} never sent"), &object);
        for (title, tunnels) in [("not as asked", &self.not_as_asked), ("never sent", &self.never_sent)] {
            for (tunnel, why) in tunnels {
                output.note(&format!("{title}: {tunnel}: {why}"));
            }
        }
        if let (Some(state), true) = (state, self.keys > 0) {
            output.note(&format!(
                "{} has the generated keys of {} tunnels that are not done: keep it secret and do not lose it",
                state.display(),
                self.keys
            ));
        }
    }
}
