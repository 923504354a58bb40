//! From the cloud's codes to what an answer proves. The tables are closed lists: a code or a word that they do not name
//! leaves open what happened (API 2.0, error codes; string codes of the VPC module; API 3.0, common errors).

use crate::service::cloud::Refusal;

/// What an answer proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Done.
    Success,
    /// Refused before anything was done.
    Refused(Refusal),
    /// Refused for quota or rate before anything was done; worth a retry after a wait.
    Rate,
    /// Refused as expired before anything was done; worth one retry with a new signature.
    Expired,
    /// The call may have been carried out.
    Doubt,
}

use Meaning::{Doubt, Expired, Rate, Refused, Success};

/// The codes of an answer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Codes<'a> {
    /// `None`: a success in the envelope of API 3.0.
    pub code: Option<&'a str>,
    pub code_desc: Option<&'a str>,
    pub message: Option<&'a str>,
    /// The codes as they were received leave open what happened; masking may have withheld the word that says so.
    pub is_doubtful: bool,
}

/// Words that leave open what happened, whatever number accompanies them. Most follow something that was done.
const WORDS_OF_DOUBT: &[&str] = &[
    "ServiceUnavailable*",
    "InternalError*",
    "InternalServerError*",
    "FailedOperation*",
    "ResponseSizeLimitExceeded*",
    "ResourceInsufficient*",
];

/// Families of which only the details in [`WORDS`] are checks before anything is done.
const FAMILIES_OF_DOUBT: &[&str] = &["UnsupportedOperation*", "OperationDenied*"];

/// String codes, exact or (with `*`) with their details; the first that matches counts. A family is here only if each of its
/// documented details is a check before anything is done. `UnsupportedOperation` is not such a family (`.DeliveryFailed`,
/// `.IdempotentProcessing`), so its details are named one by one.
const WORDS: &[(&str, Meaning)] = &[
    ("InvalidVpc.NotFound", Refused(Refusal::NotFound)),
    ("InvalidVpnGw.NotFound", Refused(Refusal::NotFound)),
    ("InvalidVpnConn.NotFound", Refused(Refusal::NotFound)),
    ("InvalidVpcId.NotFound", Refused(Refusal::NotFound)),
    ("InvalidVpnGatewayId.NotFound", Refused(Refusal::NotFound)),
    ("InvalidVpnConnectionId.NotFound", Refused(Refusal::NotFound)),
    ("ResourceNotFound*", Refused(Refusal::NotFound)),
    ("InvalidVpnConnState", Refused(Refusal::WrongState)),
    ("ActionLocked", Refused(Refusal::WrongState)),
    ("ResourceInUse*", Refused(Refusal::WrongState)),
    ("ResourceUnavailable*", Refused(Refusal::WrongState)),
    ("MutexOperation.TaskRunning", Refused(Refusal::WrongState)),
    ("OperationDenied.MutexTaskRunning", Refused(Refusal::WrongState)),
    ("UnsupportedOperation.InvalidState", Refused(Refusal::WrongState)),
    ("UnsupportedOperation.ResourceIsInvalidState", Refused(Refusal::WrongState)),
    ("UnsupportedOperation.VpnConnInvalidState", Refused(Refusal::WrongState)),
    ("UnsupportedOperation.MutexOperationTaskRunning", Refused(Refusal::WrongState)),
    ("UnsupportedOperation.LockedResources", Refused(Refusal::WrongState)),
    // What the patch asks for is not possible with this tunnel or its gateway.
    ("UnsupportedOperation", Refused(Refusal::InvalidParameter)),
    ("UnsupportedOperation.VersionNotSupported", Refused(Refusal::InvalidParameter)),
    ("UnsupportedOperation.VpcMismatch", Refused(Refusal::InvalidParameter)),
    ("UnsupportedOperation.VpnConnCidrNotSupportedHealthCheck", Refused(Refusal::InvalidParameter)),
    ("UnsupportedOperation.VpnConnRouteTypeMixed", Refused(Refusal::InvalidParameter)),
    ("UnsupportedOperation.VpnConnSPDOverlap", Refused(Refusal::InvalidParameter)),
    ("UnsupportedOperation.VpnUnsupportedBgp", Refused(Refusal::InvalidParameter)),
    ("UnsupportedOperation.VpnUnsupportedBgpAsnEqual", Refused(Refusal::InvalidParameter)),
    ("UnsupportedOperation.VpnUnsupportedModifyBgpAsn", Refused(Refusal::InvalidParameter)),
    ("UnsupportedOperation.VpnUnsupportedNotExistBgpAsn", Refused(Refusal::InvalidParameter)),
    ("InvalidVpnConnName*", Refused(Refusal::InvalidParameter)),
    ("InvalidUserGw.NotFound", Refused(Refusal::InvalidParameter)),
    ("InvalidVpcId.Malformed", Refused(Refusal::InvalidParameter)),
    ("InvalidVpnGatewayId.Malformed", Refused(Refusal::InvalidParameter)),
    ("InvalidVpnConnectionId.Malformed", Refused(Refusal::InvalidParameter)),
    // The change waits for an approval and may still be carried out.
    ("InvalidParameterValue.MemberApprovalApplicationStarted", Doubt),
    ("InvalidParameter*", Refused(Refusal::InvalidParameter)),
    ("InvalidParameterConflict*", Refused(Refusal::InvalidParameter)),
    ("InvalidParameterValue*", Refused(Refusal::InvalidParameter)),
    ("MissingParameter*", Refused(Refusal::InvalidParameter)),
    ("UnknownParameter*", Refused(Refusal::InvalidParameter)),
    ("RequestSizeLimitExceeded", Refused(Refusal::InvalidParameter)),
    ("RequestLimitExceeded*", Rate),
    ("LimitExceeded.ActionLimited", Rate),
    // Quotas of resources, not of calls: waiting does not help, and no parameter is wrong.
    ("LimitExceeded*", Refused(Refusal::Other)),
    ("VpnConnLimitExceeded", Refused(Refusal::Other)),
    ("AuthFailure.SignatureExpire", Expired),
    ("AuthFailure*", Refused(Refusal::Credentials)),
    ("UnauthorizedOperation*", Refused(Refusal::Credentials)),
    // The account accepts calls from some addresses only.
    ("IpInBlacklist", Refused(Refusal::Credentials)),
    ("IpNotInWhitelist", Refused(Refusal::Credentials)),
    // The gateway's settings, or the version of the API, do not fit the cloud.
    ("InvalidAction", Refused(Refusal::Other)),
    ("NoSuchVersion", Refused(Refusal::Other)),
    ("UnsupportedRegion", Refused(Refusal::Other)),
    ("UnsupportedProtocol", Refused(Refusal::Other)),
    ("ActionOffline", Refused(Refusal::Other)),
    ("DryRunOperation", Refused(Refusal::Other)),
];

/// Numeric codes of API 2.0.
const NUMBERS: &[(i64, Meaning)] = &[
    (0, Success),
    (4000, Refused(Refusal::InvalidParameter)),
    (4100, Refused(Refusal::Credentials)),
    (4101, Refused(Refusal::Credentials)),
    (4102, Refused(Refusal::Credentials)),
    (4103, Refused(Refusal::Credentials)),
    (4104, Refused(Refusal::Credentials)),
    (4105, Refused(Refusal::Credentials)),
    (4106, Refused(Refusal::Credentials)),
    (4110, Refused(Refusal::Credentials)),
    (4200, Expired),
    (4300, Refused(Refusal::Credentials)),
    (4400, Rate),
    // The nonce was seen before: a relay may have doubled the call, and its first copy may have been carried out.
    (4500, Doubt),
    (4600, Refused(Refusal::Other)),
    (5000, Refused(Refusal::NotFound)),
    (5100, Doubt),
    (5200, Refused(Refusal::Other)),
    (5300, Refused(Refusal::Other)),
    // Partly done.
    (5400, Doubt),
    (5500, Refused(Refusal::Other)),
    (6000, Doubt),
    (6100, Refused(Refusal::Other)),
    (6200, Refused(Refusal::Unavailable)),
];

/// What an answer's codes prove: `code` decides, then `codeDesc`. A message repeats what a caller wrote, so only a word
/// at its very start counts: one of doubt always, another one only to tell which refusal a bare 4000 is.
///
/// A documented refusal holds beside a word that no table names, because API 2.0 documents few of its words. One that
/// lets the call be sent again does not: a call too many is worse than a wait.
pub(super) fn of(codes: Codes<'_>) -> Meaning {
    let Some(code) = codes.code else { return Success };
    let word = codes.code_desc.map(str::trim).filter(|word| !word.is_empty());
    let start = codes.message.map(first_word).unwrap_or_default();
    if codes.is_doubtful || is_doubtful(code) || word.is_some_and(is_doubtful) || is_doubtful(start) {
        return Doubt;
    }
    let said = word.and_then(by_word);
    match (by_number(code), word) {
        // A success and a refusal at once.
        (Some(Success), _) if said.is_some() => Doubt,
        (Some(certain @ (Success | Doubt)), _) => certain,
        (Some(again @ (Rate | Expired)), Some(_)) => match said {
            Some(agreed) if agreed == again => agreed,
            Some(refusal @ Refused(_)) => refusal,
            _ => Doubt,
        },
        (Some(refusal), Some(_)) => said.unwrap_or(refusal),
        (Some(refusal), None) if code == BAD_PARAMETER => match by_word(start) {
            Some(which @ Refused(_)) => which,
            _ => refusal,
        },
        (Some(refusal), None) => refusal,
        (None, _) if code.parse::<i64>().is_ok() => said.unwrap_or(Doubt),
        (None, _) => by_word(code).unwrap_or(Doubt),
    }
}

/// The number of a missing or malformed parameter. Its message may say which.
const BAD_PARAMETER: &str = "4000";

/// The meaning of a number in its usual spelling.
fn by_number(code: &str) -> Option<Meaning> {
    let number = code.parse::<i64>().ok().filter(|number| number.to_string() == code)?;
    NUMBERS.iter().find(|(known, _)| *known == number).map(|(_, meaning)| *meaning)
}

fn is_doubtful(word: &str) -> bool {
    by_word(word).map_or_else(
        || {
            let word = word.trim().to_ascii_lowercase();
            let families = WORDS_OF_DOUBT.iter().chain(FAMILIES_OF_DOUBT);
            families.into_iter().any(|family| matches(&family.to_ascii_lowercase(), &word))
        },
        |meaning| meaning == Doubt,
    )
}

/// The code for the label of a metric: one of few, whatever the cloud answers. A detail of a family counts for the family.
pub(super) fn label(code: &str) -> &str {
    let is_number = code.len() <= 5 && code.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    if is_number {
        return code;
    }
    let known = WORDS.iter().map(|(pattern, _)| *pattern).chain(WORDS_OF_DOUBT.iter().copied());
    let known = known.into_iter().find(|pattern| matches(pattern, code));
    known.map_or("other", |pattern| pattern.trim_end_matches('*'))
}

fn by_word(word: &str) -> Option<Meaning> {
    WORDS.iter().find(|(pattern, _)| matches(pattern, word)).map(|(_, meaning)| *meaning)
}

fn matches(pattern: &str, word: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(family) => {
            word.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        }
        None => word == pattern,
    }
}

/// The word that a message begins with, after a module number in brackets: `(100004)InvalidVpc.NotFound: …`.
fn first_word(message: &str) -> &str {
    let message = message.trim_start_matches(|c: char| c.is_whitespace() || c.is_control());
    let bracketed = message.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    let message = match bracketed {
        Some((module, rest)) if !module.is_empty() && module.bytes().all(|b| b.is_ascii_digit()) => {
            rest.trim_start()
        }
        _ => message,
    };
    let end = message.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(message.len());
    message[..end].trim_end_matches('.')
}

#[cfg(test)]
mod tests;
