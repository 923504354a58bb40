//! From the cloud's code to what it means for a call: one table (API 2.0, error codes; reference to the string codes
//! of the VPC module).

use crate::service::cloud::Refusal;

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Done.
    Success,
    /// Refused; nothing happened.
    Refused(Refusal),
    /// Quota or rate: refused, worth another try after a wait.
    Rate,
    /// Taken for expired or replayed: refused, worth one more try signed anew.
    Replay,
    /// It may have happened.
    Unknown,
}

/// String codes, exact or (with `*`) by their beginning; the first that fits counts.
const STRINGS: &[(&str, Class)] = &[
    ("InvalidVpc.NotFound", Class::Refused(Refusal::NotFound)),
    ("InvalidVpnGw.NotFound", Class::Refused(Refusal::NotFound)),
    ("InvalidVpnConn.NotFound", Class::Refused(Refusal::NotFound)),
    ("InvalidVpcId.NotFound", Class::Refused(Refusal::NotFound)),
    ("InvalidVpnGatewayId.NotFound", Class::Refused(Refusal::NotFound)),
    ("ResourceNotFound*", Class::Refused(Refusal::NotFound)),
    ("InvalidVpnConnState", Class::Refused(Refusal::WrongState)),
    ("ActionLocked", Class::Refused(Refusal::WrongState)),
    ("ResourceInUse*", Class::Refused(Refusal::WrongState)),
    ("OperationDenied.MutexTaskRunning", Class::Refused(Refusal::WrongState)),
    ("UnsupportedOperation.InvalidState", Class::Refused(Refusal::WrongState)),
    ("UnsupportedOperation.VpnConnInvalidState", Class::Refused(Refusal::WrongState)),
    ("UnsupportedOperation.MutexOperationTaskRunning", Class::Refused(Refusal::WrongState)),
    ("UnsupportedOperation.LockedResources", Class::Refused(Refusal::WrongState)),
    ("InvalidVpnConnName*", Class::Refused(Refusal::InvalidParameter)),
    ("InvalidUserGw.NotFound", Class::Refused(Refusal::InvalidParameter)),
    ("InvalidParameter*", Class::Refused(Refusal::InvalidParameter)),
    ("InvalidParameterValue*", Class::Refused(Refusal::InvalidParameter)),
    ("MissingParameter*", Class::Refused(Refusal::InvalidParameter)),
    ("UnknownParameter*", Class::Refused(Refusal::InvalidParameter)),
    ("RequestLimitExceeded*", Class::Rate),
    ("LimitExceeded.ActionLimited", Class::Rate),
    // Quotas of things, not of calls: waiting does not help, and no parameter is wrong.
    ("LimitExceeded*", Class::Refused(Refusal::Other)),
    ("VpnConnLimitExceeded", Class::Refused(Refusal::Other)),
    ("AuthFailure.SignatureExpire", Class::Replay),
    ("AuthFailure*", Class::Refused(Refusal::Credentials)),
    ("UnauthorizedOperation*", Class::Refused(Refusal::Credentials)),
    ("ServiceUnavailable*", Class::Unknown),
    ("InternalError*", Class::Unknown),
    ("InternalServerError*", Class::Unknown),
];

/// Numeric codes.
const NUMBERS: &[(i64, Class)] = &[
    (0, Class::Success),
    (4000, Class::Refused(Refusal::InvalidParameter)),
    (4100, Class::Refused(Refusal::Credentials)),
    (4101, Class::Refused(Refusal::Credentials)),
    (4102, Class::Refused(Refusal::Credentials)),
    (4103, Class::Refused(Refusal::Credentials)),
    (4104, Class::Refused(Refusal::Credentials)),
    (4105, Class::Refused(Refusal::Credentials)),
    (4106, Class::Refused(Refusal::Credentials)),
    (4110, Class::Refused(Refusal::Credentials)),
    (4200, Class::Replay),
    (4300, Class::Refused(Refusal::Credentials)),
    (4400, Class::Rate),
    (4500, Class::Replay),
    (5000, Class::Refused(Refusal::NotFound)),
    // Partly done: what was done has to be looked at.
    (5400, Class::Unknown),
    (6000, Class::Unknown),
    (6200, Class::Refused(Refusal::Unavailable)),
];

/// What an answer's codes mean. The string code says more than the number, and stands in `codeDesc` or, failing
/// that, somewhere in the message.
#[must_use]
pub fn classify(code: &str, code_desc: Option<&str>, message: Option<&str>) -> Class {
    let number = code.parse::<i64>().ok();
    let known = NUMBERS.iter().find(|(known, _)| Some(*known) == number).map(|(_, class)| *class);
    // No word beside them makes a success or a doubt into a refusal: a change might be sent twice.
    if let Some(certain @ (Class::Success | Class::Unknown)) = known {
        return certain;
    }
    if let Some(class) = code_desc.and_then(by_string).or_else(|| by_string(code)) {
        return class;
    }
    if let Some(class) = message.and_then(inside) {
        return class;
    }
    known.unwrap_or(Class::Refused(Refusal::Other))
}

fn by_string(text: &str) -> Option<Class> {
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(family) => {
            text.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        }
        None => text == pattern,
    };
    STRINGS.iter().find(|(pattern, _)| fits(pattern)).map(|(_, class)| *class)
}

/// A known code as a word of a message: `(100004)InvalidVpc.NotFound: …`.
fn inside(message: &str) -> Option<Class> {
    message
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '.')
        .map(|word| word.trim_end_matches('.'))
        .find_map(by_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_string_code_beats_the_number_wherever_it_stands() {
        let not_found = Class::Refused(Refusal::NotFound);
        assert_eq!(classify("4000", Some("InvalidVpc.NotFound"), None), not_found);
        assert_eq!(classify("-3047", None, Some("(100004)InvalidVpnGw.NotFound.")), not_found);
        assert_eq!(classify("4000", Some(""), Some("bad value")), Class::Refused(Refusal::InvalidParameter));
        assert_eq!(classify("ResourceNotFound", None, None), not_found);
    }

    #[test]
    fn a_family_covers_its_details_and_nothing_that_only_looks_like_it() {
        let wrong = Class::Refused(Refusal::InvalidParameter);
        assert_eq!(classify("InvalidParameterValue.Malformed", None, None), wrong);
        assert_eq!(classify("InvalidParameters", None, None), Class::Refused(Refusal::Other));
        assert_eq!(classify("AuthFailure.TokenFailure", None, None), Class::Refused(Refusal::Credentials));
        assert_eq!(classify("AuthFailure.SignatureExpire", None, None), Class::Replay);
    }

    #[test]
    fn a_code_that_nobody_knows_is_a_refusal_and_never_a_success() {
        for code in ["-3047", "7777", "", "ok"] {
            assert_eq!(classify(code, None, Some("ok")), Class::Refused(Refusal::Other), "{code}");
        }
        assert_eq!(classify("0", Some("Success"), None), Class::Success);
    }

    #[test]
    fn what_may_have_happened_is_unknown() {
        for code in ["6000", "5400", "ServiceUnavailable", "InternalError.ModuleError"] {
            assert_eq!(classify(code, None, None), Class::Unknown, "{code}");
        }
        assert_eq!(classify("6000", Some("RequestLimitExceeded"), None), Class::Unknown);
        assert_eq!(classify("5400", None, Some("InvalidParameter: one of them")), Class::Unknown);
    }
}
