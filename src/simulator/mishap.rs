//! What misbehaving tunnels do with a change, in the form that both versions of the API share.

use actix_web::http::StatusCode;
use serde_json::{Value, json};

use super::answer::{Answer, HTTP_500};
use super::behaviour::{Behaviour, Spelt};

/// What a tunnel does instead of accepting a change.
pub(super) enum Instead {
    Answer(Answer),
    RateLimited,
    Failed,
    NotAllowed,
    Replayed,
    Expired,
}

/// What a tunnel does with its change number `attempts`; `None` if it accepts the change.
pub(super) fn instead(behaviour: Option<Behaviour>, attempts: u32) -> Option<Instead> {
    Some(match behaviour? {
        Behaviour::Http500Before => Instead::Answer(HTTP_500),
        Behaviour::ResetBefore => Instead::Answer(Answer::Reset),
        Behaviour::NoAnswer => Instead::Answer(Answer::Silence),
        Behaviour::ForeignBody => Instead::Answer(Answer::Foreign),
        Behaviour::RateLimitedTwice if attempts <= 2 => Instead::RateLimited,
        Behaviour::AlwaysRateLimited => Instead::RateLimited,
        Behaviour::Failed5100 => Instead::Failed,
        Behaviour::Credentials => Instead::NotAllowed,
        Behaviour::Replay if attempts == 1 => Instead::Replayed,
        Behaviour::ExpiredOnce if attempts == 1 => Instead::Expired,
        _ => return None,
    })
}

/// The answers of a version of the API to an accepted change.
pub(super) struct Accepted {
    pub(super) success: Answer,
    /// An error without a statement about the change.
    pub(super) internal_error: Answer,
    /// An answer that lacks what tells how the call ended.
    pub(super) incomplete: Answer,
}

/// The answer of a tunnel that has accepted a change: `success`, unless the tunnel misbehaves.
pub(super) fn after(behaviour: Option<Behaviour>, answers: Accepted) -> Answer {
    match behaviour {
        Some(Behaviour::Http500After | Behaviour::StrangeStatusAfter) => HTTP_500,
        Some(Behaviour::ResetAfter) => Answer::Reset,
        Some(Behaviour::NoAnswerAfter) => Answer::Silence,
        Some(Behaviour::TruncatedBody) => answers.success.truncated(),
        Some(Behaviour::MissingCode) => answers.incomplete,
        Some(Behaviour::Internal6000After) => answers.internal_error,
        _ => answers.success,
    }
}

/// The answer that a tunnel's id spells out, the same in both versions of the API: a body, or an HTTP status.
pub(super) fn spelt(spelt: Spelt) -> Result<Value, StatusCode> {
    let code_desc = |word: String, message: &str| json!({"code": 4000, "codeDesc": word, "message": message});
    Ok(match spelt {
        Spelt::Code(code) => json!({"code": code, "message": "as its id says"}),
        Spelt::CodeDesc(word) => code_desc(word, "as its id says"),
        Spelt::Message(word) => code_desc(String::new(), &format!("(100004){word}: as its id says")),
        Spelt::Modern(word) => {
            json!({"Response": {"Error": {"Code": word, "Message": "as its id says"}, "RequestId": "simulated"}})
        }
        Spelt::Http(status) => {
            return Err(StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT));
        }
    })
}
