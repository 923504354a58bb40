//! The accounts with their clients.

use std::sync::Arc;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::domain::event::Route;
use crate::domain::ids::VpcId;
use crate::domain::principal::VpcScope;
use crate::metrics::Metrics;
use crate::service::accounts;
use crate::service::cloud::Cloud;
use crate::service::ledger::Calls;

use super::connect::connect;
use super::exchange::NoClient;
use super::line::Line;
use super::metrics::CloudMetrics;
use super::settings::Settings;

/// The accounts, in the order of the settings.
pub struct Accounts(Vec<Account>);

struct Account {
    vpcs: VpcScope,
    cloud: Arc<dyn Cloud>,
}

impl Accounts {
    /// Sets up a client for each account; nothing is sent yet. `calls` shares the accounts' budgets between replicas.
    ///
    /// # Errors
    /// If a client can't be set up.
    pub fn connect(
        settings: Vec<Settings>,
        calls: Arc<dyn Calls>,
        clock: &Arc<dyn Clock>,
        chance: &Arc<dyn Chance>,
        metrics: &Metrics,
    ) -> Result<Self, NoClient> {
        let metrics = CloudMetrics::new(metrics);
        let connected = settings.into_iter().map(|settings| {
            let line = Line::new(&settings, calls.clone(), clock.clone(), chance.clone(), metrics.clone());
            Ok(Account { vpcs: settings.vpcs.clone(), cloud: connect(settings, &line)? })
        });
        connected.collect::<Result<_, _>>().map(Self)
    }
}

impl accounts::Accounts for Accounts {
    fn of_vpc(&self, vpc: &VpcId) -> Option<Arc<dyn Cloud>> {
        let account = self.0.iter().find(|account| account.vpcs.allows(vpc.as_str()))?;
        Some(account.cloud.clone())
    }

    fn of_route(&self, route: &Route) -> Option<Arc<dyn Cloud>> {
        let account = self.0.iter().find(|account| account.cloud.route() == *route)?;
        Some(account.cloud.clone())
    }
}
