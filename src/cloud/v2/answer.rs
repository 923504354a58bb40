//! The cloud's answers, read tolerantly and masked first: numbers come as texts, `code` may be either, and the
//! pre-shared key is echoed in clear.

use std::fmt;

use secrecy::zeroize::Zeroize;
use serde_json::Value;

use crate::domain::secret::PreSharedKey;

use crate::cloud::mask::{cleaned, cleaned_code, tidy};

/// The body is not an answer of the cloud: never a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

/// An answer without its secrets.
pub(super) struct Answer {
    pub(super) code: String,
    pub(super) code_desc: Option<String>,
    pub(super) message: Option<String>,
    /// The whole body. Each secret is replaced with its index in `keys`.
    root: Value,
    keys: Vec<PreSharedKey>,
}

impl Answer {
    /// Parses a body. `sent` are the secrets of the call, in case the cloud echoes them.
    pub(super) fn read(body: &[u8], sent: &[&str]) -> Result<Self, Unreadable> {
        let mut root: Value = serde_json::from_slice(body).map_err(|_| Unreadable)?;
        let mut keys = Vec::new();
        mask(&mut root, &mut keys);
        let secrets: Vec<&str> = keys.iter().map(PreSharedKey::expose).chain(sent.iter().copied()).collect();
        let clean = |value: Option<&Value>| {
            let text = cleaned(value.and_then(text)?, &secrets);
            (!text.is_empty()).then_some(text)
        };
        // The shape of API 3.0 first: a front end may answer in it, and its error must not count as a success.
        let error = &root["Response"]["Error"];
        let (code, code_desc, message) = match error["Code"].as_str() {
            Some(code) => (Some(code.to_owned()), None, clean(error.get("Message"))),
            None => (
                root.get("code").and_then(text),
                root.get("codeDesc").and_then(text).filter(|text| !text.is_empty()),
                clean(root.get("message")),
            ),
        };
        // A code that contains a secret is not a code of the cloud.
        let code = code.and_then(|code| cleaned_code(code, &secrets)).ok_or(Unreadable)?;
        let code_desc = code_desc.and_then(|code_desc| cleaned_code(code_desc, &secrets));
        Ok(Self { code, code_desc, message, root, keys })
    }

    /// The action's result; an empty result is `[]`.
    pub(super) fn data(&self) -> &Value {
        &self.root["data"]
    }

    /// A member next to `data`.
    pub(super) fn beside_data(&self, name: &str) -> Option<String> {
        self.root.get(name).and_then(text)
    }

    /// The key that was replaced with this index.
    pub(super) fn key(&self, place: &Value) -> Option<PreSharedKey> {
        let index = usize::try_from(place.as_u64()?).ok()?;
        self.keys.get(index).cloned()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without `root`: its texts are masked only when they are read.
        f.debug_struct("Answer")
            .field("code", &self.code)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

/// A text or a number, as text; `None` for other values.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(tidy(text)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Replaces every pre-shared key, at any depth and in any spelling of its name.
fn mask(value: &mut Value, keys: &mut Vec<PreSharedKey>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if is_secret(name) {
                    take(value, keys);
                } else {
                    mask(value, keys);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, keys)),
        _ => {}
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "presharedkey" || name == "presharekey"
}

fn take(value: &mut Value, keys: &mut Vec<PreSharedKey>) {
    let index = keys.len();
    let taken = std::mem::replace(value, Value::from(index));
    match taken {
        Value::String(mut key) => {
            keys.push(PreSharedKey::from_cloud(&key));
            key.zeroize();
        }
        Value::Number(digits) => keys.push(PreSharedKey::from_cloud(&digits.to_string())),
        _ => *value = Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_number_or_a_text_and_without_one_it_is_no_answer() {
        let code = |body: &str| Answer::read(body.as_bytes(), &[]).map(|answer| answer.code);
        assert_eq!(code(r#"{"code":0}"#), Ok("0".into()));
        assert_eq!(code(r#"{"code":"5100","message":""}"#), Ok("5100".into()));
        assert_eq!(code(r#"{"code":-3047}"#), Ok("-3047".into()));
        let modern = r#"{"Response":{"Error":{"Code":"AuthFailure","Message":"no"},"RequestId":"1"}}"#;
        assert_eq!(code(modern), Ok("AuthFailure".into()));
        for body in [r#"{"data":{}}"#, "{}", "[]", "<html>", "", r#"{"code":null}"#, r#"{"code":0"#] {
            assert_eq!(code(body), Err(Unreadable), "{body}");
        }
    }

    #[test]
    fn a_code_with_a_secret_in_it_is_no_answer() {
        let read = |body: &str| Answer::read(body.as_bytes(), &["canary-1"]);
        assert!(read(r#"{"code":"x-canary-1","message":""}"#).is_err());
        assert!(read(r#"{"Response":{"Error":{"Code":"canary-1","Message":""}}}"#).is_err());
        let answer = read(r#"{"code":4000,"codeDesc":"canary-1"}"#).expect("readable");
        assert_eq!(answer.code_desc, None);
    }

    #[test]
    fn no_key_survives_in_what_can_be_printed() {
        let body = r#"{"code":0,"message":"canary-1 and canary-2\u0000","data":[{"preSharedKey":"canary-1"}],
                      "x":{"PreShareKey":"canary-3","preSharedKey":123}}"#;
        let answer = Answer::read(body.as_bytes(), &["canary-2"]).expect("readable");
        assert!(!format!("{answer:?}").contains("canary"), "{answer:?}");
        assert_eq!(answer.message.as_deref(), Some("*** and *** "));
        let key = answer.key(&answer.data()[0]["preSharedKey"]).expect("the key is still known");
        assert_eq!(key.expose(), "canary-1");
    }
}
