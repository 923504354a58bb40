//! Properties of the readers of the cloud's answers, for the fuzzer (`tests/fuzz`) and its corpus.

#![allow(clippy::expect_used, clippy::panic, reason = "a property that does not hold stops the fuzzer")]

use serde_json::Value;

use crate::domain::echo::decodings;

use super::actions::Actions;
use super::answer::{Answer, Envelope};
use super::{v2, v3};

/// The pre-shared key of every answer. Long enough that no text contains it by chance.
const KEY: &str = "canary-0123456789";

/// No answer, whatever its form, gives back the pre-shared key that it contains, or one that was sent.
pub fn answers(bytes: &[u8]) {
    for envelope in [Envelope::Code, Envelope::Response] {
        if let Ok(answer) = Answer::read(bytes, &[KEY], envelope) {
            read(&answer);
        }
        let Ok(mut body) = serde_json::from_slice(bytes) else { continue };
        plant(&mut body);
        if let Ok(answer) = Answer::read(body.to_string().as_bytes(), &[], envelope) {
            read(&answer);
        }
    }
}

/// Puts the key into every object.
fn plant(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(plant);
            for name in ["preSharedKey", "PreShareKey"] {
                members.insert(name.into(), KEY.into());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(plant),
        _ => {}
    }
}

/// Reads everything that the answer says.
fn read(answer: &Answer) {
    let codes = answer.codes();
    for text in [codes.code, codes.code_desc, codes.message].into_iter().flatten() {
        assert!(!repeats(text), "{text}");
    }
    assert!(!repeats(&format!("{answer:?}")));
    actions::<v2::Api>(answer);
    actions::<v3::Api>(answer);
}

fn actions<A: Actions>(answer: &Answer) {
    let _ = (A::task_of(answer), A::task_status(answer), A::total(answer));
    for entry in A::entries(answer).unwrap_or_default() {
        let tunnel = A::tunnel(answer, entry);
        if let Some(key) = &tunnel.pre_shared_key {
            assert!(
                !format!("{key:?}").contains(key.expose()) || key.expose().len() < 6,
                "Debug shows a key"
            );
        }
    }
}

fn repeats(text: &str) -> bool {
    decodings(text).iter().any(|decoded| decoded.contains(KEY))
}
