//! What `/metrics` tells of requests.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

use crate::metrics::Metrics;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    reason: &'static str,
}

/// The figures of the API.
#[derive(Debug, Clone)]
pub(super) struct Figures {
    requests: Family<Answer, Counter>,
    seconds: Family<Answer, Histogram>,
    in_flight: Gauge,
    refused: Family<Refusal, Counter>,
}

/// Counts a request as under way until it is dropped, however it ends.
pub(super) struct UnderWay(Gauge);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.000_5, 2.0, 17))
}

impl Figures {
    pub(super) fn new(metrics: &Metrics) -> Self {
        Self {
            requests: metrics.register(
                "http_requests",
                "Requests by method, route pattern and status",
                Family::default(),
            ),
            seconds: metrics.register(
                "http_request_duration_seconds",
                "Seconds from a request's head to its answer's head",
                Family::new_with_constructor(histogram as fn() -> Histogram),
            ),
            in_flight: metrics.register("http_requests_in_flight", "Requests under way", Gauge::default()),
            refused: metrics.register(
                "auth_refusals",
                "Callers that were refused: no token, an invalid one, too few rights, or too often",
                Family::default(),
            ),
        }
    }

    pub(super) fn begin(&self) -> UnderWay {
        self.in_flight.inc();
        UnderWay(self.in_flight.clone())
    }

    pub(super) fn answered(&self, method: &str, route: &str, status: u16, took: Duration) {
        // Methods are the caller's to invent; labels are not.
        let method = match method {
            "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" => method,
            _ => "other",
        };
        let labels = Answer { method: method.to_owned(), route: route.to_owned(), status };
        self.requests.get_or_create(&labels).inc();
        self.seconds.get_or_create(&labels).observe(took.as_secs_f64());
    }

    pub(super) fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&Refusal { reason }).inc();
    }
}
