//! The cloud's answers, masked before anything else reads them: answers repeat the pre-shared key.
//!
//! Each version of the API has an envelope of its own, and a front end may refuse a call in the other one. So a refusal
//! counts in either envelope, and a success only in the envelope of the version that was called: without it the result
//! of the action is missing.

use std::fmt;

use secrecy::zeroize::Zeroize;
use serde_json::Value;

use crate::domain::secret::PreSharedKey;

use super::mask::{cleaned, cleaned_code};
use super::meaning::{self, Codes, Meaning};
use super::value::uncut;

/// The envelope of a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Envelope {
    /// API 2.0: `{code, codeDesc, message, data}`; a success has the code 0, as a number or a text.
    Code,
    /// API 3.0: `{"Response": {"Error": {"Code", "Message"}, "RequestId"}}`; a success has no `Error`.
    Response,
}

/// The body is not an answer of the cloud: never a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

/// An answer without its secrets.
pub(super) struct Answer {
    /// `None`: a success in the envelope of API 3.0, which has no code.
    code: Option<String>,
    code_desc: Option<String>,
    message: Option<String>,
    /// The outcome is open by the codes as they were received: masking can withhold the word that says so.
    is_doubtful: bool,
    /// The whole body. Each secret is replaced with its index in `keys`.
    root: Value,
    keys: Vec<PreSharedKey>,
}

/// The code of API 2.0 for a success.
const SUCCESS: &str = "0";

/// The codes of an answer as they were received, uncut: the part of a secret before a cut would not be found.
#[derive(Default)]
struct Raw<'a> {
    code: Option<String>,
    code_desc: Option<String>,
    message: Option<String>,
    request_id: Option<&'a str>,
}

impl Raw<'_> {
    fn is_doubtful(&self) -> bool {
        let codes = Codes {
            code: self.code.as_deref(),
            code_desc: self.code_desc.as_deref(),
            message: self.message.as_deref(),
            is_doubtful: false,
        };
        meaning::of(codes) == Meaning::Doubt
    }
}

impl Answer {
    /// Parses a body. `sent` are the secrets of the call, in case the cloud echoes them.
    pub(super) fn read(body: &[u8], sent: &[&str], envelope: Envelope) -> Result<Self, Unreadable> {
        let mut root: Value = serde_json::from_slice(body).map_err(|_| Unreadable)?;
        let mut keys = Vec::new();
        mask(&mut root, &mut keys);
        let secrets: Vec<&str> = keys.iter().map(PreSharedKey::expose).chain(sent.iter().copied()).collect();
        let raw = codes(&root, envelope).ok_or(Unreadable)?;
        let is_doubtful = raw.is_doubtful();
        let message = raw.message.map(|text| cleaned(text, &secrets));
        let message = message.filter(|text| !text.is_empty());
        // A code that contains a secret is not a code of the cloud.
        let code = match raw.code {
            Some(code) => Some(cleaned_code(code, &secrets).ok_or(Unreadable)?),
            None => None,
        };
        // Nor is such an id one of its ids, which are kept.
        if let Some(id) = raw.request_id {
            cleaned_code(id.to_owned(), &secrets).ok_or(Unreadable)?;
        }
        let code_desc = raw.code_desc.and_then(|code_desc| cleaned_code(code_desc, &secrets));
        Ok(Self { code, code_desc, message, is_doubtful, root, keys })
    }

    /// What the answer says.
    pub(super) fn codes(&self) -> Codes<'_> {
        Codes {
            code: self.code.as_deref(),
            code_desc: self.code_desc.as_deref(),
            message: self.message.as_deref(),
            is_doubtful: self.is_doubtful,
        }
    }

    /// A text of the body without secrets: those of the answer and `sent`, those of the call.
    pub(super) fn cleaned(&self, text: String, sent: &[&str]) -> String {
        let secrets: Vec<&str> =
            self.keys.iter().map(PreSharedKey::expose).chain(sent.iter().copied()).collect();
        cleaned(text, &secrets)
    }

    /// A member of the body; `null` if it is missing.
    pub(super) fn member(&self, name: &str) -> &Value {
        &self.root[name]
    }

    /// True if the body has this member, `null` included.
    pub(super) fn has(&self, name: &str) -> bool {
        self.root.get(name).is_some()
    }

    /// The key that was replaced with this index. `None` if the cloud shows asterisks or an empty text instead.
    pub(super) fn key(&self, place: &Value) -> Option<PreSharedKey> {
        let index = usize::try_from(place.as_u64()?).ok()?;
        let key = self.keys.get(index)?;
        let is_masked = key.expose().bytes().all(|b| b == b'*');
        (!is_masked).then(|| key.clone())
    }
}

/// The codes of a body; `None` if it is not an answer of the cloud.
fn codes(root: &Value, envelope: Envelope) -> Option<Raw<'_>> {
    let response = &root["Response"];
    // First, so that an error of API 3.0 never passes for a success of API 2.0.
    if !response["Error"].is_null() {
        let error = &response["Error"];
        let code = error["Code"].as_str()?.to_owned();
        return Some(Raw { code: Some(code), message: uncut(&error["Message"]), ..Raw::default() });
    }
    if envelope == Envelope::Response && response.is_object() {
        // The cloud's front end puts it into every answer.
        let request_id = response["RequestId"].as_str().filter(|id| !id.is_empty())?;
        return Some(Raw { request_id: Some(request_id), ..Raw::default() });
    }
    let code = root.get("code").and_then(uncut)?;
    if envelope == Envelope::Response && code == SUCCESS {
        return None;
    }
    let code_desc = root.get("codeDesc").and_then(uncut).filter(|text| !text.is_empty());
    let message = root.get("message").and_then(uncut);
    Some(Raw { code: Some(code), code_desc, message, request_id: None })
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
        // A number beyond 64 bits lost digits.
        Value::Number(digits) if digits.is_f64() => *value = Value::Null,
        Value::Number(digits) => keys.push(PreSharedKey::from_cloud(&digits.to_string())),
        _ => *value = Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::super::meaning::{self, Meaning};
    use super::*;
    use crate::domain::echo::decodings;

    fn read(body: &str, sent: &[&str], envelope: Envelope) -> Result<Answer, Unreadable> {
        Answer::read(body.as_bytes(), sent, envelope)
    }

    const ENVELOPES: [Envelope; 2] = [Envelope::Code, Envelope::Response];

    #[test]
    fn a_code_is_a_number_or_a_text_and_without_one_it_is_no_answer() {
        let code = |body: &str| read(body, &[], Envelope::Code).map(|answer| answer.code);
        assert_eq!(code(r#"{"code":0}"#), Ok(Some("0".into())));
        for envelope in ENVELOPES {
            let code = |body: &str| read(body, &[], envelope).map(|answer| answer.code);
            assert_eq!(code(r#"{"code":"5100","message":""}"#), Ok(Some("5100".into())));
            assert_eq!(code(r#"{"code":-3047}"#), Ok(Some("-3047".into())));
            assert_eq!(code(r#"{"code":4400.0}"#), Ok(Some("4400".into())));
            let modern = r#"{"Response":{"Error":{"Code":"AuthFailure","Message":"no"},"RequestId":"1"}}"#;
            assert_eq!(code(modern), Ok(Some("AuthFailure".into())));
            let nothing = ["{}", "[]", "<html>", "", r#"{"code":null}"#, r#"{"code":0"#, r#"{"data":{}}"#];
            let halves = [
                r#"{"Response":{}}"#,
                r#"{"Response":{"RequestId":""}}"#,
                r#"{"Response":{"Error":{},"RequestId":"1"}}"#,
                r#"{"Response":{"Error":"x","RequestId":"1"}}"#,
                r#"{"Response":{"Error":{"Code":4000},"RequestId":"1"}}"#,
            ];
            for body in nothing.into_iter().chain(halves) {
                assert_eq!(code(body), Err(Unreadable), "{body}");
            }
        }
    }

    #[test]
    fn a_success_counts_only_in_the_envelope_of_the_version_that_was_called() {
        let modern = r#"{"Response":{"RequestId":"1","VpnConnectionSet":[]}}"#;
        assert_eq!(read(modern, &[], Envelope::Response).map(|answer| answer.code), Ok(None));
        assert!(read(modern, &[], Envelope::Code).is_err());
        for old in [r#"{"code":0,"data":[]}"#, r#"{"code":"0"}"#] {
            assert!(read(old, &[], Envelope::Response).is_err());
        }
        let both = r#"{"code":0,"data":[],"Response":{"Error":{"Code":"InternalError"},"RequestId":"1"}}"#;
        for envelope in ENVELOPES {
            assert_eq!(read(both, &[], envelope).map(|answer| answer.code), Ok(Some("InternalError".into())));
        }
    }

    #[test]
    fn a_code_with_a_secret_in_it_is_no_answer() {
        for envelope in ENVELOPES {
            let read = |body: &str| read(body, &["canary-1"], envelope);
            assert!(read(r#"{"code":"x-canary-1","message":""}"#).is_err());
            assert!(read(r#"{"Response":{"Error":{"Code":"canary-1","Message":""}}}"#).is_err());
            assert!(read(r#"{"Response":{"RequestId":"canary-1"}}"#).is_err());
            let answer = read(r#"{"code":4000,"codeDesc":"canary-1"}"#).expect("readable");
            assert_eq!(answer.code_desc, None);
        }
    }

    #[test]
    fn what_replaces_a_key_is_no_key() {
        let body =
            r#"{"code":0,"data":[{"preSharedKey":"******"},{"preSharedKey":""},{"preSharedKey":"a*"}]}"#;
        let answer = read(body, &[], Envelope::Code).expect("readable");
        let is_shown = |number: usize| answer.key(&answer.member("data")[number]["preSharedKey"]).is_some();
        assert_eq!([0, 1, 2].map(is_shown), [false, false, true]);
    }

    /// What the answers of both envelopes say with this text.
    fn said(text: &str, sent: &[&str]) -> Vec<String> {
        let old = serde_json::json!({"code": 4000, "codeDesc": text, "message": text}).to_string();
        let error = serde_json::json!({"Code": text, "Message": text});
        let modern = serde_json::json!({"Response": {"Error": error, "RequestId": "1"}}).to_string();
        let answers = [(old, Envelope::Code), (modern, Envelope::Response)];
        let answers = answers.iter().filter_map(|(body, envelope)| read(body, sent, *envelope).ok());
        answers.flat_map(|answer| [answer.code, answer.code_desc, answer.message]).flatten().collect()
    }

    #[test]
    fn no_part_of_a_secret_survives_where_a_text_is_cut() {
        let token = "t0Ken/+".repeat(60);
        for secret in ["tencenttest/+0123456789", &token] {
            let encoded: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let shortened: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            for (spelt, offset) in
                [secret, &encoded, &shortened].iter().flat_map(|spelt| (400..=520).map(move |at| (spelt, at)))
            {
                for text in said(&format!("{}{spelt}{}", ".".repeat(offset), ".".repeat(200)), &[secret]) {
                    for shown in decodings(&text) {
                        assert!(!shown.contains(&secret[..6]), "{offset}: {text}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_secret_can_not_hide_what_leaves_the_outcome_open() {
        let meaning =
            |body: &str, sent: &str| read(body, &[sent], Envelope::Code).map(|a| meaning::of(a.codes()));
        for (body, secret) in [
            (r#"{"code":4000,"message":"InternalError: 1234"}"#, "1234"),
            (r#"{"code":4400,"codeDesc":"InternalError"}"#, "Internal"),
            (r#"{"code":4400,"codeDesc":"SomethingNew"}"#, "SomethingNew"),
            (r#"{"code":-3047,"codeDesc":"RequestLimitExceeded"}"#, "RequestLimitExceeded"),
        ] {
            assert_eq!(meaning(body, secret), Ok(Meaning::Doubt), "{body}");
        }
    }

    #[test]
    fn no_key_survives_in_what_can_be_printed() {
        let body = r#"{"code":0,"message":"canary-1 and canary-2\u0000","data":[{"preSharedKey":"canary-1"}],
                      "x":{"PreShareKey":"canary-3","preSharedKey":123}}"#;
        let answer = read(body, &["canary-2"], Envelope::Code).expect("readable");
        assert!(!format!("{answer:?}").contains("canary"), "{answer:?}");
        assert_eq!(answer.message.as_deref(), Some("*** and *** "));
        let key = answer.key(&answer.member("data")[0]["preSharedKey"]).expect("the key is still known");
        assert_eq!(key.expose(), "canary-1");
    }
}
