//! A call: who makes it, from where, and how long the caller waits for its answer.

use std::net::IpAddr;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use futures_util::future::LocalBoxFuture;

use crate::domain::event::Origin;
use crate::domain::principal::Principal;

use super::auth::token;
use super::input::headers::Wait;
use super::input::query::Query;
use super::problem::Problem;
use super::request_id::{RequestId, TraceId};
use super::state::HttpState;

/// The longest user agent that the audit log keeps, in characters.
const MAX_USER_AGENT: usize = 256;

/// A call with a valid token. Extracting it authenticates the caller and counts the request against the rate limit;
/// handlers take it as their first argument.
pub struct Call {
    pub state: web::Data<HttpState>,
    pub request: HttpRequest,
    pub principal: Principal,
    pub origin: Origin,
    /// The wait that the caller asks for (`Prefer: wait=N`).
    pub wait: Option<Wait>,
}

impl FromRequest for Call {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let state = request.app_data::<web::Data<HttpState>>().cloned().ok_or_else(Problem::internal)?;
            let wait = Wait::of(&request, state.edge.longest_wait);
            let origin = origin(&state, &request);
            let principal = token::principal(&state, &request, origin.source_ip).await?;
            Ok(Self { state, request, principal, origin, wait })
        })
    }
}

impl Call {
    /// The call's query parameters.
    pub fn query(&self) -> Query {
        Query::parse(self.request.query_string())
    }

    /// Authenticates the caller again: a token can be revoked while its call lasts.
    ///
    /// # Errors
    /// 401 if the token is no longer valid, 503 if the ledger can't be read.
    pub async fn authenticate_again(&mut self) -> Result<(), Problem> {
        self.principal = token::principal(&self.state, &self.request, self.origin.source_ip).await?;
        Ok(())
    }
}

/// The request's origin, as the audit log keeps it.
fn origin(state: &HttpState, request: &HttpRequest) -> Origin {
    let headers = request.headers();
    let user_agent = headers.get(header::USER_AGENT).map(|value| {
        let text = String::from_utf8_lossy(value.as_bytes());
        text.chars().filter(|c| !c.is_control()).take(MAX_USER_AGENT).collect()
    });
    Origin {
        source_ip: source(state, request),
        user_agent,
        request_id: request.extensions().get::<RequestId>().map(|id| id.0.clone()),
        trace_id: request.extensions().get::<TraceId>().and_then(|id| id.0.clone()),
    }
}

/// The request's address: the peer's, or the one that a trusted proxy names.
pub(super) fn source(state: &HttpState, request: &HttpRequest) -> Option<IpAddr> {
    Some(state.edge.source(request.peer_addr()?.ip(), request.headers()))
}
