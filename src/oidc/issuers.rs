//! The issuers. They can be replaced while the service runs; an issuer that stays keeps its keys.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use futures_util::future::join_all;
use secrecy::{ExposeSecret, SecretString};
use tracing::debug;

use crate::clock::Clock;
use crate::domain::principal::Principal;
use crate::metrics::Metrics;
use crate::service::identity::{Identity, InvalidToken, SignIn, TokenError};

use super::fetch::{self, NoClient};
use super::keys::{IssuerKeys, Renewal};
use super::metrics::OidcMetrics;
use super::ring_provider;
use super::settings::Settings;
use super::token::{Unverified, Wanted};
use super::verify;

/// The issuers, in the order of the settings.
pub struct Issuers {
    current: RwLock<Arc<Vec<Issuer>>>,
    /// Grows with each replacement.
    version: AtomicU64,
    clock: Arc<dyn Clock>,
    metrics: OidcMetrics,
}

struct Issuer {
    settings: Settings,
    keys: Arc<IssuerKeys>,
}

/// Issuers that are set up, and not in use yet.
pub struct Prepared(Vec<Issuer>);

impl Issuers {
    /// Sets up the issuers, and fetches their keys in the background: an issuer that can't be reached delays no start.
    ///
    /// # Errors
    /// If no HTTP client can be set up.
    pub fn connect(
        settings: Vec<Settings>,
        clock: Arc<dyn Clock>,
        metrics: &Metrics,
    ) -> Result<Self, NoClient> {
        ring_provider::install();
        let issuers = Self {
            current: RwLock::default(),
            version: AtomicU64::new(0),
            clock,
            metrics: OidcMetrics::new(metrics),
        };
        issuers.replace(settings)?;
        Ok(issuers)
    }

    /// Replaces the issuers.
    ///
    /// # Errors
    /// If no HTTP client can be set up; then nothing changes.
    pub fn replace(&self, settings: Vec<Settings>) -> Result<(), NoClient> {
        self.adopt(self.prepare(settings)?);
        Ok(())
    }

    /// Sets up other issuers, without a change of the current ones.
    ///
    /// # Errors
    /// If no HTTP client can be set up.
    pub fn prepare(&self, settings: Vec<Settings>) -> Result<Prepared, NoClient> {
        let old = self.current();
        let mut issuers = Vec::with_capacity(settings.len());
        for settings in settings {
            let kept = old.iter().find(|old| *old.keys.issuer() == settings.issuer);
            let keys = match kept {
                Some(kept) => kept.keys.clone(),
                None => Arc::new(IssuerKeys::new(
                    settings.issuer.clone(),
                    fetch::client(settings.issuer.is_loopback())?,
                    self.clock.clone(),
                    self.metrics.clone(),
                )),
            };
            issuers.push(Issuer { settings, keys });
        }
        Ok(Prepared(issuers))
    }

    /// Replaces the issuers by those that were prepared last.
    pub fn adopt(&self, Prepared(issuers): Prepared) {
        let old = self.current();
        for gone in old.iter().filter(|old| issuers.iter().all(|new| !Arc::ptr_eq(&new.keys, &old.keys))) {
            self.metrics.forget(gone.settings.issuer.as_str());
        }
        for issuer in &issuers {
            issuer.keys.warm_up();
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(issuers);
        self.version.fetch_add(1, Ordering::Release);
    }

    fn current(&self) -> Arc<Vec<Issuer>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn verify(&self, token: &str) -> Result<Principal, TokenError> {
        let unverified = Unverified::parse(token).map_err(TokenError::Invalid)?;
        let issuers = self.current();
        let issuer = issuers.iter().find(|issuer| issuer.settings.issuer.as_str() == unverified.issuer);
        let issuer = issuer.ok_or(TokenError::Invalid(InvalidToken::UnknownIssuer))?;
        let wanted = unverified.wanted().map_err(TokenError::Invalid)?;
        let claims = issuer.claims(unverified.token, &wanted).await?;
        verify::principal(&claims, &issuer.settings, self.clock.now()).map_err(TokenError::Invalid)
    }
}

impl Issuer {
    /// The claims of a token, verified with the issuer's keys, which are fetched where the cached ones do not fit.
    async fn claims(
        &self,
        token: &str,
        wanted: &Wanted,
    ) -> Result<serde_json::Map<String, serde_json::Value>, TokenError> {
        let snapshot = match self.keys.cached() {
            Some(snapshot) => snapshot,
            None => match self.keys.renew(None).await {
                Renewal::New(snapshot) => snapshot,
                Renewal::Current => return Err(TokenError::Invalid(InvalidToken::UnknownKey)),
                Renewal::Failed { retry_after } => {
                    return Err(TokenError::IssuerUnavailable { retry_after });
                }
            },
        };
        let refusal = match verify::signature(token, wanted, &snapshot.published.keys) {
            Ok(claims) => return Ok(claims),
            Err(refusal) => refusal,
        };
        // The issuer may have rotated its keys.
        let may_be_newer =
            matches!(refusal, InvalidToken::UnknownKey | InvalidToken::OtherKey | InvalidToken::Signature);
        if !may_be_newer {
            return Err(TokenError::Invalid(refusal));
        }
        match self.keys.renew(Some(&snapshot)).await {
            Renewal::New(newer) => {
                verify::signature(token, wanted, &newer.published.keys).map_err(TokenError::Invalid)
            }
            Renewal::Failed { retry_after } if refusal == InvalidToken::UnknownKey => {
                // Perhaps a new key, which can't be fetched now.
                Err(TokenError::IssuerUnavailable { retry_after })
            }
            Renewal::Failed { .. } | Renewal::Current => Err(TokenError::Invalid(refusal)),
        }
    }

    async fn sign_in(&self) -> Option<SignIn> {
        let client = self.settings.client.as_ref()?;
        let snapshot = match self.keys.cached() {
            Some(snapshot) => Some(snapshot),
            None => match self.keys.renew(None).await {
                Renewal::New(snapshot) => Some(snapshot),
                Renewal::Current | Renewal::Failed { .. } => None,
            },
        };
        Some(SignIn {
            issuer: self.settings.issuer.to_string(),
            client_id: client.id.clone(),
            scopes: client.scopes.clone(),
            audiences: self.settings.audiences.clone(),
            endpoints: snapshot.map(|snapshot| snapshot.published.endpoints.clone()),
        })
    }
}

#[async_trait]
impl Identity for Issuers {
    async fn principal(&self, token: &SecretString) -> Result<Principal, TokenError> {
        let found = self.verify(token.expose_secret()).await;
        match &found {
            Ok(_) => {}
            Err(TokenError::Invalid(reason)) => {
                self.metrics.refused(*reason);
                debug!(reason = reason.reason(), "refused a token: {}", reason.description());
            }
            Err(TokenError::IssuerUnavailable { .. }) => self.metrics.unavailable(),
        }
        found
    }

    fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    async fn sign_ins(&self) -> Vec<SignIn> {
        let issuers = self.current();
        join_all(issuers.iter().map(Issuer::sign_in)).await.into_iter().flatten().collect()
    }

    fn token_endpoints(&self) -> Vec<String> {
        let issuers = self.current();
        let with_client = issuers.iter().filter(|issuer| issuer.settings.client.is_some());
        with_client.filter_map(|issuer| issuer.keys.last()?.published.endpoints.token.clone()).collect()
    }
}
