//! API 2.0.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tunnelgate::cloud::v2::sign::{Method, SignatureMethod, Target, form, signature, string_to_sign};
use tunnelgate::simulator;

#[derive(Deserialize)]
struct Vector {
    name: String,
    method: String,
    host: String,
    path: String,
    secret_key: String,
    signature_method: String,
    params: BTreeMap<String, String>,
    string_to_sign: String,
    signature: String,
}

impl Vector {
    fn target(&self) -> Target<'_> {
        let method = if self.method == "GET" { Method::Get } else { Method::Post };
        Target { method, host: &self.host, path: &self.path }
    }

    fn received(&self) -> simulator::v2::signature::Request<'_> {
        let Self { method, host, path, params, .. } = self;
        simulator::v2::signature::Request { method, host, path, params }
    }

    /// Every value other than `HmacSHA256` means SHA-1.
    fn signature_method(&self) -> SignatureMethod {
        SignatureMethod::from_word(&self.signature_method).unwrap_or(SignatureMethod::HmacSha1)
    }

    /// The parameters in an unsorted order.
    fn pairs(&self) -> Vec<(&str, &str)> {
        self.params.iter().rev().map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }
}

fn vectors() -> Vec<Vector> {
    crate::vectors("signature-v2.json")
}

#[test]
fn the_string_to_sign_is_the_sdk_s() {
    for vector in vectors() {
        let text = string_to_sign(vector.target(), &vector.pairs());
        assert_eq!(text.expose(), vector.string_to_sign, "string to sign of {}", vector.name);
    }
}

#[test]
fn the_signature_is_the_sdk_s() {
    for vector in vectors() {
        let text = string_to_sign(vector.target(), &vector.pairs());
        let signed = signature(vector.signature_method(), &vector.secret_key, &text);
        assert_eq!(signed, vector.signature, "signature of {}", vector.name);
    }
}

#[test]
fn the_simulated_cloud_expects_the_sdk_s_signature() {
    for vector in vectors() {
        let request = vector.received();
        assert_eq!(request.string_to_sign(), vector.string_to_sign, "string to sign of {}", vector.name);
        let expected = STANDARD.encode(request.signature(&vector.secret_key));
        assert_eq!(expected, vector.signature, "signature of {}", vector.name);
    }
}

#[test]
fn the_form_carries_every_value_once_encoded_and_the_signature() {
    for vector in vectors() {
        let form = form(&vector.pairs(), &vector.signature);
        let mut sent: BTreeMap<String, String> =
            form_urlencoded::parse(form.expose().as_bytes()).into_owned().collect();
        assert_eq!(sent.remove("Signature"), Some(vector.signature.clone()), "form of {}", vector.name);
        assert_eq!(sent, vector.params, "form of {}", vector.name);
    }
}

#[test]
fn the_string_to_sign_can_not_be_printed() {
    for vector in vectors() {
        let text = string_to_sign(vector.target(), &vector.pairs());
        assert_eq!(format!("{text:?}"), "Hidden(***)");
    }
}
