//! Signing and answers of API 2.0.

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::cloud::call::Api;
use crate::cloud::exchange::Signed;
use crate::cloud::meaning::Codes;
use crate::domain::secret::PreSharedKey;
use crate::domain::timestamp::Timestamp;
use crate::service::cloud::Preview;

use super::answer::Answer;
use super::sign::{self, Method, SignatureMethod, Target};
use super::wire::{self, Params};

/// Replaces a secret in a preview.
const MASKED: &str = "***";
/// Replaces a value that differs from call to call.
const DRAWN: &str = "(drawn for each call)";

/// The gateway's credentials.
#[derive(Clone)]
pub struct Credentials {
    pub secret_id: String,
    pub secret_key: SecretString,
    /// Only with temporary credentials.
    pub token: Option<SecretString>,
}

/// API 2.0 with its credentials.
pub(super) struct ApiV2 {
    pub(super) credentials: Credentials,
    pub(super) region: String,
    pub(super) signature_method: SignatureMethod,
    /// The host that is signed.
    pub(super) signed_host: String,
    /// The path that is signed.
    pub(super) path: String,
}

impl ApiV2 {
    /// The secrets that a call contains or is signed with.
    pub(super) fn secrets<'a>(&'a self, key: Option<&'a PreSharedKey>) -> Vec<&'a str> {
        let credentials = &self.credentials;
        let token = credentials.token.as_ref().map(ExposeSecret::expose_secret);
        let key = key.map(PreSharedKey::expose);
        let credentials = [credentials.secret_key.expose_secret(), credentials.secret_id.as_str()];
        key.into_iter().chain(token).chain(credentials).collect()
    }

    /// All parameters but the signature, in the order in which they are sent.
    fn with_common<'a>(
        &'a self,
        params: &'a Params,
        timestamp: &'a str,
        nonce: &'a str,
    ) -> Vec<(&'a str, &'a str)> {
        let mut pairs = params.pairs();
        pairs.extend([
            ("Region", self.region.as_str()),
            ("Timestamp", timestamp),
            ("Nonce", nonce),
            ("SecretId", &self.credentials.secret_id),
            ("SignatureMethod", self.signature_method.as_str()),
        ]);
        if let Some(token) = &self.credentials.token {
            pairs.push(("Token", token.expose_secret()));
        }
        pairs
    }

    /// The call that these parameters make, without its secrets.
    pub(super) fn preview(&self, params: &Params) -> Preview {
        let mut parameters: Vec<(String, Value)> = self
            .with_common(params, DRAWN, DRAWN)
            .into_iter()
            .map(|(name, value)| match name {
                wire::PRE_SHARED_KEY | "SecretId" | "Token" => (name.to_owned(), MASKED.into()),
                _ => (name.to_owned(), value.into()),
            })
            .collect();
        parameters.push((sign::SIGNATURE.to_owned(), MASKED.into()));
        Preview { method: "POST", host: self.signed_host.clone(), path: self.path.clone(), parameters }
    }
}

impl Api for ApiV2 {
    type Params = Params;
    type Answer = Answer;

    fn sign(&self, params: &Params, signed_at: Timestamp, nonce: u64) -> Signed {
        let (timestamp, nonce) = (signed_at.as_seconds().to_string(), nonce.to_string());
        let pairs = self.with_common(params, &timestamp, &nonce);
        let target = Target { method: Method::Post, host: &self.signed_host, path: &self.path };
        let text = sign::string_to_sign(target, &pairs);
        let secret_key = self.credentials.secret_key.expose_secret();
        let signature = sign::signature(self.signature_method, secret_key, &text);
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        Signed { headers: HeaderMap::from_iter([(CONTENT_TYPE, form)]), body: sign::form(&pairs, &signature) }
    }

    fn read(&self, body: &[u8], sent: &[&str]) -> Option<Answer> {
        Answer::read(body, sent).ok()
    }

    fn codes(answer: &Answer) -> Codes<'_> {
        Codes {
            code: &answer.code,
            code_desc: answer.code_desc.as_deref(),
            message: answer.message.as_deref(),
        }
    }
}
