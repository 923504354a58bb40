//! The answers of API 2.0.

use serde_json::{Value, json};

use crate::simulator::answer::Answer;

/// An answer with this JSON.
pub(super) fn body(value: &Value) -> Answer {
    Answer::Body {
        content_type: "text/html; charset=utf-8",
        // The cloud's samples escape slashes.
        text: value.to_string().replace('/', "\\/"),
        summary: format!("code {}", value.get("code").unwrap_or(&Value::Null)),
    }
}

/// A refusal: the cloud's error code and message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) code: i64,
    pub(super) code_desc: Option<&'static str>,
    pub(super) message: String,
}

/// A refusal without a `codeDesc`.
pub(super) fn refused(code: i64, message: impl Into<String>) -> Refused {
    Refused { code, code_desc: None, message: message.into() }
}

impl From<Refused> for Answer {
    fn from(refusal: Refused) -> Self {
        let mut answer = json!({"code": refusal.code, "message": refusal.message});
        if let Some(code_desc) = refusal.code_desc {
            answer["codeDesc"] = json!(code_desc);
        }
        body(&answer)
    }
}
