//! The table of problem types: each code with its status and its texts, for answers, pages and the OpenAPI document.

use actix_web::http::StatusCode;

use crate::domain::operation::ErrorCode;
use crate::service::usual_detail;

/// The constant part of a problem type.
#[derive(Debug, Clone, Copy)]
pub struct Description {
    pub status: StatusCode,
    /// The stable snake_case code, for programs.
    pub code: &'static str,
    pub title: &'static str,
    /// The default `detail`; an example of one where `detail` always depends on the request.
    pub detail: &'static str,
    pub meaning: &'static str,
    /// What the caller can do.
    pub remedy: &'static str,
}

/// Declares the types and their table.
macro_rules! problem_types {
    ($($variant:ident = $code:literal, $status:ident, title: $title:literal, detail: $detail:expr,
        meaning: $meaning:literal, remedy: $remedy:expr;)+) => {
        /// A problem type.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ProblemType { $($variant),+ }

        impl ProblemType {
            /// Every type, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The table.
            #[must_use]
            pub const fn describe(self) -> &'static Description {
                match self { $(Self::$variant => const { &Description {
                    status: StatusCode::$status, code: $code, title: $title, detail: $detail,
                    meaning: $meaning, remedy: $remedy,
                } }),+ }
            }
        }

        impl From<ErrorCode> for ProblemType {
            fn from(code: ErrorCode) -> Self { of_error_code!(code) }
        }
    };
}

/// Maps each error of an operation to the type of the same name; an error without a type does not compile.
macro_rules! of_error_code {
    ($code:ident) => {
        of_error_code!($code: TunnelNotFound, VpcNotServed, UpstreamInvalidParameter, TunnelStateConflict, UpstreamRateLimited,
            UpstreamCredentials, UpstreamReplay, UpstreamFailed, UpstreamUnreachable, UpstreamUnavailable, CallBudget,
            TunnelUnreadable, PreconditionFailed, NotSent, AnswerLost, TaskFailed, NotApplied, TaskTimeout)
    };
    ($code:ident: $($variant:ident),+) => { match $code { $(ErrorCode::$variant => Self::$variant),+ } };
}

/// A remedy for a refusal that a retry may not meet again.
macro_rules! with_a_new_key {
    ($remedy:literal) => {
        concat!(
            $remedy,
            " If you sent an `Idempotency-Key`, use a new one: the old key returns this refusal for 24 hours."
        )
    };
}

problem_types! {
    // The request's form.
    InvalidJson = "invalid_json", BAD_REQUEST,
        title: "Body is not valid JSON",
        detail: "the body is not valid JSON: EOF while parsing an object at line 1 column 27",
        meaning: "The body can't be parsed as JSON in UTF-8, or an object contains the same member twice.",
        remedy: "`detail` names the line and the column. Send one JSON object in which every member occurs once.";
    IncompleteBody = "incomplete_body", BAD_REQUEST,
        title: "Body is incomplete",
        detail: "the body ended early",
        meaning: "The connection or the transfer encoding ended before the body did. Nothing was sent to the cloud.",
        remedy: "Send the whole request again.";
    InvalidQuery = "invalid_query", BAD_REQUEST,
        title: "Invalid query",
        detail: "the query is invalid: see errors",
        meaning: "A query parameter is unknown, occurs twice, or has an invalid value. Unknown parameters are refused, so \
            that a typo never widens a search.",
        remedy: "`errors` names every invalid parameter and its valid values; it also names invalid headers.";
    InvalidCursor = "invalid_cursor", BAD_REQUEST,
        title: "Invalid cursor",
        detail: "use next_cursor of the previous page unchanged",
        meaning: "`cursor` is not a cursor of this list.",
        remedy: "Use `next_cursor` or the `Link` header of the previous page unchanged, or start again without a cursor.";
    InvalidHeader = "invalid_header", BAD_REQUEST,
        title: "Invalid header",
        detail: "a header is invalid: see errors",
        meaning: "A header has an invalid value: `If-Match` or `If-None-Match` is neither `*` nor a list of entity tags, \
            `Idempotency-Key` is not a valid key, or `Last-Event-ID` is not a message id. The request is refused, because \
            ignoring the header could do what the caller wants to prevent.",
        remedy: "`errors` names every invalid header and its valid values. Send a tag exactly as `ETag` shows it, with its \
            quotes: `If-Match: \"20ede40bfe565b52a39cee75497cbb8c\"`.";
    MalformedRequest = "malformed_request", BAD_REQUEST,
        title: "Not a valid HTTP request",
        detail: "the request line or a header is not valid HTTP/1.1, or two headers contradict each other",
        meaning: "What arrived is not a request: the request line or a header is not valid HTTP/1.1, `Content-Length` occurs \
            twice or beside `Transfer-Encoding`, or a chunk of the body is malformed. The connection is closed.",
        remedy: "Look at what your client, or a proxy before the gateway, sends: the gateway does not read such a request.";
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT,
        title: "Request did not arrive in time",
        detail: "the head of a request must arrive within 30 seconds",
        meaning: "The connection was open for 30 seconds, or the head of a request was begun, and the whole head did not arrive. The \
            connection is closed.",
        remedy: "Send the request again on a new connection.";
    UriTooLong = "uri_too_long", URI_TOO_LONG,
        title: "URL is too long",
        detail: "a path and its query may have up to 65534 bytes",
        meaning: "The request's path and query exceed the gateway's limit. The connection is closed.",
        remedy: "Shorten the query.";
    HeadersTooLarge = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE,
        title: "Headers are too large",
        detail: "a request may have up to 96 headers and 128 KiB of headers and URL",
        meaning: "The request has too many headers, or they are too long. The connection is closed.",
        remedy: "Send fewer or shorter headers; look at cookies and at headers that proxies add.";
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE,
        title: "Body is too large",
        detail: "a body may have up to 65536 bytes",
        meaning: "The body exceeds the gateway's limit.",
        remedy: "`detail` names the limit. Send a smaller body: a patch contains only the fields to change.";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE,
        title: "Unsupported media type",
        detail: "send one of application/merge-patch+json, application/json, in UTF-8",
        meaning: "`Content-Type` is not a media type of patches, or names a charset other than UTF-8; or `Content-Encoding` says that the body is compressed.",
        remedy: "Send `Content-Type: application/merge-patch+json`; the answer's `Accept-Patch` header lists every accepted type. Send the body uncompressed.";
    NoSuchPath = "no_such_path", NOT_FOUND,
        title: "No such path",
        detail: "this path does not exist; /docs/ lists all paths",
        meaning: "The gateway has no resource at this path.",
        remedy: "Compare the path with those at `/docs/`, including trailing slashes.";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED,
        title: "Method not allowed",
        detail: "allowed here: GET, HEAD, PATCH",
        meaning: "The path exists, but does not support this method.",
        remedy: "Use a method from the answer's `Allow` header.";
    CorsRefused = "cors_refused", BAD_REQUEST,
        title: "Cross-origin request refused",
        detail: "pages of this origin may not call the gateway",
        meaning: "A browser's preflight (`OPTIONS`) was refused: the page's origin is not among the allowed origins, or \
            the page wants to use a method or a header that no call accepts.",
        remedy: "`detail` names the reason. Ask the gateway's operators to add the origin to `TUNNELGATE_CORS_ORIGINS`, or call from a server.";
    NotFound = "not_found", NOT_FOUND,
        title: "Not found",
        detail: "nothing here that your token may read",
        meaning: "The resource does not exist, or it belongs to a VPC that your token may not read. Both look the same on purpose.",
        remedy: "Check the id. If the id is right, ask the gateway's operators for a token that may read its VPC.";
    Archived = "archived", GONE,
        title: "Archived",
        detail: "the events up to seq 5000000 are archived; the log begins at seq 5000001",
        meaning: "The event was moved to files, and the gateway no longer has it. `detail` says where the log begins.",
        remedy: "Ask the gateway's operators for the archived segment that contains the event.";
    MaybeArchived = "maybe_archived", NOT_FOUND,
        title: "Not found, or archived",
        detail: "operations that ended up to 2026-01-31T09:30:00.123456Z are archived",
        meaning: "No operation with this id exists any more, if it ever did: the gateway's operators moved operations of that time to files.",
        remedy: "Check the id. If the id is right, ask the gateway's operators for the archived segment of that time.";

    // The caller.
    Unauthorized = "unauthorized", UNAUTHORIZED,
        title: "Missing or invalid token",
        detail: "send a token: Authorization: Bearer tg_…",
        meaning: "The request has no token, or its token is unknown, expired, revoked, or not one that an issuer of the gateway signed for it. `WWW-Authenticate` distinguishes the cases.",
        remedy: "Send `Authorization: Bearer …` with an API key (`tg_…`) that the gateway's operators created with `tunnelgate keys create`, or with a token of an OIDC issuer that the gateway accepts. For such a token `detail` says what is wrong with it.";
    Forbidden = "forbidden", FORBIDDEN,
        title: "Missing scope",
        detail: "the scope tunnels:write for VPC vpc-03vihbk9 is missing",
        meaning: "The token is valid, but lacks the scope for this call, or its scope does not cover this VPC. The audit \
            log records a refused change as `denied`.",
        remedy: "`detail` and `WWW-Authenticate` name the missing scope. Ask the gateway's operators for a token that has it. \
            The scopes of a token of an OIDC issuer come from the claims that `detail` names, such as your groups.";
    IssuerUnavailable = "issuer_unavailable", SERVICE_UNAVAILABLE,
        title: "Issuer is unreachable",
        detail: "the gateway can't fetch the keys of your token's issuer, so it can't verify the token; API keys work",
        meaning: "The gateway could not fetch the keys that your token's OIDC issuer signs with, and has no keys of it that \
            are recent enough. The token may be valid. Nothing was done. API keys and tokens of other issuers work.",
        remedy: "Send the same request again after `Retry-After` seconds. If the problem persists, tell the gateway's operators.";

    RateLimited = "rate_limited", TOO_MANY_REQUESTS,
        title: "Too many requests",
        detail: "this token has used up its rate limit at the gateway; nothing was done",
        meaning: "Your token has sent more requests than the gateway's operators allow per token. Nothing was done. The \
            `RateLimit-Policy` and `RateLimit` headers of every answer show the limit and the requests left.",
        remedy: "Wait `Retry-After` seconds, then send requests less often. To follow an operation, send `Prefer: wait=55` instead of polling.";
    SignInLimited = "sign_in_limited", TOO_MANY_REQUESTS,
        title: "Too many failed sign-ins",
        detail: "too many invalid tokens came from this address; this token was not checked",
        meaning: "Too many unknown, expired or revoked API keys came from your address, so the gateway no longer checks keys \
            from there that were not valid before. Behind a proxy, many callers may share one address. Tokens of OIDC issuers \
            neither count nor are limited.",
        remedy: "Wait `Retry-After` seconds. Find the job that still uses an old token; if it is not yours, tell the gateway's operators.";

    // The requested change.
    InvalidPatch = "invalid_patch", UNPROCESSABLE_ENTITY,
        title: "Invalid patch",
        detail: "the patch is invalid: see errors",
        meaning: "The patch, or an id in the path, breaks a rule. Nothing was sent to the cloud.",
        remedy: "`errors` lists every fault with a JSON pointer and the limit. Correct all of them and send the patch again.";
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY,
        title: "Idempotency-Key was used for another request",
        detail: "this Idempotency-Key was used for another request within 24 hours: use a new key for a new request",
        meaning: "Another request with the same `Idempotency-Key` came in the last 24 hours. Nothing was sent to the cloud.",
        remedy: "Generate a new key for each new request; reuse a key only to retry the same request.";
    IdempotencyKeyInFlight = "idempotency_key_in_flight", CONFLICT,
        title: "First request is still in flight",
        detail: "the first request with this Idempotency-Key is still in flight: retry in a moment",
        meaning: "A request with the same `Idempotency-Key` is in flight and has no answer yet.",
        remedy: "Send the same request again after `Retry-After` seconds: it returns the first request's answer.";
    IdempotencyKeyUnverifiable = "idempotency_key_unverifiable", CONFLICT,
        title: "Request can't be compared with the first one",
        detail: "the gateway can't determine whether this is the first request with this Idempotency-Key: see its operation",
        meaning: "A request with the same `Idempotency-Key` came before. It differs from this one in its pre-shared key at \
            most, and the gateway's fingerprint key was replaced since, so the pre-shared keys can't be compared. Nothing \
            was sent to the cloud.",
        remedy: "Read the operation that `operation_id` names. If it is not the change that you want, send the request \
            with a new key.";
    ReasonRequired = "reason_required", UNPROCESSABLE_ENTITY,
        title: "A reason is required",
        detail: "this gateway requires ?reason=… with every change, in the form that its operators have set",
        meaning: "The operators set `TUNNELGATE_REQUIRE_REASON`, and the `reason` of this change is missing or does not \
            match. Nothing was sent to the cloud.",
        remedy: "Add `?reason=…` to the URL, for instance the number of a ticket. `detail` has the regular \
            expression that it must match.";
    OperationInProgress = "operation_in_progress", CONFLICT,
        title: "Another change of this tunnel is in progress",
        detail: "a tunnel takes one change at a time: wait until the operation in operation_id has ended",
        meaning: "The cloud carries out one change of a tunnel at a time, and an earlier change has not ended. Nothing was sent.",
        remedy: "Wait for the operation in `operation_id` to end (`GET /operations/{id}` with `Prefer: wait=55`), then send your request again.";
    PreconditionFailed = "precondition_failed", PRECONDITION_FAILED,
        title: "Tunnel has changed",
        detail: usual_detail(ErrorCode::PreconditionFailed),
        meaning: "The tunnel's current `ETag` is not in `If-Match`: the tunnel has changed since you read it. Nothing was sent.",
        remedy: "Read the tunnel again, check that your change still makes sense, and send it with the new `ETag`.";

    NotReversible = "not_reversible", CONFLICT,
        title: "Operation can't be rolled back",
        detail: "the operation can't be rolled back: errors has the reason for each field",
        meaning: "At least one field of the operation can't be put back: the operation has not ended or changed nothing, the \
            tunnel was not read before the change, or the cloud did not show the field then. Nothing was sent.",
        remedy: "`errors` gives the reason for each field. Change the tunnel with a PATCH instead; the operation's `before` \
            shows what is known of its earlier state.";
    ChangedSince = "changed_since", CONFLICT,
        title: "Tunnel has changed since the operation",
        detail: "the tunnel no longer has what the operation left: see differences",
        meaning: "A later change, or a change outside this gateway, set other values in the fields of the operation. A \
            rollback would undo that change too. Nothing was sent.",
        remedy: "`differences` shows what the operation left and what the tunnel has now. To roll back all the same, add \
            `?force=true`.";

    PeerConfigUnavailable = "peer_config_unavailable", CONFLICT,
        title: "No configuration for the peer",
        detail: "the tunnel's settings have no form in this format: errors has the reason for each",
        meaning: "Both ends must agree on a setting that the cloud does not show, whose value the gateway does not know, or that the \
            format does not have. A configuration without it would not bring the tunnel up, so there is none.",
        remedy: "`errors` gives the reason for each setting. Choose another format, change the tunnel, or set the peer by hand from \
            `GET` of the tunnel.";

    VerificationInProgress = "verification_in_progress", TOO_MANY_REQUESTS,
        title: "Another verification is in progress",
        detail: "this process verifies one segment of the chain at a time: retry in a moment",
        meaning: "Another caller's verification of the hash chain is in progress in this process. The limit of one keeps changes fast.",
        remedy: "Retry after `Retry-After` seconds; a verification takes a few seconds.";

    // The cloud refuses.
    TunnelNotFound = "tunnel_not_found", NOT_FOUND,
        title: "Tunnel not found",
        detail: usual_detail(ErrorCode::TunnelNotFound),
        meaning: "The cloud has no such VPC, gateway or tunnel, or they do not belong together. Nothing was changed.",
        remedy: "Check the three ids in the path; an account of API 3.0 (`GET /accounts`) has unified ids only (`vpc-…`, `vpngw-…`, `vpnx-…`). If they are right, ask the gateway's operators for the region of the VPC's account.";
    VpcNotServed = "vpc_not_served", NOT_FOUND,
        title: "VPC is not served",
        detail: usual_detail(ErrorCode::VpcNotServed),
        meaning: "The gateway's operators have set no account of the cloud for this VPC. Nothing was sent.",
        remedy: "Check the VPC's id. If the id is right, ask the gateway's operators to add its account.";
    UpstreamInvalidParameter = "upstream_invalid_parameter", UNPROCESSABLE_ENTITY,
        title: "Cloud rejected a value",
        detail: usual_detail(ErrorCode::UpstreamInvalidParameter),
        meaning: "The patch follows every rule that the gateway knows, but the cloud rejected a value as invalid. Nothing was changed.",
        remedy: "Read the cloud's message in `upstream`, correct the value and send the patch again.";
    TunnelStateConflict = "tunnel_state_conflict", CONFLICT,
        title: "Tunnel can't be changed now",
        detail: usual_detail(ErrorCode::TunnelStateConflict),
        meaning: "The cloud is busy with this tunnel, perhaps because of a change made outside this gateway. Nothing was changed.",
        remedy: with_a_new_key!("Retry in a minute.");
    UpstreamRateLimited = "upstream_rate_limited", TOO_MANY_REQUESTS,
        title: "Cloud's rate limit exceeded",
        detail: usual_detail(ErrorCode::UpstreamRateLimited),
        meaning: "The cloud's quota or rate limit was exceeded through several attempts. Nothing was changed.",
        remedy: "Send the same request again after `Retry-After` seconds.";
    UpstreamCredentials = "upstream_credentials", BAD_GATEWAY,
        title: "Cloud rejected the gateway's credentials",
        detail: usual_detail(ErrorCode::UpstreamCredentials),
        meaning: "The cloud rejected the gateway's own signature, credentials or rights. Your token and your request are not the cause. Nothing was changed.",
        remedy: "Tell the gateway's operators; `request_id` finds the log line.";
    UpstreamReplay = "upstream_replay", BAD_GATEWAY,
        title: "Cloud rejected the call as a replay",
        detail: usual_detail(ErrorCode::UpstreamReplay),
        meaning: "The cloud rejected the gateway's call as expired or replayed, twice. The usual cause is the gateway's clock. Nothing was changed.",
        remedy: with_a_new_key!("Retry; if the problem persists, ask the gateway's operators to check the clock.");
    UpstreamFailed = "upstream_failed", BAD_GATEWAY,
        title: "Cloud refused the change",
        detail: usual_detail(ErrorCode::UpstreamFailed),
        meaning: "The cloud refused the change for another reason. Nothing was changed.",
        remedy: "Read the cloud's message in `upstream`. If it does not help, ask the gateway's operators.";

    // Nothing was sent.
    CallBudget = "call_budget", TOO_MANY_REQUESTS,
        title: "Gateway's call budget is used up",
        detail: usual_detail(ErrorCode::CallBudget),
        meaning: "The gateway limits its calls to the cloud, and no call was free in time. Nothing was sent.",
        remedy: "Send the same request again after `Retry-After` seconds.";
    UpstreamUnreachable = "upstream_unreachable", SERVICE_UNAVAILABLE,
        title: "Cloud is unreachable",
        detail: usual_detail(ErrorCode::UpstreamUnreachable),
        meaning: "The gateway could not connect to the cloud. Nothing was sent.",
        remedy: "Send the same request again after `Retry-After` seconds.";
    UpstreamUnavailable = "upstream_unavailable", SERVICE_UNAVAILABLE,
        title: "Cloud is under maintenance",
        detail: usual_detail(ErrorCode::UpstreamUnavailable),
        meaning: "The cloud does not accept this call because of maintenance. Nothing was changed.",
        remedy: "Retry after `Retry-After` seconds, with growing pauses.";
    TunnelUnreadable = "tunnel_unreadable", SERVICE_UNAVAILABLE,
        title: "Tunnel can't be read",
        detail: usual_detail(ErrorCode::TunnelUnreadable),
        meaning: "The cloud did not return the tunnel. Nothing was sent: the gateway records what the tunnel had before each change, compares it with `If-Match`, checks with API 3.0 that VPC, gateway and tunnel belong together, and merges a partial group such as `ike` with it so that no field falls back to a weak default.",
        remedy: "Retry after `Retry-After` seconds, with the same `Idempotency-Key` if you sent one.";
    NotSent = "not_sent", SERVICE_UNAVAILABLE,
        title: "Change was not sent",
        detail: usual_detail(ErrorCode::NotSent),
        meaning: "The gateway was delayed for so long that another process may have taken the operation over; it gave up rather than risk sending the change twice. Nothing was sent.",
        remedy: "Send the same request again after `Retry-After` seconds.";
    LedgerUnavailable = "ledger_unavailable", SERVICE_UNAVAILABLE,
        title: "Ledger is unavailable",
        detail: "the gateway's ledger is unavailable; nothing was sent to the cloud",
        meaning: "The gateway can't reach the database with its operations and its audit log. It sends nothing that it can't record first.",
        remedy: "Retry after `Retry-After` seconds. If the problem persists, tell the gateway's operators.";
    LogRewound = "log_rewound", SERVICE_UNAVAILABLE,
        title: "Audit log went back",
        detail: "the gateway's audit log went back to an older state; nothing is sent until an operator has accepted the loss",
        meaning: "The database lost the newest events of the audit log, for example because a standby without them was promoted. The gateway sends and writes nothing.",
        remedy: "Tell the gateway's operators. `GET /readyz` names the missing events, and `tunnelgate audit accept-loss` ends the stop.";
    ShuttingDown = "shutting_down", SERVICE_UNAVAILABLE,
        title: "Shutting down",
        detail: "this process is shutting down and accepts no more work",
        meaning: "This process finishes the requests in flight and then exits. Only `/readyz` answers so, for load balancers.",
        remedy: "Send requests to another replica.";
    Internal = "internal", INTERNAL_SERVER_ERROR,
        title: "Internal error",
        detail: "the gateway failed; its log has the reason under the request_id",
        meaning: "The gateway has a fault. If the request was a change, the change may have been sent.",
        remedy: "Check `GET /operations` before you repeat a change, or repeat it with the same `Idempotency-Key`. Give the `request_id` to the gateway's operators.";

    // Errors of operations that were sent: they occur in an operation's `error`, never as an answer of their own.
    AnswerLost = "answer_lost", BAD_GATEWAY,
        title: "Outcome unknown",
        detail: usual_detail(ErrorCode::AnswerLost),
        meaning: "The change was sent, but the answer was lost or could not be parsed: the change may have been applied. It is never sent again. The operation is `unknown` until a read of the tunnel shows the outcome.",
        remedy: "Wait for the operation to end. Do not send the change again before that.";
    TaskFailed = "task_failed", BAD_GATEWAY,
        title: "Cloud's task failed",
        detail: usual_detail(ErrorCode::TaskFailed),
        meaning: "The cloud accepted the change and then failed to carry it out. The tunnel may be unchanged or changed in part.",
        remedy: "Read the cloud's message in the error's `upstream`, check the tunnel, and send the change again if it still makes sense.";
    NotApplied = "not_applied", BAD_GATEWAY,
        title: "Change was not applied",
        detail: usual_detail(ErrorCode::NotApplied),
        meaning: "The change was sent without an answer. Reads of the tunnel showed that it was not applied, and it can no longer take effect.",
        remedy: "Send the change again.";
    TaskTimeout = "task_timeout", BAD_GATEWAY,
        title: "Outcome unknown after the time limit",
        detail: usual_detail(ErrorCode::TaskTimeout),
        meaning: "The gateway could not find out within the time limit how the change ended. It may have been applied.",
        remedy: "Check the tunnel in the cloud's console, then decide whether to send the change again.";
}

impl ProblemType {
    /// The stable code for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.describe().code
    }

    /// The last segment of the type's path: the code with dashes.
    #[must_use]
    pub fn slug(self) -> String {
        self.code().replace('_', "-")
    }

    /// The path of the type's page, which is also the `type` member.
    #[must_use]
    pub fn path(self) -> String {
        format!("/problems/{}", self.slug())
    }

    /// The type with this slug.
    #[must_use]
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.slug() == slug)
    }

    /// False for types that occur only in an operation's `error`.
    #[must_use]
    pub const fn is_answer(self) -> bool {
        !matches!(self, Self::AnswerLost | Self::TaskFailed | Self::NotApplied | Self::TaskTimeout)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_snake_case_and_stand_once_and_every_word_is_there() {
        let mut codes = BTreeSet::new();
        for known in ProblemType::ALL {
            let described = known.describe();
            assert!(codes.insert(described.code), "{} stands twice", described.code);
            assert!(
                described.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{}",
                described.code
            );
            assert!(described.status.is_client_error() || described.status.is_server_error());
            for words in [described.title, described.detail, described.meaning, described.remedy] {
                assert!(words.len() > 5, "{}: {words:?}", described.code);
            }
            assert!(
                described.meaning.ends_with('.') && described.remedy.ends_with('.'),
                "{}",
                described.code
            );
            assert_eq!(ProblemType::from_slug(&known.slug()), Some(*known));
        }
    }

    #[test]
    fn every_error_of_an_operation_is_a_type_with_the_same_code() {
        for code in ErrorCode::ALL {
            assert_eq!(ProblemType::from(*code).code(), code.as_str());
        }
    }
}
