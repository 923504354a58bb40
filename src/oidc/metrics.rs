//! The metrics of sign-ins.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::metrics::Metrics;
use crate::service::identity::InvalidToken;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Fetch {
    issuer: String,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfIssuer {
    issuer: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    reason: &'static str,
}

/// The metrics of sign-ins.
#[derive(Debug, Clone)]
pub(super) struct OidcMetrics {
    fetches: Family<Fetch, Counter>,
    reachable: Family<OfIssuer, Gauge>,
    refused: Family<Refusal, Counter>,
}

impl OidcMetrics {
    pub(super) fn new(metrics: &Metrics) -> Self {
        Self {
            fetches: metrics.register(
                "oidc_key_fetches",
                "Fetches of an issuer's discovery document and keys, by result",
                Family::default(),
            ),
            reachable: metrics.register(
                "oidc_issuer_reachable",
                "1 if the last fetch of the issuer's keys succeeded, else 0; absent before the first fetch",
                Family::default(),
            ),
            refused: metrics.register(
                "oidc_tokens_refused",
                "Refused tokens of OIDC issuers, by reason",
                Family::default(),
            ),
        }
    }

    /// Counts a fetch.
    pub(super) fn fetched(&self, issuer: &str, result: &'static str, is_ok: bool) {
        self.fetches.get_or_create(&Fetch { issuer: issuer.to_owned(), result }).inc();
        self.reachable.get_or_create(&OfIssuer { issuer: issuer.to_owned() }).set(is_ok.into());
    }

    /// Removes the standing of an issuer that is no longer configured.
    pub(super) fn forget(&self, issuer: &str) {
        self.reachable.remove(&OfIssuer { issuer: issuer.to_owned() });
    }

    /// Counts a refused token.
    pub(super) fn refused(&self, reason: InvalidToken) {
        self.refused.get_or_create(&Refusal { reason: reason.reason() }).inc();
    }

    /// Counts a token that could not be verified without its issuer.
    pub(super) fn unavailable(&self) {
        self.refused.get_or_create(&Refusal { reason: "issuer_unavailable" }).inc();
    }
}
