//! What the service needs from the accounts of the cloud: which of them answers for a VPC, and which for an operation.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::connection_fault::ConnectionFault;
use crate::domain::event::Route;
use crate::domain::ids::VpcId;
use crate::domain::principal::VpcScope;
use crate::domain::timestamp::Timestamp;
use crate::domain::words::words;

use super::cloud::Cloud;

words! {
    /// A fault that concerns an account as a whole.
    pub enum AccountFault {
        /// No connection to the cloud came about.
        Unreachable = "unreachable",
        /// The cloud gave no usable answer.
        NoAnswer = "no_answer",
        /// The cloud refused the account's credentials or rights.
        Credentials = "credentials",
        /// The cloud limited the rate of the account's calls.
        RateLimited = "rate_limited",
        /// The cloud refused a call as expired: the gateway's clock may be wrong.
        Expired = "expired",
        /// The cloud has closed the call for maintenance.
        Unavailable = "unavailable",
    }
}

/// The last fault of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountError {
    pub at: Timestamp,
    pub fault: AccountFault,
    /// Why the connection failed; `None` if the cloud, or a front end of it, gave an answer.
    pub cause: Option<ConnectionFault>,
    /// The cloud's code.
    pub upstream_code: Option<String>,
}

/// An account with its standing, as this process has seen it. Holds no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The account, and the API of new operations.
    pub route: Route,
    /// The VPCs that the account answers for.
    pub vpcs: VpcScope,
    /// Whether the last call got an answer; `None` before the first call.
    pub is_reachable: Option<bool>,
    pub last_error: Option<AccountError>,
    /// Calls that may start now; `None` without a limit.
    pub calls_left: Option<u32>,
}

/// The accounts of the cloud. They may change while the service runs.
pub trait Accounts: Send + Sync + 'static {
    /// The cloud that answers for a VPC: that of the first account with a pattern that matches. `None` if no account
    /// answers for it.
    fn of_vpc(&self, vpc: &VpcId) -> Option<Arc<dyn Cloud>>;

    /// The cloud on which an operation ends: its account, on the API that the operation began on. `None` if the account
    /// is gone.
    fn of_route(&self, route: &Route) -> Option<Arc<dyn Cloud>>;

    /// All accounts, in the order of the settings.
    fn all(&self) -> Vec<Account>;

    /// The longest time limit of one call to any of them.
    fn longest_timeout(&self) -> Duration;
}
