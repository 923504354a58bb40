//! The accounts with their clients. They can be replaced while the service runs: calls in flight end on the clients that
//! they began with, and an account whose settings stay the same keeps its clients.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::domain::api::Api;
use crate::domain::event::Route;
use crate::domain::ids::VpcId;
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
pub struct Accounts {
    current: RwLock<Arc<Vec<Arc<Account>>>>,
    calls: Arc<dyn Calls>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    metrics: CloudMetrics,
}

/// Accounts that are set up, and not in use yet.
pub struct Prepared {
    accounts: Vec<Arc<Account>>,
    /// Those that differ from the accounts in use.
    names: Vec<String>,
}

struct Account {
    settings: Settings,
    line: Line,
    /// The client of new operations.
    cloud: Arc<dyn Cloud>,
    /// The client of operations that began on the other API.
    other: Arc<dyn Cloud>,
}

impl Account {
    fn connect(settings: Settings, line: Line) -> Result<Self, NoClient> {
        let cloud = connect(settings.clone(), &line)?;
        let api = match settings.api {
            Api::V2 => Api::V3,
            Api::V3 => Api::V2,
        };
        let other = connect(Settings { api, ..settings.clone() }, &line)?;
        Ok(Self { settings, line, cloud, other })
    }
}

impl Accounts {
    /// Sets up the clients of each account; nothing is sent yet. `calls` shares the accounts' budgets between replicas.
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
        let accounts = Self {
            current: RwLock::default(),
            calls,
            clock: clock.clone(),
            chance: chance.clone(),
            metrics: CloudMetrics::new(metrics),
        };
        accounts.replace(settings)?;
        Ok(accounts)
    }

    /// Replaces the accounts; returns the names of those that were added, changed or removed. After an error all stay as
    /// they are.
    ///
    /// # Errors
    /// If a client can't be set up.
    pub fn replace(&self, settings: Vec<Settings>) -> Result<Vec<String>, NoClient> {
        Ok(self.adopt(self.prepare(settings)?))
    }

    /// Sets up other accounts, without a change of the current ones.
    ///
    /// # Errors
    /// If a client can't be set up.
    pub fn prepare(&self, settings: Vec<Settings>) -> Result<Prepared, NoClient> {
        let before = self.current();
        let mut names = Vec::new();
        let mut after = Vec::with_capacity(settings.len());
        for settings in settings {
            let known = before.iter().find(|known| known.settings.account == settings.account);
            if let Some(same) = known.filter(|known| known.settings == settings) {
                after.push(same.clone());
                continue;
            }
            let line = match known {
                Some(known) => known.line.renewed(&known.settings, &settings),
                None => Line::new(
                    &settings,
                    self.calls.clone(),
                    self.clock.clone(),
                    self.chance.clone(),
                    self.metrics.clone(),
                ),
            };
            names.push(settings.account.clone());
            after.push(Arc::new(Account::connect(settings, line)?));
        }
        let is_there = |name: &str| after.iter().any(|account| account.settings.account == name);
        let gone = before.iter().map(|account| &account.settings.account).filter(|name| !is_there(name));
        names.extend(gone.cloned());
        Ok(Prepared { accounts: after, names })
    }

    /// Replaces the accounts by those that were prepared last; returns the names of those that were added, changed or removed.
    pub fn adopt(&self, Prepared { accounts, names }: Prepared) -> Vec<String> {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(accounts);
        names
    }

    fn current(&self) -> Arc<Vec<Arc<Account>>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl accounts::Accounts for Accounts {
    fn of_vpc(&self, vpc: &VpcId) -> Option<Arc<dyn Cloud>> {
        let accounts = self.current();
        let account = accounts.iter().find(|account| account.settings.vpcs.allows(vpc.as_str()))?;
        Some(account.cloud.clone())
    }

    fn of_route(&self, route: &Route) -> Option<Arc<dyn Cloud>> {
        let accounts = self.current();
        let account = accounts.iter().find(|account| account.settings.account == route.account)?;
        // An account that moved to another region does not have the tunnels of before.
        [&account.cloud, &account.other].into_iter().find(|cloud| cloud.route() == *route).cloned()
    }

    fn all(&self) -> Vec<accounts::Account> {
        let of = |account: &Arc<Account>| {
            let seen = account.line.health.seen();
            accounts::Account {
                route: account.cloud.route(),
                vpcs: account.settings.vpcs.clone(),
                is_reachable: seen.is_reachable,
                last_error: seen.last_error,
                calls_left: account.line.budget.left(),
            }
        };
        self.current().iter().map(of).collect()
    }

    fn longest_timeout(&self) -> Duration {
        self.current().iter().map(|account| account.settings.timeout).max().unwrap_or_default()
    }
}
