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

/// The codes of an answer, secrets taken out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Codes<'a> {
    /// `None`: a success in the envelope of API 3.0.
    pub code: Option<&'a str>,
    pub code_desc: Option<&'a str>,
    pub message: Option<&'a str>,
}

/// Words that leave open what happened, whatever number accompanies them.
const WORDS_OF_DOUBT: &[&str] = &["ServiceUnavailable*", "InternalError*", "InternalServerError*"];

/// String codes, exact or (with `*`) with their details; the first that matches counts.
const WORDS: &[(&str, Meaning)] = &[
    ("InvalidVpc.NotFound", Refused(Refusal::NotFound)),
    ("InvalidVpnGw.NotFound", Refused(Refusal::NotFound)),
    ("InvalidVpnConn.NotFound", Refused(Refusal::NotFound)),
    ("InvalidVpcId.NotFound", Refused(Refusal::NotFound)),
    ("InvalidVpnGatewayId.NotFound", Refused(Refusal::NotFound)),
    ("ResourceNotFound*", Refused(Refusal::NotFound)),
    ("InvalidVpnConnState", Refused(Refusal::WrongState)),
    ("ActionLocked", Refused(Refusal::WrongState)),
    ("ResourceInUse*", Refused(Refusal::WrongState)),
    ("OperationDenied.MutexTaskRunning", Refused(Refusal::WrongState)),
    ("UnsupportedOperation.InvalidState", Refused(Refusal::WrongState)),
    ("UnsupportedOperation.VpnConnInvalidState", Refused(Refusal::WrongState)),
    ("UnsupportedOperation.MutexOperationTaskRunning", Refused(Refusal::WrongState)),
    ("UnsupportedOperation.LockedResources", Refused(Refusal::WrongState)),
    ("InvalidVpnConnName*", Refused(Refusal::InvalidParameter)),
    ("InvalidUserGw.NotFound", Refused(Refusal::InvalidParameter)),
    ("InvalidParameter*", Refused(Refusal::InvalidParameter)),
    ("InvalidParameterValue*", Refused(Refusal::InvalidParameter)),
    ("MissingParameter*", Refused(Refusal::InvalidParameter)),
    ("UnknownParameter*", Refused(Refusal::InvalidParameter)),
    ("RequestLimitExceeded*", Rate),
    ("LimitExceeded.ActionLimited", Rate),
    // Quotas of resources, not of calls: waiting does not help, and no parameter is wrong.
    ("LimitExceeded*", Refused(Refusal::Other)),
    ("VpnConnLimitExceeded", Refused(Refusal::Other)),
    ("AuthFailure.SignatureExpire", Expired),
    ("AuthFailure*", Refused(Refusal::Credentials)),
    ("UnauthorizedOperation*", Refused(Refusal::Credentials)),
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
pub(super) fn of(codes: Codes<'_>) -> Meaning {
    let Some(code) = codes.code else { return Success };
    let start = codes.message.map(first_word).unwrap_or_default();
    let is_doubtful = |word: &str| WORDS_OF_DOUBT.iter().any(|pattern| matches(pattern, word));
    if is_doubtful(code) || codes.code_desc.is_some_and(is_doubtful) || is_doubtful(start) {
        return Doubt;
    }
    let number = code.parse::<i64>().ok();
    let by_number = NUMBERS.iter().find(|(known, _)| Some(*known) == number).map(|(_, meaning)| *meaning);
    match by_number {
        Some(certain @ (Success | Doubt)) => certain,
        Some(refusal) => match codes.code_desc {
            Some(word) => by_word(word).unwrap_or(refusal),
            None if number == Some(4000) => match by_word(start) {
                Some(which @ Refused(_)) => which,
                _ => refusal,
            },
            None => refusal,
        },
        None => by_word(code).or_else(|| codes.code_desc.and_then(by_word)).unwrap_or(Doubt),
    }
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
    let message = message.trim_start();
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
mod tests {
    use super::*;

    fn meaning(code: &str, code_desc: Option<&str>, message: Option<&str>) -> Meaning {
        of(Codes { code: Some(code), code_desc, message })
    }

    const INVALID: Meaning = Refused(Refusal::InvalidParameter);
    const NOT_FOUND: Meaning = Refused(Refusal::NotFound);

    #[test]
    fn the_word_beside_a_refusal_says_which_one_it_is() {
        assert_eq!(meaning("4000", Some("InvalidVpc.NotFound"), None), NOT_FOUND);
        assert_eq!(meaning("4000", None, Some("(100004)InvalidVpnGw.NotFound.")), NOT_FOUND);
        assert_eq!(meaning("4000", Some("SomethingNew"), Some("bad value")), INVALID);
        assert_eq!(meaning("-3047", Some("InvalidVpnGw.NotFound"), None), NOT_FOUND);
        assert_eq!(meaning("ResourceNotFound", None, None), NOT_FOUND);
    }

    #[test]
    fn a_family_covers_its_details_and_nothing_that_only_looks_like_it() {
        assert_eq!(meaning("InvalidParameterValue.Malformed", None, None), INVALID);
        assert_eq!(meaning("InvalidParameters", None, None), Doubt);
        assert_eq!(meaning("AuthFailure.TokenFailure", None, None), Refused(Refusal::Credentials));
        assert_eq!(meaning("AuthFailure.SignatureExpire", None, None), Expired);
    }

    #[test]
    fn what_no_table_names_is_doubt() {
        for code in ["-3047", "7777", "", "ok", "5100", "4500", "6000", "5400"] {
            assert_eq!(meaning(code, None, Some("ok")), Doubt, "{code}");
        }
        assert_eq!(meaning("-3047", None, Some("(100004)InvalidVpnConn.NotFound: no")), Doubt);
        assert_eq!(meaning("0", Some("Success"), None), Success);
    }

    #[test]
    fn a_word_of_doubt_outweighs_any_number() {
        for code in ["ServiceUnavailable", "InternalError.ModuleError"] {
            assert_eq!(meaning(code, None, None), Doubt, "{code}");
            assert_eq!(meaning("4000", Some(code), None), Doubt, "{code}");
            assert_eq!(meaning("4000", None, Some(&format!("(1){code}: x"))), Doubt, "{code}");
        }
        assert_eq!(meaning("6000", Some("RequestLimitExceeded"), None), Doubt);
        assert_eq!(meaning("5400", None, Some("InvalidParameter: one of them")), Doubt);
    }

    #[test]
    fn a_text_that_a_caller_chose_never_decides() {
        assert_eq!(meaning("5100", None, Some("RequestLimitExceeded is no good name")), Doubt);
        assert_eq!(meaning("4000", None, Some("RequestLimitExceeded is no good name")), INVALID);
        assert_eq!(meaning("4000", None, Some("AuthFailure.SignatureExpire")), INVALID);
        assert_eq!(meaning("4000", None, Some("the name InvalidVpc.NotFound is taken")), INVALID);
        assert_eq!(meaning("4000", None, Some("(x)InvalidVpc.NotFound")), INVALID);
    }
}
