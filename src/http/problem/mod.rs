//! Errors as RFC 9457 problem details.

pub(super) mod document;
pub(super) mod example;
pub(super) mod pages;
mod types;

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use tracing::error;
use utoipa::ToSchema;

use crate::domain::fault::Fault;
use crate::domain::operation::{OperationError, OperationId, UpstreamError};
use crate::domain::verification::ChangedField;
use crate::service::all_tunnels::list::TunnelListError;
use crate::service::ledger::LedgerError;
use crate::service::modify::ModifyError;
use crate::service::tunnels::TunnelError;

use super::address::address;
use super::request_id;

pub use types::{Description, ProblemType};

/// The media type of every error.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// The default `Retry-After`, in seconds.
const RETRY_AFTER: u32 = 5;

/// An error answer (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// The address of the problem type's page: a path, or a URL if the gateway has a public URL.
    #[serde(rename = "type")]
    #[schema(example = "/problems/operation-in-progress")]
    kind: String,
    /// A short name of the problem type.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// The fault of this request.
    detail: String,
    /// The stable code of the problem type, for programs.
    #[schema(example = "operation_in_progress")]
    code: &'static str,
    /// The request's id, as in `x-request-id` and in the gateway's logs.
    request_id: String,
    /// Every fault of an invalid input; the reason for each field that can't be rolled back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
    /// The cloud's error code and message, for a refusal by the cloud.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    upstream: Option<UpstreamError>,
    /// The fields that no longer have what the operation left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<ChangedField>,
    /// The account of the cloud whose tunnels could not be listed. Other accounts may be fine.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "prod-gz")]
    account: Option<String>,
    /// The operation that the problem concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>, nullable = false)]
    operation_id: Option<OperationId>,
    #[serde(skip)]
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// True if a caller who was let in before may stay: the ledger can't confirm the caller right now, and shows nothing
    /// either.
    pub fn is_passing(&self) -> bool {
        self.status >= 500 && self.code != ProblemType::IssuerUnavailable.code()
    }

    /// A problem with the fault of this request as its detail.
    pub fn new(kind: ProblemType, detail: impl Into<String>) -> Self {
        let Description { status, code, title, .. } = kind.describe();
        Self {
            kind: address(&kind.path()),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            code,
            request_id: request_id::current_id(),
            errors: Vec::new(),
            upstream: None,
            differences: Vec::new(),
            account: None,
            operation_id: None,
            headers: Vec::new(),
        }
    }

    /// A problem with its type's default detail.
    pub fn of(kind: ProblemType) -> Self {
        Self::new(kind, kind.describe().detail)
    }

    /// 404: the resource does not exist, or the caller may not read it.
    pub fn not_found() -> Self {
        Self::of(ProblemType::NotFound)
    }

    /// 500: a fault of the gateway.
    pub fn internal() -> Self {
        Self::of(ProblemType::Internal)
    }

    /// 400: faults of the query and of headers. If both have faults, the code is the query's.
    pub fn of_faults(faults: Vec<Fault>) -> Self {
        let kind = match faults.as_slice() {
            [only] if only.code == ProblemType::InvalidCursor.code() => ProblemType::InvalidCursor,
            all if all.iter().all(|fault| fault.pointer.starts_with("header:")) => ProblemType::InvalidHeader,
            _ => ProblemType::InvalidQuery,
        };
        Self::of(kind).with_errors(faults)
    }

    #[must_use]
    pub fn with_errors(mut self, errors: Vec<Fault>) -> Self {
        self.errors = errors;
        self
    }

    #[must_use]
    pub fn with_detail(mut self, detail: String) -> Self {
        self.detail = detail;
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
    pub(super) fn with_retry_after(self, seconds: u32) -> Self {
        self.with_header(header::RETRY_AFTER, seconds.into())
    }

    /// The answer for a rejected operation.
    #[must_use]
    pub fn of_rejected(id: OperationId, error: &OperationError) -> Self {
        Self::of_error(error, RETRY_AFTER).with_operation(id)
    }

    /// The answer for such an operation when its request comes again under its `Idempotency-Key`.
    #[must_use]
    pub fn of_repeated(id: OperationId, error: &OperationError) -> Self {
        let mut problem = Self::of_rejected(id, error);
        problem.detail.push_str(
            ". This is the answer to the first request with this Idempotency-Key: the key returns it for 24 hours, \
             use a new one to retry",
        );
        problem
    }

    /// The answer for a failure of the ledger, whose reason is for the log only.
    #[must_use]
    pub(super) fn of_ledger(error: &LedgerError) -> Self {
        match error {
            LedgerError::Unavailable(_) => {
                Self::of(ProblemType::LedgerUnavailable).with_retry_after(RETRY_AFTER)
            }
            LedgerError::Rewound(_) => Self::of(ProblemType::LogRewound).with_retry_after(RETRY_AFTER),
            LedgerError::Corrupt(_) | LedgerError::UnreadableEvent(_) => Self::internal(),
        }
    }

    /// The problem of an operation's error; `retry_after` in seconds, if a retry can help.
    fn of_error(error: &OperationError, retry_after: u32) -> Self {
        let kind = ProblemType::from(error.code);
        let mut problem = Self::new(kind, error.detail.clone());
        problem.upstream.clone_from(&error.upstream);
        match kind.describe().status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                problem.with_retry_after(retry_after)
            }
            _ => problem,
        }
    }
}

/// A wait in whole seconds, rounded up.
fn seconds(wait: Option<Duration>) -> Option<u32> {
    wait.and_then(|wait| u32::try_from(wait.as_millis().div_ceil(1000)).ok())
}

impl From<ModifyError> for Problem {
    fn from(error: ModifyError) -> Self {
        match error {
            ModifyError::InProgress(id) => Self::of(ProblemType::OperationInProgress).with_operation(id),
            ModifyError::KeyReused => Self::of(ProblemType::IdempotencyKeyReused),
            ModifyError::KeyInFlight(id) => {
                Self::of(ProblemType::IdempotencyKeyInFlight).with_operation(id).with_retry_after(1)
            }
            ModifyError::KeyUnverifiable(id) => {
                Self::of(ProblemType::IdempotencyKeyUnverifiable).with_operation(id)
            }
            ModifyError::ReasonRequired { pattern } => {
                Self::of(ProblemType::ReasonRequired).with_detail(format!(
                    "this gateway requires ?reason=… with every change, and the reason must match {pattern}"
                ))
            }
            ModifyError::Invalid(faults) => Self::of(ProblemType::InvalidPatch).with_errors(faults),
            ModifyError::NotReversible { of, reasons } => {
                Self::of(ProblemType::NotReversible).with_errors(reasons).with_operation(of)
            }
            ModifyError::ChangedSince { of, differences } => {
                let problem = Self::of(ProblemType::ChangedSince).with_operation(of);
                Self { differences, ..problem }
            }
            ModifyError::Refused { error, retry_after } => {
                Self::of_error(&error, seconds(retry_after).unwrap_or(RETRY_AFTER))
            }
            ModifyError::Ledger(error) => error.into(),
        }
    }
}

impl From<TunnelError> for Problem {
    fn from(error: TunnelError) -> Self {
        match error {
            TunnelError::Refused { error, retry_after } => {
                Self::of_error(&error, seconds(retry_after).unwrap_or(RETRY_AFTER))
            }
            TunnelError::Ledger(error) => error.into(),
        }
    }
}

impl From<TunnelListError> for Problem {
    fn from(error: TunnelListError) -> Self {
        let (account, is_whole, error) = match error {
            TunnelListError::Account { account, is_whole, error } => (account, is_whole, error),
            TunnelListError::Ledger(error) => return error.into(),
        };
        let mut problem = Self::from(error);
        problem.detail = format!(
            "account {account}: {}. `account` limits the list to one account, so that you can list the others",
            problem.detail
        );
        if is_whole && problem.code == ProblemType::UpstreamCredentials.code() {
            problem.detail.push_str(
                "; if the credentials may list some VPCs or gateways only, ask for these with `vpc_id` or `gateway_id`",
            );
        }
        Self { account: Some(account), ..problem }
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        error!(error = crate::causes::chain(&error), "the ledger failed");
        Self::of_ledger(&error)
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
    fn the_type_is_the_code_as_a_path() {
        let problem = Problem::from(ModifyError::KeyReused);
        assert_eq!(problem.kind, "/problems/idempotency-key-reused");
        assert_eq!(problem.status, 422);
    }
}
