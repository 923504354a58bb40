//! The vendor's own signatures. `TUNNELGATE_VECTORS` names another folder of vectors.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use tunnelgate::simulator::v3::signature::{Request, date, scope, signature, string_to_sign};

#[derive(Deserialize)]
struct Vector {
    name: String,
    secret_id: String,
    secret_key: String,
    timestamp: i64,
    payload: String,
    headers: BTreeMap<String, String>,
    canonical_request: String,
    string_to_sign: String,
    authorization: String,
}

#[test]
fn the_simulated_cloud_expects_the_signatures_of_the_vendor_s_sdk() {
    let folder = std::env::var_os("TUNNELGATE_VECTORS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"), PathBuf::from);
    let file = folder.join("signature-v3.json");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let vectors: Vec<Vector> = serde_json::from_str(&text).expect("vectors");
    assert!(!vectors.is_empty());
    for vector in vectors {
        let name = &vector.name;
        let headers: BTreeMap<String, String> =
            vector.headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        let request = Request { headers: &headers, payload: vector.payload.as_bytes() };
        let canonical = request.canonical_request(&["content-type", "host"]).expect("both headers");
        assert_eq!(canonical, vector.canonical_request, "canonical request of {name}");
        let date = date(vector.timestamp).expect("a date");
        let text = string_to_sign(vector.timestamp, &date, &canonical);
        assert_eq!(text, vector.string_to_sign, "string to sign of {name}");
        let signed = signature(&vector.secret_key, &date, &text);
        let (id, scope) = (vector.secret_id, scope(&date));
        let expected = format!(
            "TC3-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders=content-type;host, Signature={signed}"
        );
        assert_eq!(expected, vector.authorization, "authorization of {name}");
    }
}
