//! What the service needs from the accounts of the cloud: which of them answers for a VPC, and which for an operation.

use std::sync::Arc;

use crate::domain::event::Route;
use crate::domain::ids::VpcId;

use super::cloud::Cloud;

/// The accounts of the cloud. They may change while the service runs.
pub trait Accounts: Send + Sync + 'static {
    /// The cloud that answers for a VPC: that of the first account with a pattern that matches. `None` if no account
    /// answers for it.
    fn of_vpc(&self, vpc: &VpcId) -> Option<Arc<dyn Cloud>>;

    /// The cloud on which an operation ends: its account, on the API that the operation began on. `None` if the account
    /// is gone.
    fn of_route(&self, route: &Route) -> Option<Arc<dyn Cloud>>;
}
