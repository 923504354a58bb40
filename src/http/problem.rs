//! Errors as RFC 9457 problem details, and the one table from an error to its status.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use tracing::error;
use utoipa::ToSchema;

use crate::domain::fault::Fault;
use crate::domain::operation::{ErrorCode, OperationError, OperationId, UpstreamError};
use crate::service::ledger::LedgerError;
use crate::service::modify::ModifyError;

use super::request;

/// The media type of every error.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// What `Retry-After` says, in seconds, where nothing better is known.
const RETRY_AFTER: u32 = 5;

/// An error answer (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// What kind of problem this is.
    #[serde(rename = "type")]
    #[schema(example = "/problems/operation-in-progress")]
    kind: String,
    /// The kind in a few words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong this time.
    detail: String,
    /// The kind, for programs: stable and snake_case.
    #[schema(example = "operation_in_progress")]
    code: &'static str,
    /// The id of the request, as in `x-request-id` and in the gateway's logs.
    request_id: String,
    /// Every fault of an invalid input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
    /// The cloud's own words, for a refusal by the cloud.
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<UpstreamError>,
    /// The operation that this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    operation_id: Option<OperationId>,
    #[serde(skip)]
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem of a kind.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind: format!("/problems/{}", code.replace('_', "-")),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            code,
            request_id: request::current_id(),
            errors: Vec::new(),
            upstream: None,
            operation_id: None,
            headers: Vec::new(),
        }
    }

    /// 400: something about the request's form.
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, "the request is malformed", detail)
    }

    /// 404: nothing here, or nothing that the caller may see.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "not found", "there is nothing here that you may see")
    }

    /// 500: a bug of ours.
    pub fn internal() -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(
            status,
            "internal",
            "internal error",
            "the gateway failed; its log says why under the request_id",
        )
    }

    #[must_use]
    pub fn with_errors(mut self, errors: Vec<Fault>) -> Self {
        self.errors = errors;
        self
    }

    #[must_use]
    pub fn with_operation(mut self, id: OperationId) -> Self {
        self.operation_id = Some(id);
        self
    }

    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    #[must_use]
    fn with_retry_after(self, seconds: u32) -> Self {
        self.with_header(header::RETRY_AFTER, seconds.into())
    }

    /// The answer for an operation that did not come to anything.
    #[must_use]
    pub fn of_rejected(id: OperationId, error: &OperationError) -> Self {
        let (status, title) = status_of(error.code);
        let mut problem =
            Self::new(status, error.code.as_str(), title, error.detail.clone()).with_operation(id);
        problem.upstream.clone_from(&error.upstream);
        match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                problem.with_retry_after(RETRY_AFTER)
            }
            _ => problem,
        }
    }
}

/// The table: what an operation's error is over HTTP.
pub const fn status_of(code: ErrorCode) -> (StatusCode, &'static str) {
    match code {
        ErrorCode::TunnelNotFound => (StatusCode::NOT_FOUND, "no such tunnel"),
        ErrorCode::UpstreamInvalidParameter => {
            (StatusCode::UNPROCESSABLE_ENTITY, "the cloud refuses a value")
        }
        ErrorCode::TunnelStateConflict => (StatusCode::CONFLICT, "the tunnel's state allows no change now"),
        ErrorCode::UpstreamRateLimited => {
            (StatusCode::TOO_MANY_REQUESTS, "the cloud limits the rate of calls")
        }
        ErrorCode::CallBudget => (StatusCode::TOO_MANY_REQUESTS, "the gateway's call budget is used up"),
        ErrorCode::UpstreamCredentials => (StatusCode::BAD_GATEWAY, "the cloud refuses the gateway"),
        ErrorCode::UpstreamReplay => (StatusCode::BAD_GATEWAY, "the cloud takes the call for a replay"),
        ErrorCode::UpstreamFailed => (StatusCode::BAD_GATEWAY, "the cloud refuses the change"),
        ErrorCode::UpstreamUnreachable => (StatusCode::SERVICE_UNAVAILABLE, "the cloud can't be reached"),
        ErrorCode::UpstreamUnavailable => {
            (StatusCode::SERVICE_UNAVAILABLE, "the cloud is closed for maintenance")
        }
        ErrorCode::TunnelUnreadable => (StatusCode::SERVICE_UNAVAILABLE, "the tunnel can't be read"),
        ErrorCode::NotSent => (StatusCode::SERVICE_UNAVAILABLE, "the change was not sent"),
        ErrorCode::PreconditionFailed => (StatusCode::PRECONDITION_FAILED, "the tunnel has changed"),
        // Ends of operations that were sent; over HTTP they stand in the operation, not in a problem.
        ErrorCode::AnswerLost | ErrorCode::TaskFailed | ErrorCode::NotApplied | ErrorCode::TaskTimeout => {
            (StatusCode::BAD_GATEWAY, "the change did not come to a good end")
        }
    }
}

impl From<ModifyError> for Problem {
    fn from(error: ModifyError) -> Self {
        match error {
            ModifyError::InProgress(id) => Self::new(
                StatusCode::CONFLICT,
                "operation_in_progress",
                "another change of this tunnel is under way",
                "one change at a time on one tunnel: wait until the operation named here has ended",
            )
            .with_operation(id),
            ModifyError::KeyReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "the Idempotency-Key was used before",
                "another request came under this Idempotency-Key within 24 hours: use a new key for a new request",
            ),
            ModifyError::KeyInFlight(id) => Self::new(
                StatusCode::CONFLICT,
                "idempotency_key_in_flight",
                "the first request is still being sent",
                "the first request with this Idempotency-Key is still being sent: ask again in a moment",
            )
            .with_operation(id)
            .with_retry_after(1),
            ModifyError::Ledger(error) => error.into(),
        }
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        error!(error = &error as &dyn std::error::Error, "the ledger failed");
        match error {
            LedgerError::Unavailable(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "ledger_unavailable",
                "the ledger is unavailable",
                "the gateway's ledger can't be reached; nothing was sent to the cloud",
            )
            .with_retry_after(RETRY_AFTER),
            LedgerError::Corrupt(_) | LedgerError::UnreadableEvent(_) => Self::internal(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.code)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        for (name, value) in &self.headers {
            response.append_header((name.clone(), value.clone()));
        }
        response.content_type(MEDIA_TYPE).json(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_of_an_operation_has_a_status_and_a_title() {
        for code in ErrorCode::ALL {
            let (status, title) = status_of(*code);
            assert!(status.is_client_error() || status.is_server_error(), "{code}");
            assert!(!title.is_empty());
        }
        assert_eq!(status_of(ErrorCode::UpstreamCredentials).0, StatusCode::BAD_GATEWAY);
        assert_eq!(status_of(ErrorCode::UpstreamInvalidParameter).0, StatusCode::UNPROCESSABLE_ENTITY);
    }

    #[test]
    fn the_type_is_the_code_as_a_path() {
        let problem = Problem::from(ModifyError::KeyReused);
        assert_eq!(problem.kind, "/problems/idempotency-key-reused");
        assert_eq!(problem.status, 422);
    }
}
