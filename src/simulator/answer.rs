//! Answers as they go over the wire, and the ways in which a misbehaving tunnel fails to answer.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use futures_util::stream;

/// How long a silent tunnel waits before its connection breaks.
const SILENCE: Duration = Duration::from_secs(60);

/// The answer to a call.
pub(super) enum Answer {
    /// HTTP 200 with this body.
    Body {
        content_type: &'static str,
        text: String,
        /// The answer in the journal.
        summary: String,
    },
    /// This status with an HTML page.
    Http(StatusCode),
    /// HTTP 200 with an HTML page.
    Foreign,
    /// The connection breaks after the head of the answer.
    Reset,
    /// No answer for a minute; then the connection breaks.
    Silence,
}

pub(super) const HTTP_500: Answer = Answer::Http(StatusCode::INTERNAL_SERVER_ERROR);

impl Answer {
    /// Half of the body.
    pub(super) fn truncated(self) -> Self {
        match self {
            Self::Body { content_type, mut text, .. } => {
                let half = (0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at));
                text.truncate(half.unwrap_or_default());
                Self::Body { content_type, text, summary: "half an answer".into() }
            }
            other => other,
        }
    }

    /// Sends the answer, after [`SILENCE`] where the answer is silence.
    pub(super) async fn send(self) -> HttpResponse {
        match self {
            Self::Body { content_type, text, .. } => HttpResponse::Ok().content_type(content_type).body(text),
            Self::Http(status) => {
                HttpResponse::build(status).content_type("text/html").body(format!("<html>{status}</html>"))
            }
            Self::Foreign => {
                HttpResponse::Ok().content_type("text/html").body("<html><body>Welcome</body></html>")
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
            Self::Body { summary, .. } => summary.clone(),
            Self::Http(status) => format!("HTTP {}", status.as_u16()),
            Self::Foreign => "a foreign page".into(),
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
