//! An account, as the list shows it. Never with credentials.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::connection_fault::ConnectionFault;
use crate::domain::principal::{VpcPattern, VpcScope};
use crate::domain::timestamp::Timestamp;
use crate::service::accounts::{Account, AccountError, AccountFault};

/// An account of the cloud with its standing, as the process that answers has seen it.
#[derive(Serialize, ToSchema)]
#[schema(as = Account)]
pub struct AccountView {
    /// The account's name, as operations and events have it.
    #[schema(example = "prod-gz")]
    pub name: String,
    #[schema(example = "ap-guangzhou")]
    region: String,
    /// The version of the cloud's API that new operations use.
    #[schema(example = "2.0")]
    api: String,
    /// Patterns of the VPCs that the account answers for, as far as you may read them. If several accounts match a VPC, the
    /// first in the gateway's settings answers.
    #[schema(example = json!(["vpc-prod-*"]))]
    vpcs: Vec<String>,
    /// Whether the last call to the cloud got an answer; `null` before the first call.
    reachable: Option<bool>,
    /// The last fault that concerns the account as a whole; `null` if there was none.
    last_error: Option<AccountErrorView>,
    /// Calls to the cloud that this process may start now; `null` if they are not limited.
    #[schema(example = 19)]
    calls_left: Option<u32>,
}

/// The last fault of an account.
#[derive(Serialize, ToSchema)]
#[schema(as = AccountError)]
pub struct AccountErrorView {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    code: AccountFault,
    /// Why the connection failed, with `unreachable` and `no_answer`; `null` if an answer arrived.
    cause: Option<ConnectionFault>,
    /// The cloud's code, if it gave an answer.
    #[schema(example = "4100")]
    upstream_code: Option<String>,
}

impl From<AccountError> for AccountErrorView {
    fn from(AccountError { at, fault, cause, upstream_code }: AccountError) -> Self {
        Self { at, code: fault, cause, upstream_code }
    }
}

impl From<Account> for AccountView {
    fn from(account: Account) -> Self {
        let vpcs = match account.vpcs {
            VpcScope::All => vec!["*".to_owned()],
            VpcScope::Matching(patterns) => patterns.iter().map(VpcPattern::to_string).collect(),
        };
        Self {
            name: account.route.account,
            region: account.route.region,
            api: account.route.api,
            vpcs,
            reachable: account.is_reachable,
            last_error: account.last_error.map(Into::into),
            calls_left: account.calls_left,
        }
    }
}
