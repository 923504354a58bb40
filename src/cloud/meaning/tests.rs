use super::*;

fn meaning(code: &str, code_desc: Option<&str>, message: Option<&str>) -> Meaning {
    of(Codes { code: Some(code), code_desc, message, is_doubtful: false })
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
fn a_code_of_api_3_means_what_its_document_says() {
    let cases: &[(&[&str], Meaning)] = &[
        (&["InvalidVpnGatewayId.NotFound", "ResourceNotFound", "ResourceNotFound.SvcNotExist"], NOT_FOUND),
        (&["InvalidParameterValue.VpnConnCidrConflict", "InvalidParameter.Coexist"], INVALID),
        (&["MissingParameter", "UnknownParameter.WithGuess", "InvalidParameterConflict"], INVALID),
        (&["UnsupportedOperation", "UnsupportedOperation.VpnConnSPDOverlap"], INVALID),
        (
            &["UnsupportedOperation.VpnConnInvalidState", "UnsupportedOperation.MutexOperationTaskRunning"],
            Refused(Refusal::WrongState),
        ),
        (
            &["RequestLimitExceeded", "RequestLimitExceeded.UinLimitExceeded", "LimitExceeded.ActionLimited"],
            Rate,
        ),
        (&["LimitExceeded", "InvalidAction", "UnsupportedRegion"], Refused(Refusal::Other)),
        (&["AuthFailure.SignatureExpire"], Expired),
        (
            &["AuthFailure.TokenFailure", "UnauthorizedOperation", "IpInBlacklist"],
            Refused(Refusal::Credentials),
        ),
    ];
    for (codes, expected) in cases {
        for code in *codes {
            assert_eq!(meaning(code, None, None), *expected, "{code}");
        }
    }
}

#[test]
fn a_code_that_does_not_prove_that_nothing_happened_is_doubt() {
    for code in [
        "InternalError",
        "InternalError.ModuleError",
        "InternalServerError",
        "ServiceUnavailable",
        "FailedOperation",
        "FailedOperation.TaskFailed",
        "ResponseSizeLimitExceeded",
        "ResourceInsufficient",
        "OperationDenied",
        "UnsupportedOperation.DeliveryFailed",
        "UnsupportedOperation.SomethingNew",
        "InvalidParameterValue.MemberApprovalApplicationStarted",
        "SomethingNew",
        "SomethingNew.NotFound",
    ] {
        assert_eq!(meaning(code, None, None), Doubt, "{code}");
    }
}

#[test]
fn a_success_of_api_3_has_no_code() {
    assert_eq!(of(Codes::default()), Success);
}

#[test]
fn a_metric_has_few_labels_whatever_the_cloud_answers() {
    for (code, expected) in [
        ("0", "0"),
        ("-3047", "-3047"),
        ("InvalidParameterValue.Malformed", "InvalidParameterValue"),
        ("UnsupportedOperation.VpnConnInvalidState", "UnsupportedOperation.VpnConnInvalidState"),
        ("UnsupportedOperation.SomethingNew", "other"),
        ("InternalError.ModuleError", "InternalError"),
        ("123456", "other"),
    ] {
        assert_eq!(label(code), expected);
    }
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

/// A documented number refuses beside a word that no table names: API 2.0 names few of its words. A family of API 3.0 that
/// follows something done does not.
#[test]
fn a_word_that_follows_something_done_outweighs_a_refusal() {
    for word in [
        "FailedOperation",
        "FailedOperation.TaskFailed",
        "failedOperation",
        "FailedOperation ",
        "UnsupportedOperation.DeliveryFailed",
        "UnsupportedOperation.IdempotentProcessing",
        "UnsupportedOperation.SomethingNew",
        "ResponseSizeLimitExceeded",
        "ResourceInsufficient",
        "OperationDenied",
        "InvalidParameterValue.MemberApprovalApplicationStarted",
    ] {
        for number in ["0", "4000", "4100", "4200", "4400", "5000", "-3047"] {
            assert_eq!(meaning(number, Some(word), None), Doubt, "{number} {word}");
            assert_eq!(meaning(number, None, Some(&format!("(1){word}: x"))), Doubt, "{number} {word}");
        }
        assert_eq!(meaning(word, Some("InvalidVpc.NotFound"), None), Doubt, "{word}");
    }
    assert_eq!(meaning("4000", Some("UnsupportedOperation.VpnConnSPDOverlap"), None), INVALID);
    assert_eq!(meaning("4000", Some("OperationDenied.MutexTaskRunning"), None), Refused(Refusal::WrongState));
}

#[test]
fn a_change_is_sent_again_only_where_number_and_word_agree() {
    for (number, word, again) in
        [("4400", "RequestLimitExceeded", Rate), ("4200", "AuthFailure.SignatureExpire", Expired)]
    {
        assert_eq!(meaning(number, None, None), again);
        assert_eq!(meaning(number, Some(word), None), again);
        assert_eq!(meaning(number, Some("InvalidVpc.NotFound"), None), NOT_FOUND);
        for other in ["SomethingNew", "requestlimitexceeded", "FailedOperation", "InternalError"] {
            assert_eq!(meaning(number, Some(other), None), Doubt, "{number} {other}");
        }
    }
    assert_eq!(meaning("4400", Some("AuthFailure.SignatureExpire"), None), Doubt);
    assert_eq!(meaning("4200", Some("RequestLimitExceeded"), None), Doubt);
}

#[test]
fn a_word_beside_the_word_of_another_code_refuses_nothing() {
    assert_eq!(meaning("SomethingNew", Some("InvalidVpc.NotFound"), None), Doubt);
    assert_eq!(meaning("InvalidVpc.NotFound", Some("SomethingNew"), None), NOT_FOUND);
}

#[test]
fn a_success_beside_a_refusal_is_doubt() {
    assert_eq!(meaning("0", Some("InvalidVpc.NotFound"), None), Doubt);
    assert_eq!(meaning("0", Some("OK"), Some("ok")), Success);
    for number in ["00", "+0", "-0", "04400", "+4400"] {
        assert_eq!(meaning(number, None, None), Doubt, "{number}");
    }
}

#[test]
fn a_text_that_a_caller_chose_never_decides() {
    assert_eq!(meaning("5100", None, Some("RequestLimitExceeded is no good name")), Doubt);
    assert_eq!(meaning("4000", None, Some("RequestLimitExceeded is no good name")), INVALID);
    assert_eq!(meaning("4000", None, Some("AuthFailure.SignatureExpire")), INVALID);
    assert_eq!(meaning("4000", None, Some("the name InvalidVpc.NotFound is taken")), INVALID);
    assert_eq!(meaning("4000", None, Some("(x)InvalidVpc.NotFound")), INVALID);
}
