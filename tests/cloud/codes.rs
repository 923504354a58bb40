//! The cloud's error codes.

use serde_json::{Value, json};
use tunnelgate::service::cloud::{Refusal, Sent};

use crate::doubt::modify;
use crate::stub::Act;
use crate::version::{BOTH, error};

#[tokio::test]
async fn every_code_of_the_documents_is_a_refusal_of_its_kind() {
    use Refusal::{Credentials, InvalidParameter, NotFound, Other, Unavailable, WrongState};
    let cases: &[(Value, Refusal)] = &[
        (json!({"code": 4000, "codeDesc": "InvalidVpc.NotFound"}), NotFound),
        (json!({"code": 4000, "codeDesc": "InvalidVpnGw.NotFound"}), NotFound),
        (json!({"code": 4000, "message": "(100004)InvalidVpnConn.NotFound: no"}), NotFound),
        (json!({"code": -3047, "codeDesc": "InvalidVpnConn.NotFound"}), NotFound),
        (json!({"code": 5000, "message": "no such resource"}), NotFound),
        (json!({"code": 4000, "message": "(100002)bad value"}), InvalidParameter),
        (json!({"code": "4000"}), InvalidParameter),
        (json!({"code": 4000, "codeDesc": "InvalidVpnConnState"}), WrongState),
        (json!({"code": 4100, "message": "authentication failed"}), Credentials),
        (json!({"code": 4101}), Credentials),
        (json!({"code": 4102}), Credentials),
        (json!({"code": 4103}), Credentials),
        (json!({"code": 4104}), Credentials),
        (json!({"code": 4110}), Credentials),
        (json!({"code": 4300}), Credentials),
        (json!({"code": 4600, "message": "protocol"}), Other),
        (json!({"code": 6100, "message": "Action is unknown"}), Other),
        (json!({"code": 6200, "message": "maintenance"}), Unavailable),
        (error("ResourceNotFound", "no"), NotFound),
        (error("InvalidVpnGatewayId.NotFound", "no"), NotFound),
        (error("InvalidParameterValue.Malformed", "no"), InvalidParameter),
        (error("InvalidParameterValue.VpnConnCidrConflict", "no"), InvalidParameter),
        (error("InvalidParameterValue.VpnConnHealthCheckIpConflict", "no"), InvalidParameter),
        (error("MissingParameter", "no"), InvalidParameter),
        (error("UnknownParameter", "no"), InvalidParameter),
        (error("UnsupportedOperation.VpnConnSPDOverlap", "no"), InvalidParameter),
        (error("UnsupportedOperation.VersionNotSupported", "no"), InvalidParameter),
        (error("UnsupportedOperation.VpnConnInvalidState", "no"), WrongState),
        (error("UnsupportedOperation.InvalidState", "no"), WrongState),
        (error("UnsupportedOperation.MutexOperationTaskRunning", "no"), WrongState),
        (error("OperationDenied.MutexTaskRunning", "no"), WrongState),
        (error("ResourceInUse", "no"), WrongState),
        (error("AuthFailure.SignatureFailure", "no"), Credentials),
        (error("AuthFailure.TokenFailure", "no"), Credentials),
        (error("UnauthorizedOperation", "no"), Credentials),
        (error("LimitExceeded", "no"), Other),
        (error("NoSuchVersion", "no"), Other),
    ];
    for (answer, refusal) in cases {
        // A front end may answer in either envelope.
        for version in BOTH {
            let (reply, sent) = modify(version, [Act::Json(answer.clone())]).await;
            assert_eq!(format!("{:?}", reply.sent), format!("{:?}", Sent::Refused(*refusal)), "{answer}");
            assert_eq!(sent, 1, "{answer}");
        }
    }
}
