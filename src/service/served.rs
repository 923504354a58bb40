//! The account that answers for a VPC, and the standing of all accounts.

use std::sync::Arc;

use crate::domain::ids::VpcId;
use crate::domain::operation::{ErrorCode, OperationError};

use super::accounts::Account;
use super::cloud::Cloud;
use super::{Service, outcome};

impl Service {
    /// The cloud that answers for a VPC. A request asks once and keeps the answer, so that a change goes to the account
    /// that it was checked for.
    ///
    /// # Errors
    /// `vpc_not_served` if no account answers for it.
    pub fn cloud_of(&self, vpc: &VpcId) -> Result<Arc<dyn Cloud>, OperationError> {
        self.accounts.of_vpc(vpc).ok_or_else(|| outcome::error(ErrorCode::VpcNotServed))
    }

    /// The names of all accounts.
    #[must_use]
    pub fn account_names(&self) -> Vec<String> {
        self.accounts.all().into_iter().map(|account| account.route.account).collect()
    }

    /// All accounts, in the order of the settings.
    #[must_use]
    pub fn all_accounts(&self) -> Vec<Account> {
        self.accounts.all()
    }
}
