//! API 3.0.

use std::collections::BTreeMap;
use std::process::Command;

use serde::Deserialize;
use tunnelgate::cloud::v3::sign::{authorization, canonical_request, signature, string_to_sign};
use tunnelgate::domain::timestamp::Timestamp;

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

impl Vector {
    fn header(&self, name: &str) -> &str {
        let header = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        header.map(|(_, value)| value.as_str()).unwrap_or_else(|| panic!("{}: no {name}", self.name))
    }

    fn signed_at(&self) -> Timestamp {
        seconds(self.timestamp)
    }
}

fn vectors() -> Vec<Vector> {
    crate::vectors("signature-v3.json")
}

fn seconds(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

#[test]
fn the_canonical_request_is_the_sdk_s() {
    for vector in vectors() {
        let (host, kind) = (vector.header("host"), vector.header("content-type"));
        let request = canonical_request(host, kind, vector.payload.as_bytes());
        assert_eq!(request, vector.canonical_request, "canonical request of {}", vector.name);
    }
}

#[test]
fn the_string_to_sign_is_the_sdk_s() {
    for vector in vectors() {
        let text = string_to_sign(vector.signed_at(), &vector.canonical_request);
        assert_eq!(text, vector.string_to_sign, "string to sign of {}", vector.name);
    }
}

#[test]
fn the_authorization_is_the_sdk_s() {
    for vector in vectors() {
        let signed_at = vector.signed_at();
        let signature = signature(&vector.secret_key, signed_at, &vector.string_to_sign);
        let header = authorization(&vector.secret_id, signed_at, &signature);
        assert_eq!(header, vector.authorization, "authorization of {}", vector.name);
    }
}

/// Half past midnight on 15 November in the zone +08:00.
const AFTER_MIDNIGHT: &str = "2023-11-15T00:30:00+08:00";

#[test]
fn the_day_of_the_scope_is_the_day_in_utc() {
    let signed_at = Timestamp::parse(AFTER_MIDNIGHT).expect("a time");
    let text = string_to_sign(signed_at, "");
    assert_eq!(text.lines().nth(2), Some("2023-11-14/vpc/tc3_request"));
    assert!(authorization("AKID", signed_at, "").contains("AKID/2023-11-14/vpc/tc3_request,"));
    let next = string_to_sign(Timestamp::parse("2023-11-15T08:00:00+08:00").expect("a time"), "");
    assert_eq!(next.lines().nth(2), Some("2023-11-15/vpc/tc3_request"));
}

#[test]
fn the_time_zone_of_the_machine_does_not_matter() {
    // A process of its own, because a process reads its zone once.
    let this = std::env::current_exe().expect("this program");
    for zone in ["Asia/Shanghai", "<+08>-8", "<-11>11", "UTC"] {
        let tests = ["v3::the_day_of_the_scope_is_the_day_in_utc", "v3::the_authorization_is_the_sdk_s"];
        let run = Command::new(&this).arg("--exact").args(tests).env("TZ", zone).output().expect("a run");
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success() && said.contains("2 passed"), "{zone}: {said}");
    }
}
