//! The answers of API 2.0, and the ways in which a misbehaving tunnel fails to answer.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use futures_util::stream;
use serde_json::{Value, json};

/// How long a silent tunnel waits before its connection breaks.
const SILENCE: Duration = Duration::from_secs(60);

/// The answer to a call.
pub(super) enum Answer {
    Json(Value),
    /// This status with an HTML page.
    Http(StatusCode),
    /// HTTP 200 with an HTML page.
    Foreign,
    /// The first half of this answer.
    Truncated(Value),
    /// The connection breaks after the head of the answer.
    Reset,
    /// No answer for a minute; then the connection breaks.
    Silence,
}

pub(super) const HTTP_500: Answer = Answer::Http(StatusCode::INTERNAL_SERVER_ERROR);

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
        Self::Json(answer)
    }
}

impl Answer {
    /// Sends the answer, after [`SILENCE`] where the answer is silence.
    pub(super) async fn send(self) -> HttpResponse {
        match self {
            Self::Json(value) => {
                // The cloud's samples escape slashes.
                let text = value.to_string().replace('/', "\\/");
                HttpResponse::Ok().content_type("text/html; charset=utf-8").body(text)
            }
            Self::Http(status) => {
                HttpResponse::build(status).content_type("text/html").body(format!("<html>{status}</html>"))
            }
            Self::Foreign => {
                HttpResponse::Ok().content_type("text/html").body("<html><body>Welcome</body></html>")
            }
            Self::Truncated(value) => {
                let text = value.to_string();
                HttpResponse::Ok().body(text[..text.len() / 2].to_owned())
            }
            Self::Reset => broken(),
            Self::Silence => {
                tokio::time::sleep(SILENCE).await;
                broken()
            }
        }
    }

    /// The answer as one line of the journal.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Json(value) => format!("code {}", value.get("code").unwrap_or(&Value::Null)),
            Self::Http(status) => format!("HTTP {}", status.as_u16()),
            Self::Foreign => "a foreign page".into(),
            Self::Truncated(_) => "half an answer".into(),
            Self::Reset => "a broken connection".into(),
            Self::Silence => "nothing".into(),
        }
    }
}

/// An answer whose body fails at once: actix closes the connection.
fn broken() -> HttpResponse {
    let failing =
        stream::once(async { Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionReset)) });
    HttpResponse::Ok().streaming(failing)
}
