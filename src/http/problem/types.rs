//! The one table of problem types: from a code to its status and to the words of its page, of the OpenAPI document and
//! of the tests.

use actix_web::http::StatusCode;

use crate::domain::operation::ErrorCode;
use crate::service::usual_detail;

/// What is the same each time a problem of this type occurs.
#[derive(Debug, Clone, Copy)]
pub struct Description {
    pub status: StatusCode,
    /// For programs: stable and snake_case.
    pub code: &'static str,
    /// The type in a few words.
    pub title: &'static str,
    /// What `detail` says where nothing more is known; an example of it otherwise.
    pub detail: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What the caller does about it.
    pub remedy: &'static str,
}

/// Declares the types and their table.
macro_rules! problem_types {
    ($($variant:ident = $code:literal, $status:ident, title: $title:literal, detail: $detail:expr,
        meaning: $meaning:literal, remedy: $remedy:expr;)+) => {
        /// What kind of problem it is.
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

/// Every error of an operation has a type of the same name: one without does not compile.
macro_rules! of_error_code {
    ($code:ident) => {
        of_error_code!($code: TunnelNotFound, UpstreamInvalidParameter, TunnelStateConflict, UpstreamRateLimited,
            UpstreamCredentials, UpstreamReplay, UpstreamFailed, UpstreamUnreachable, UpstreamUnavailable, CallBudget,
            TunnelUnreadable, PreconditionFailed, NotSent, AnswerLost, TaskFailed, NotApplied, TaskTimeout)
    };
    ($code:ident: $($variant:ident),+) => { match $code { $(ErrorCode::$variant => Self::$variant),+ } };
}

/// The remedy of a refusal that may be over when the same request comes again.
macro_rules! with_a_new_key {
    ($remedy:literal) => {
        concat!($remedy, " If you sent an `Idempotency-Key`, take a new one: the old one repeats this refusal for 24 hours.")
    };
}

problem_types! {
    // The request's form.
    InvalidJson = "invalid_json", BAD_REQUEST,
        title: "the body is no valid JSON",
        detail: "the body is no valid JSON: EOF while parsing an object at line 1 column 27",
        meaning: "The body can't be read as JSON in UTF-8, or a member stands twice in one of its objects.",
        remedy: "`detail` names the line and the column. Send one JSON object in which every member stands once.";
    IncompleteBody = "incomplete_body", BAD_REQUEST,
        title: "the body broke off",
        detail: "the body broke off",
        meaning: "The connection or the transfer encoding ended before the body did. Nothing was sent to the cloud.",
        remedy: "Send the request again, whole.";
    InvalidQuery = "invalid_query", BAD_REQUEST,
        title: "the query can't be understood",
        detail: "the query can't be understood: see errors",
        meaning: "A query parameter is unknown, stands twice, or has a value that it can't have. An unknown one is \
            refused, so that a slip of the pen never widens a search.",
        remedy: "`errors` names every parameter that is wrong, and what it may be; where a header is wrong too, it names that as well.";
    InvalidCursor = "invalid_cursor", BAD_REQUEST,
        title: "the cursor can't be understood",
        detail: "take the cursor from next_cursor, unchanged",
        meaning: "`cursor` is not one that this list has given.",
        remedy: "Take it unchanged from `next_cursor` or from the `Link` header of the page before, or begin anew without one.";
    InvalidHeader = "invalid_header", BAD_REQUEST,
        title: "a header can't be understood",
        detail: "a header can't be understood: see errors",
        meaning: "A header has a value that it can't have: `If-Match` or `If-None-Match` is neither `*` nor a list of \
            entity tags, `Idempotency-Key` is no key, or `Last-Event-ID` is no message's id. It is refused, because to \
            ignore what it asks for would be worse.",
        remedy: "`errors` names every header that is wrong, and what it may be. Give a tag as `ETag` has it, with its \
            quotes: `If-Match: \"20ede40bfe565b52a39cee75497cbb8c\"`.";
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE,
        title: "the body is too large",
        detail: "a body has 65536 bytes at the most",
        meaning: "The body is larger than the gateway reads.",
        remedy: "`detail` names the limit. Send less: a patch holds only what is to change.";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE,
        title: "unknown media type",
        detail: "send one of application/merge-patch+json, application/json, in UTF-8",
        meaning: "`Content-Type` names no media type that a patch can come in, or another charset than UTF-8.",
        remedy: "Send `Content-Type: application/merge-patch+json`; the `Accept-Patch` header of the answer names every one that is taken.";
    NoSuchPath = "no_such_path", NOT_FOUND,
        title: "no such path",
        detail: "no such path; /docs/ shows those that there are",
        meaning: "The gateway has nothing at this address.",
        remedy: "Compare the path with those at `/docs/`; mind the slashes at its end.";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED,
        title: "method not allowed",
        detail: "allowed here: GET, HEAD, PATCH",
        meaning: "The path exists, but not with this method.",
        remedy: "Use a method that the `Allow` header of the answer names.";
    CorsRefused = "cors_refused", BAD_REQUEST,
        title: "this page may not call",
        detail: "pages of this origin may not call",
        meaning: "A browser asked (`OPTIONS`) whether a page of another host may make this call, and it may not: its \
            origin is not among those that the gateway's operators name, or it wants a method or a header that no call uses.",
        remedy: "`detail` says which. Ask the gateway's operators to name the page's origin in `TUNNELGATE_CORS_ORIGINS`, or call from a server.";
    NotFound = "not_found", NOT_FOUND,
        title: "not found",
        detail: "there is nothing here that you may see",
        meaning: "There is no such thing, or it belongs to a VPC that your token may not read: the two look the same on purpose.",
        remedy: "Check the id. If you are sure of it, ask the gateway's operators for a token that may read its VPC.";

    // The caller.
    Unauthorized = "unauthorized", UNAUTHORIZED,
        title: "who are you?",
        detail: "give a token: Authorization: Bearer tg_…",
        meaning: "The request has no token, or one that is unknown, expired or revoked. `WWW-Authenticate` says which of the two.",
        remedy: "Send `Authorization: Bearer tg_…` with a token that the gateway's operators made with `tunnelgate keys create`.";
    Forbidden = "forbidden", FORBIDDEN,
        title: "you may not do this",
        detail: "the scope tunnels:write for VPC vpc-03vihbk9 is missing",
        meaning: "The token is good, but it lacks the scope for this call, or the scope does not cover this VPC. A \
            refused change stands in the audit log as `denied`.",
        remedy: "`detail` and `WWW-Authenticate` name what is missing. Ask the gateway's operators for a token that has it.";

    RateLimited = "rate_limited", TOO_MANY_REQUESTS,
        title: "too many requests",
        detail: "this key has used up its rate limit at the gateway; nothing was done",
        meaning: "Your token has asked more often than the gateway's operators allow one token. Nothing was done. The \
            `RateLimit-Policy` and `RateLimit` headers of every answer say what is allowed and what is left.",
        remedy: "Wait `Retry-After` seconds, then go on more slowly. To follow an operation, wait with `Prefer: wait=60` instead of asking again and again.";
    SignInLimited = "sign_in_limited", TOO_MANY_REQUESTS,
        title: "too many failed sign-ins",
        detail: "too many unknown tokens came from this address; this one was not looked at",
        meaning: "Too many unknown, expired or revoked tokens came from your address, so tokens that were not good before are \
            not even looked at. Behind a proxy the address may be everybody's.",
        remedy: "Wait `Retry-After` seconds. Look for a job that still runs with an old token; if it is none of yours, tell the gateway's operators.";

    // What was asked for.
    InvalidPatch = "invalid_patch", UNPROCESSABLE_ENTITY,
        title: "the patch is invalid",
        detail: "the patch can't be carried out as it is: see errors",
        meaning: "The patch, or an id in the path, breaks a rule. Nothing was sent to the cloud.",
        remedy: "`errors` names every fault at once, with a JSON pointer and the limit that was missed. Mend them all and send it again.";
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY,
        title: "the Idempotency-Key was used before",
        detail: "another request came under this Idempotency-Key within 24 hours: use a new key for a new request",
        meaning: "The same `Idempotency-Key` came with another request in the last 24 hours. Nothing was sent to the cloud.",
        remedy: "Draw a new key for each new request; use the old one only to repeat the very same request.";
    IdempotencyKeyInFlight = "idempotency_key_in_flight", CONFLICT,
        title: "the first request is still being sent",
        detail: "the first request with this Idempotency-Key is still being sent: ask again in a moment",
        meaning: "A request with the same `Idempotency-Key` is under way and has no answer yet.",
        remedy: "Send the same request again after `Retry-After` seconds: it then gives the first one's answer.";
    OperationInProgress = "operation_in_progress", CONFLICT,
        title: "another change of this tunnel is under way",
        detail: "one change at a time on one tunnel: wait until the operation named here has ended",
        meaning: "The cloud carries out one change of a tunnel at a time, and an earlier one has not ended. Nothing was sent.",
        remedy: "Wait for the end of the operation that `operation_id` names (`GET /operations/{id}` with `Prefer: wait=60`), then send yours again.";
    PreconditionFailed = "precondition_failed", PRECONDITION_FAILED,
        title: "the tunnel has changed",
        detail: usual_detail(ErrorCode::PreconditionFailed),
        meaning: "The tunnel is no longer as the `ETag` in `If-Match` says: somebody changed it since you looked. Nothing was sent.",
        remedy: "Read the tunnel again, see whether your change still makes sense, and send it with the new `ETag`.";

    VerificationInProgress = "verification_in_progress", TOO_MANY_REQUESTS,
        title: "another check is under way",
        detail: "this process checks one stretch of the chain at a time: ask again in a moment",
        meaning: "Somebody else's check of the hash chain is under way in this process. One at a time keeps the gateway quick for changes.",
        remedy: "Ask again after `Retry-After` seconds; one check takes some seconds at the most.";

    // The cloud refuses.
    TunnelNotFound = "tunnel_not_found", NOT_FOUND,
        title: "no such tunnel",
        detail: usual_detail(ErrorCode::TunnelNotFound),
        meaning: "The cloud knows no such VPC, gateway or tunnel, or they do not belong together. Nothing was changed.",
        remedy: "Check the three ids in the path, and that the gateway serves the region that they are in.";
    UpstreamInvalidParameter = "upstream_invalid_parameter", UNPROCESSABLE_ENTITY,
        title: "the cloud refuses a value",
        detail: usual_detail(ErrorCode::UpstreamInvalidParameter),
        meaning: "The patch keeps every rule that the gateway knows, but the cloud takes a value for wrong. Nothing was changed.",
        remedy: "Read the cloud's own words in `upstream`, mend the value and send it again.";
    TunnelStateConflict = "tunnel_state_conflict", CONFLICT,
        title: "the tunnel's state allows no change now",
        detail: usual_detail(ErrorCode::TunnelStateConflict),
        meaning: "The cloud is busy with this tunnel, perhaps for somebody who does not use this gateway. Nothing was changed.",
        remedy: with_a_new_key!("Try again in a minute.");
    UpstreamRateLimited = "upstream_rate_limited", TOO_MANY_REQUESTS,
        title: "the cloud limits the rate of calls",
        detail: usual_detail(ErrorCode::UpstreamRateLimited),
        meaning: "The cloud's quota or rate limit held through several tries. Nothing was changed.",
        remedy: with_a_new_key!("Send the same request again after `Retry-After` seconds.");
    UpstreamCredentials = "upstream_credentials", BAD_GATEWAY,
        title: "the cloud refuses the gateway",
        detail: usual_detail(ErrorCode::UpstreamCredentials),
        meaning: "The cloud does not accept the gateway's own signature, credentials or rights. It has nothing to do with your token or your request. Nothing was changed.",
        remedy: "Tell the gateway's operators; `request_id` leads them to the log line.";
    UpstreamReplay = "upstream_replay", BAD_GATEWAY,
        title: "the cloud takes the call for a replay",
        detail: usual_detail(ErrorCode::UpstreamReplay),
        meaning: "The cloud took the gateway's call for expired or replayed, twice. Most often the gateway's clock is wrong. Nothing was changed.",
        remedy: with_a_new_key!("Try again; if it stays, tell the gateway's operators to look at the clock.");
    UpstreamFailed = "upstream_failed", BAD_GATEWAY,
        title: "the cloud refuses the change",
        detail: usual_detail(ErrorCode::UpstreamFailed),
        meaning: "The cloud refused for a reason of its own. Nothing was changed.",
        remedy: "Read the cloud's own words in `upstream`. If they do not help, ask the gateway's operators.";

    // Nothing was sent.
    CallBudget = "call_budget", TOO_MANY_REQUESTS,
        title: "the gateway's call budget is used up",
        detail: usual_detail(ErrorCode::CallBudget),
        meaning: "The gateway may call the cloud only so often, and no place was free in time. Nothing was sent.",
        remedy: with_a_new_key!("Send the same request again after `Retry-After` seconds.");
    UpstreamUnreachable = "upstream_unreachable", SERVICE_UNAVAILABLE,
        title: "the cloud can't be reached",
        detail: usual_detail(ErrorCode::UpstreamUnreachable),
        meaning: "The gateway got no connection to the cloud. Nothing was sent.",
        remedy: with_a_new_key!("Send the same request again after `Retry-After` seconds.");
    UpstreamUnavailable = "upstream_unavailable", SERVICE_UNAVAILABLE,
        title: "the cloud is closed for maintenance",
        detail: usual_detail(ErrorCode::UpstreamUnavailable),
        meaning: "The cloud has closed this call for maintenance. Nothing was changed.",
        remedy: with_a_new_key!("Try again after `Retry-After` seconds, and less and less often.");
    TunnelUnreadable = "tunnel_unreadable", SERVICE_UNAVAILABLE,
        title: "the tunnel can't be read",
        detail: usual_detail(ErrorCode::TunnelUnreadable),
        meaning: "The cloud gave no usable answer about the tunnel. A patch with `If-Match`, or with a part of `ike` or `ipsec` (which is merged with what the tunnel has, so that nothing falls back to a weak default), depends on it: nothing was sent.",
        remedy: with_a_new_key!("Try again after `Retry-After` seconds. A patch that gives its groups whole, without `If-Match`, needs no look at the tunnel.");
    NotSent = "not_sent", SERVICE_UNAVAILABLE,
        title: "the change was not sent",
        detail: usual_detail(ErrorCode::NotSent),
        meaning: "The gateway was held up for so long that it gave the change up rather than risk to send it twice. Nothing was sent.",
        remedy: with_a_new_key!("Send the same request again after `Retry-After` seconds.");
    LedgerUnavailable = "ledger_unavailable", SERVICE_UNAVAILABLE,
        title: "the ledger is unavailable",
        detail: "the gateway's ledger can't be reached; nothing was sent to the cloud",
        meaning: "The gateway can't reach the database of its operations and of its audit log. It sends nothing that it can't write down first.",
        remedy: "Try again after `Retry-After` seconds. If it stays, tell the gateway's operators.";
    ShuttingDown = "shutting_down", SERVICE_UNAVAILABLE,
        title: "shutting down",
        detail: "this process takes no more work",
        meaning: "This process finishes what is under way and then ends. Only `/readyz` says so, to load balancers.",
        remedy: "Send requests to another replica.";
    Internal = "internal", INTERNAL_SERVER_ERROR,
        title: "internal error",
        detail: "the gateway failed; its log says why under the request_id",
        meaning: "A fault of the gateway. If the request was a change, it may be under way.",
        remedy: "Look at `GET /operations` before you repeat a change, or repeat it with the same `Idempotency-Key`. Give the `request_id` to the gateway's operators.";

    // How operations end that were sent: these stand in an operation's `error`, not in an answer of their own.
    AnswerLost = "answer_lost", BAD_GATEWAY,
        title: "no answer tells what became of the change",
        detail: usual_detail(ErrorCode::AnswerLost),
        meaning: "The change was sent, and the answer got lost or can't be understood: it may have happened. It is never sent again. The operation is `unknown` until reading the tunnel has shown what is so.",
        remedy: "Wait for the operation's end. Do not send the change anew before that.";
    TaskFailed = "task_failed", BAD_GATEWAY,
        title: "the cloud's task failed",
        detail: usual_detail(ErrorCode::TaskFailed),
        meaning: "The cloud took the change and then failed to carry it out. The tunnel may be as before, or changed in part.",
        remedy: "Read the cloud's own words in the error's `upstream`, look at the tunnel, and send the change again if it makes sense.";
    NotApplied = "not_applied", BAD_GATEWAY,
        title: "the change did not happen",
        detail: usual_detail(ErrorCode::NotApplied),
        meaning: "The change was sent without an answer, and reading the tunnel showed that it did not happen and can't happen any more.",
        remedy: "Send it again.";
    TaskTimeout = "task_timeout", BAD_GATEWAY,
        title: "no end within the time limit",
        detail: usual_detail(ErrorCode::TaskTimeout),
        meaning: "Nobody could tell within the time limit how the change ended. It may have happened.",
        remedy: "Look at the tunnel in the cloud's console, then decide whether to send it again.";
}

impl ProblemType {
    /// The stable word for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.describe().code
    }

    /// The last part of its page's path: the code with dashes.
    #[must_use]
    pub fn slug(self) -> String {
        self.code().replace('_', "-")
    }

    /// Its page, and what `type` says.
    #[must_use]
    pub fn path(self) -> String {
        format!("/problems/{}", self.slug())
    }

    /// The type with this code.
    #[must_use]
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.slug() == slug)
    }

    /// False for the ends of operations, which are never an answer's own problem.
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
