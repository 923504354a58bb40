//! The settings of an account, for every version of the API.

use std::net::SocketAddr;
use std::time::Duration;

use crate::domain::api::Api;
use crate::domain::principal::VpcScope;

use super::credentials::Credentials;
use super::endpoint::Endpoint;
use super::v2::sign::SignatureMethod;
use super::v2::wire::ParamStyle;

/// Where each version of the API is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    pub v2: Endpoint,
    pub v3: Endpoint,
}

impl Default for Endpoints {
    /// The cloud's own.
    fn default() -> Self {
        let of = |host: &str, path: &str| Endpoint {
            url: format!("https://{host}{path}"),
            signed_host: host.into(),
            path: path.into(),
            is_loopback: false,
        };
        Self { v2: of("vpc.api.qcloud.com", "/v2/index.php"), v3: of("vpc.tencentcloudapi.com", "/") }
    }
}

impl Endpoints {
    /// That of one version.
    pub fn of_mut(&mut self, api: Api) -> &mut Endpoint {
        match api {
            Api::V2 => &mut self.v2,
            Api::V3 => &mut self.v3,
        }
    }

    /// A simulated cloud on this machine.
    #[must_use]
    pub fn simulated(address: SocketAddr) -> Self {
        let of = |path: &str| Endpoint {
            url: format!("http://{address}{path}"),
            signed_host: address.to_string(),
            path: path.into(),
            is_loopback: address.ip().is_loopback(),
        };
        Self { v2: of("/v2/index.php"), v3: of("/") }
    }
}

/// The settings of an account.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// The account's name.
    pub account: String,
    /// The VPCs that the account answers for.
    pub vpcs: VpcScope,
    /// The API of new operations. An operation ends on the API that it began on.
    pub api: Api,
    pub endpoints: Endpoints,
    pub credentials: Credentials,
    pub region: String,
    /// API 2.0 only.
    pub signature_method: SignatureMethod,
    /// API 2.0 only.
    pub param_style: ParamStyle,
    /// The time limit of one call with its retries. Waiting for a slot has a limit of its own, as long as this one.
    pub timeout: Duration,
    /// Calls a second; 0 = no limit.
    pub calls_per_second: u32,
}
