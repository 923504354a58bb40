//! The cloud's answers, read tolerantly and masked first: numbers come as texts, `code` may be either, and the
//! pre-shared key is echoed in clear.

use std::fmt;

use secrecy::zeroize::Zeroize;
use serde_json::Value;

use crate::domain::secret::PreSharedKey;

/// The longest text of the cloud that is kept, in characters.
const MAX_TEXT: usize = 500;

/// An answer that can't be read as one of the cloud's: never a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

/// An answer whose secrets have been taken out.
pub(super) struct Answer {
    pub(super) code: String,
    pub(super) code_desc: Option<String>,
    pub(super) message: Option<String>,
    /// The whole of it; in place of each secret stands its index in `keys`.
    root: Value,
    keys: Vec<PreSharedKey>,
}

impl Answer {
    /// Reads a body. `sent` is the key of this call, in case the cloud repeats it in a message.
    pub(super) fn read(body: &[u8], sent: Option<&PreSharedKey>) -> Result<Self, Unreadable> {
        let mut root: Value = serde_json::from_slice(body).map_err(|_| Unreadable)?;
        let mut keys = Vec::new();
        mask(&mut root, &mut keys);
        let clean = |value: Option<&Value>| {
            let text = value.and_then(text)?;
            Some(cleaned(text, keys.iter().chain(sent)))
        };
        // The 3.0 shape first: a front end may answer so, and its error must not pass for a success.
        let error = &root["Response"]["Error"];
        let (code, code_desc, message) = match error["Code"].as_str() {
            Some(code) => (Some(code.to_owned()), None, clean(error.get("Message"))),
            None => (
                root.get("code").and_then(text),
                clean(root.get("codeDesc")).filter(|text| !text.is_empty()),
                clean(root.get("message")).filter(|text| !text.is_empty()),
            ),
        };
        let code = code.map(|code| cleaned(code, [])).ok_or(Unreadable)?;
        Ok(Self { code, code_desc, message, root, keys })
    }

    /// What the action answered; an empty one comes as `[]`.
    pub(super) fn data(&self) -> &Value {
        &self.root["data"]
    }

    /// A member beside `data`.
    pub(super) fn beside_data(&self, name: &str) -> Option<String> {
        self.root.get(name).and_then(text)
    }

    /// The key that was taken out of this place.
    pub(super) fn key(&self, place: &Value) -> Option<PreSharedKey> {
        let index = usize::try_from(place.as_u64()?).ok()?;
        self.keys.get(index).cloned()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not `root`: the cloud's own texts are cleaned only where they are taken out.
        f.debug_struct("Answer")
            .field("code", &self.code)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

/// A text or a number as text; nothing else counts.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Takes every pre-shared key out, wherever it stands and however it is spelt.
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

/// A text that may be stored and shown: without secrets and control characters, and not too long.
fn cleaned<'a>(mut text: String, secrets: impl IntoIterator<Item = &'a PreSharedKey>) -> String {
    for secret in secrets {
        if !secret.expose().is_empty() {
            text = text.replace(secret.expose(), "***");
        }
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_number_or_a_text_and_without_one_it_is_no_answer() {
        let code = |body: &str| Answer::read(body.as_bytes(), None).map(|answer| answer.code);
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
    fn no_key_survives_in_what_can_be_printed() {
        let body = r#"{"code":0,"message":"canary-1 and canary-2\u0000","data":[{"preSharedKey":"canary-1"}],
                      "x":{"PreShareKey":"canary-3","preSharedKey":123}}"#;
        let sent = PreSharedKey::from_cloud("canary-2");
        let answer = Answer::read(body.as_bytes(), Some(&sent)).expect("readable");
        assert!(!format!("{answer:?}").contains("canary"), "{answer:?}");
        assert_eq!(answer.message.as_deref(), Some("*** and *** "));
        let key = answer.key(&answer.data()[0]["preSharedKey"]).expect("the key is still known");
        assert_eq!(key.expose(), "canary-1");
    }
}
