//! The answers of API 3.0.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::simulator::answer::Answer;

/// What an action answers.
pub(super) enum Reply {
    /// These members of `Response`.
    Members(Map<String, Value>),
    /// Something that is no answer of the API.
    Other(Answer),
}

/// An answer with this JSON.
pub(super) fn body(value: &Value) -> Answer {
    let code = value.pointer("/Response/Error/Code").or_else(|| value.get("code"));
    let summary = match code {
        Some(Value::String(code)) => code.clone(),
        Some(code) => format!("code {code}"),
        None => "accepted".into(),
    };
    Answer::Body { content_type: "application/json", text: value.to_string(), summary }
}

/// The envelope around the members of an answer.
pub(super) fn response(mut members: Map<String, Value>, request_id: &str) -> Value {
    members.insert("RequestId".into(), json!(request_id));
    json!({"Response": members})
}

/// A refusal: the cloud's error code and message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) code: &'static str,
    pub(super) message: Cow<'static, str>,
}

pub(super) fn refused(code: &'static str, message: impl Into<Cow<'static, str>>) -> Refused {
    Refused { code, message: message.into() }
}

impl Refused {
    pub(super) fn answer(&self, request_id: &str) -> Answer {
        let error = json!({"Code": self.code, "Message": self.message});
        body(&json!({"Response": {"Error": error, "RequestId": request_id}}))
    }
}
