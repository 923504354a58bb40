//! The two versions of the API: the same questions and answers in the form of each.

use serde_json::{Value, json};
use tunnelgate::domain::api::Api;
use tunnelgate::domain::ids::TunnelPath;
use tunnelgate::domain::patch::{Patch, Requirements};
use tunnelgate::service::cloud::TunnelChange;

use crate::stub::{Act, Received};

/// A version of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    V2,
    V3,
}

pub use Version::{V2, V3};

pub const BOTH: [Version; 2] = [V2, V3];

/// The id of an accepted change's request.
pub const REQUEST_ID: &str = "481e9b6e-81d1-4859-b8cf-a673e010b388";

pub fn path() -> TunnelPath {
    at("vpnx-ol6bcqp0")
}

/// The path of a tunnel.
pub fn at(tunnel: &str) -> TunnelPath {
    TunnelPath {
        vpc_id: "vpc-03vihbk9".parse().expect("an id"),
        gateway_id: "vpngw-kfldykuz".parse().expect("an id"),
        tunnel_id: tunnel.parse().expect("an id"),
    }
}

/// The envelope of API 3.0.
pub fn response(members: Value) -> Value {
    let mut response = json!({"RequestId": REQUEST_ID});
    for (name, member) in members.as_object().expect("members") {
        response[name] = member.clone();
    }
    json!({"Response": response})
}

/// A refusal in the envelope of API 3.0.
pub fn error(code: &str, message: &str) -> Value {
    response(json!({"Error": {"Code": code, "Message": message}}))
}

impl Version {
    pub fn api(self) -> Api {
        match self {
            V2 => Api::V2,
            V3 => Api::V3,
        }
    }

    /// A change without groups.
    pub fn change(self, patch: &Value) -> TunnelChange {
        let api = if self == V2 { Api::V2 } else { Api::V3 };
        let patch = Patch::parse(patch, Requirements { api, groups_go_together: false }).expect("a patch");
        TunnelChange {
            path: path(),
            name: patch.name,
            pre_shared_key: patch.pre_shared_key,
            ranges: patch.ranges,
            ike: None,
            ipsec: None,
            dpd: None,
            negotiation_type: patch.negotiation_type,
            health_check: None,
            customer_gateway_id: patch.customer_gateway_id,
            bgp: None,
        }
    }

    /// A small change; of API 2.0 the example of the cloud's document.
    pub fn example(self) -> TunnelChange {
        self.change(&match self {
            V2 => json!({"peer_cidrs": ["10.100.2.0/24"], "pre_shared_key": "tencenttest"}),
            V3 => json!({"name": "hq", "pre_shared_key": "tencenttest"}),
        })
    }

    /// The answer to an accepted change; of API 2.0 the one of the cloud's document, with the pre-shared key in clear.
    pub fn taken(self) -> Value {
        match self {
            V2 => json!({"code": 0, "message": "", "data": {
                "vpnGwId": "vpngw-kfldykuz", "vpcConnId": "vpnx-ol6bcqp0", "vpcConnStatus": 2,
                "preSharedKey": "tencenttest", "userGwSubnetList": [], "userGwId": 315, "taskId": 12614}}),
            V3 => response(json!({})),
        }
    }

    /// The task of [`Self::taken`].
    pub fn task_id(self) -> &'static str {
        match self {
            V2 => "12614",
            V3 => REQUEST_ID,
        }
    }

    /// A refusal of a call that comes too soon, with its code.
    pub fn busy(self) -> (&'static str, Value) {
        match self {
            V2 => ("4400", json!({"code": 4400, "message": "more requests than the quota allows"})),
            V3 => ("RequestLimitExceeded", error("RequestLimitExceeded", "too many requests")),
        }
    }

    /// A refusal of an old signature.
    pub fn expired(self) -> Value {
        match self {
            V2 => json!({"code": 4200, "message": "request expired"}),
            V3 => error("AuthFailure.SignatureExpire", "the signature has expired"),
        }
    }

    /// An answer about a task: `None` is an unknown status.
    pub fn task(self, succeeded: Option<bool>) -> Value {
        self.task_with(succeeded, "peer refused")
    }

    /// An answer about a failed task, with these words.
    pub fn failed_task(self, words: &str) -> Value {
        self.task_with(Some(false), words)
    }

    fn task_with(self, succeeded: Option<bool>, words: &str) -> Value {
        match self {
            V2 => json!({"code": 0, "data": {"status": succeeded.map_or(7, |yes| u8::from(!yes)),
                                             "output": {"errorCode": -1, "errorMsg": words}}}),
            V3 => {
                let status = succeeded.map_or("ODD", |yes| if yes { "SUCCESS" } else { "FAILED" });
                response(json!({"Status": status, "Output": words, "Result": null}))
            }
        }
    }

    /// Entries per page of a list.
    pub fn page_size(self) -> usize {
        match self {
            V2 => 50,
            V3 => 100,
        }
    }

    /// A tunnel in a list: `vpnx-7`.
    pub fn entry(self, number: usize) -> Value {
        match self {
            V2 => json!({
                "vpcId": "gz_vpc_8849", "unVpcId": "vpc-03vihbk9", "vpnGwId": "547", "unVpnGwId": "vpngw-kfldykuz",
                "vpnConnId": number.to_string(), "unVpnConnId": format!("vpnx-{number}"), "vpnConnName": "hq",
                "preSharedKey": "tencenttest", "vpnConnStatus": "6", "sourceCidr": ["10.0.0.0/16"],
                "destinationCidr": ["172.16.0.0/16"], "IKESet": [], "IPsecSet": {"encryptAlgorithm": "null"},
            }),
            V3 => json!({
                "VpcId": "vpc-03vihbk9", "VpnGatewayId": "vpngw-kfldykuz", "VpnConnectionId": format!("vpnx-{number}"),
                "VpnConnectionName": "hq", "PreShareKey": "tencenttest", "State": "AVAILABLE",
                "SecurityPolicyDatabaseSet": [{"LocalCidrBlock": "10.0.0.0/16", "RemoteCidrBlock": ["172.16.0.0/16"]}],
                "IPSECOptionsSpecification": {"EncryptAlgorithm": "NULL"},
            }),
        }
    }

    /// A page with these tunnels.
    pub fn list(self, numbers: impl IntoIterator<Item = usize>, total: usize) -> Act {
        self.entries(numbers.into_iter().map(|number| self.entry(number)).collect(), total)
    }

    /// A page with these entries.
    pub fn entries(self, entries: Vec<Value>, total: usize) -> Act {
        Act::Json(match self {
            V2 => json!({"code": 0, "message": "", "totalCount": total.to_string(), "data": entries}),
            V3 => response(json!({"TotalCount": total, "VpnConnectionSet": entries})),
        })
    }

    /// The offset that a request for a page has.
    pub fn offset(self, request: &Received) -> usize {
        match self {
            V2 => request.params["offset"].parse().expect("a number"),
            V3 => request.json()["Offset"].as_u64().expect("a number") as usize,
        }
    }

    /// The seconds at which a request was signed.
    pub fn signed_at(self, request: &Received) -> i64 {
        let seconds = match self {
            V2 => &request.params["Timestamp"],
            V3 => &request.headers["x-tc-timestamp"],
        };
        seconds.parse().expect("seconds")
    }

    pub fn action(self, request: &Received) -> &str {
        match self {
            V2 => &request.params["Action"],
            V3 => &request.headers["x-tc-action"],
        }
    }
}

impl Received {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}
