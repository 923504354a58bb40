//! The account that answers for a VPC, and the standing of all accounts.

use std::sync::Arc;

use crate::domain::ids::VpcId;
use crate::domain::operation::{ErrorCode, OperationError};
use crate::domain::principal::VpcScope;

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

    /// The accounts that answer for a VPC of a caller, by name. Each has those of its patterns that the caller may read; a
    /// catch-all account has the caller's.
    #[must_use]
    pub fn readable_accounts(&self, vpcs: &VpcScope) -> Vec<Account> {
        let mut left = vpcs.clone();
        let mut readable = Vec::new();
        for account in self.accounts.all() {
            let vpcs = match &account.vpcs {
                VpcScope::All => left.clone(),
                VpcScope::Matching(patterns) => {
                    let reached = patterns.iter().filter(|pattern| left.reaches(pattern));
                    VpcScope::Matching(reached.cloned().collect())
                }
            };
            // The first account whose pattern matches answers, so later ones never serve these VPCs. Only a star of the
            // account's pattern can match the star of a caller's.
            if let VpcScope::Matching(patterns) = &mut left {
                patterns.retain(|pattern| !account.vpcs.allows(pattern.as_str()));
            }
            let is_empty = matches!(&vpcs, VpcScope::Matching(patterns) if patterns.is_empty());
            if !is_empty {
                readable.push(Account { vpcs, ..account });
            }
        }
        readable.sort_by(|one, other| one.route.account.cmp(&other.route.account));
        readable
    }
}
