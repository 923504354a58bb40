//! `DescribeVpcTaskResult`.

use serde_json::{Map, Value, json};

use crate::simulator::behaviour::Behaviour;
use crate::simulator::cloud::Cloud;
use crate::simulator::state::Poll;

use super::answer::{Refused, Reply, refused};
use super::authorization::Call;
use super::record::Record;

/// Answers a call. No document says that the `RequestId` of a modification is a task: there are tunnels for which it is,
/// and tunnels for which it is not.
pub(super) fn describe(cloud: &Cloud, call: &Call<'_>, parameters: &Value) -> Result<Reply, Refused> {
    let id = Record::new("", parameters, &["TaskId"])?.required("TaskId")?;
    let now = cloud.clock.now();
    let mut state = cloud.state();
    let region = call.header("x-tc-region").to_owned();
    state.record_poll(Poll { received_at: now, api: "3.0", task_id: id.to_owned(), region });
    state.advance(now);
    let missing = || refused("ResourceNotFound", "the task does not exist");
    let task = state.tasks.get(id).ok_or_else(missing)?;
    let has_ended = task.ends_at.is_some_and(|end| end <= now);
    let (status, output) = match task.behaviour {
        Some(Behaviour::TaskForgotten) => return Err(missing()),
        Some(Behaviour::TaskUnknown) => {
            return Err(refused("InvalidParameterValue", "the value of TaskId is no task"));
        }
        Some(Behaviour::StrangeTaskStatus) => ("PAUSED", String::new()),
        Some(Behaviour::TaskFails) if has_ended => ("FAILED", "the peer gateway refused the proposal".into()),
        Some(Behaviour::TaskEchoesKey) if has_ended => {
            let key = task.change.key.as_deref().unwrap_or_default();
            ("FAILED", format!("the peer gateway refused PreShareKey \"{key}\""))
        }
        _ if has_ended => ("SUCCESS", "SUCCESS".into()),
        _ => ("RUNNING", String::new()),
    };
    let mut members = Map::new();
    members.insert("Status".into(), json!(status));
    members.insert("Output".into(), json!(output));
    members.insert("Result".into(), Value::Null);
    Ok(Reply::Members(members))
}
