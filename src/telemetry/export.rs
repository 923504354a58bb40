//! The export of ended spans: a bounded queue, a thread that sends batches to the collector, and counts of all of it. A
//! collector that is slow or gone costs spans, never a request.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::trace::TracerProvider;
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{
    Compression, ExporterBuildError, Protocol, SpanExporter as OtlpExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use opentelemetry_sdk::trace::Sampler as SdkSampler;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, ShouldSample, Span, SpanData, SpanExporter,
    SpanProcessor,
};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use secrecy::ExposeSecret;
use tokio::runtime::Handle;
use tracing::{info, warn};

use crate::config::otel::{Sample, Sampler, Tracing};
use crate::domain::connection_fault::ConnectionFault;
use crate::metrics::Metrics;
use crate::trace;

use super::collector::{Collector, NoCollector};

/// Most spans of one export.
const BATCH: usize = 512;
/// The log has one line about failed exports in this time.
const LINE_EVERY: Duration = Duration::from_secs(60);
/// How long the end of the process waits for the last spans.
const FLUSH: Duration = Duration::from_secs(3);

/// Why traces could not be turned on.
#[derive(Debug, thiserror::Error)]
pub enum NoTraces {
    #[error(transparent)]
    Collector(#[from] NoCollector),
    #[error("can't set up the export of traces")]
    Exporter(#[from] ExporterBuildError),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    result: &'static str,
}

/// The number of ended spans by what became of them.
#[derive(Debug, Clone, Default)]
struct Counts(Family<Outcome, Counter>);

impl Counts {
    fn add(&self, result: &'static str, spans: usize) {
        let spans = u64::try_from(spans).unwrap_or(u64::MAX);
        self.0.get_or_create(&Outcome { result }).inc_by(spans);
    }
}

/// The running export.
pub struct Export {
    provider: SdkTracerProvider,
    counts: Counts,
}

impl Export {
    /// Turns traces on. Exports run on the runtime.
    ///
    /// # Errors
    /// If the HTTP client can't be set up.
    pub fn start(settings: &Tracing, runtime: &Handle) -> Result<Self, NoTraces> {
        let collector = Collector::new(settings, runtime.clone())?;
        let headers = settings.headers.iter();
        let headers = headers.map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect();
        let mut exporter = OtlpExporter::builder()
            .with_http()
            .with_endpoint(&settings.endpoint)
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(settings.timeout)
            .with_headers(headers)
            .with_http_client(collector.clone());
        if settings.gzip {
            exporter = exporter.with_compression(Compression::Gzip);
        }
        let counts = Counts::default();
        for result in ["exported", "failed", "dropped"] {
            counts.add(result, 0);
        }
        let queued = Arc::new(AtomicUsize::new(0));
        let exporter = Counted {
            exporter: exporter.build()?,
            collector,
            queued: queued.clone(),
            counts: counts.clone(),
            logged: Mutex::default(),
        };
        let config = BatchConfigBuilder::default()
            // One more than the limit in front of it: that one counts.
            .with_max_queue_size(settings.queue + 1)
            .with_max_export_batch_size(BATCH.min(settings.queue))
            .with_scheduled_delay(settings.delay)
            .build();
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
        let bounded = Bounded { processor, queued, limit: settings.queue, counts: counts.clone() };
        let provider = SdkTracerProvider::builder()
            .with_span_processor(bounded)
            .with_sampler(sampler(settings.sampler))
            .with_id_generator(trace::Ids::default())
            .with_resource(resource(settings))
            .build();
        trace::install(provider.tracer("tunnelgate"));
        Ok(Self { provider, counts })
    }

    /// Shows the counts in `/metrics`.
    pub fn register(&self, metrics: &Metrics) {
        let help = "Ended spans by what became of them: exported, failed or dropped";
        metrics.register("trace_spans", help, self.counts.0.clone());
    }

    /// Exports the spans that wait, within a time limit.
    pub fn finish(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(FLUSH) {
            warn!(%error, "the last spans were not exported");
        }
    }
}

fn sampler(sampler: Sampler) -> SdkSampler {
    let root = match sampler.root {
        Sample::All => SdkSampler::AlwaysOn,
        Sample::Nothing => SdkSampler::AlwaysOff,
        Sample::Part(part) => SdkSampler::TraceIdRatioBased(part),
    };
    if sampler.follows_parent {
        SdkSampler::ParentBased(Box::new(root) as Box<dyn ShouldSample>)
    } else {
        root
    }
}

fn resource(settings: &Tracing) -> Resource {
    let given = settings.resource.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
    Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attributes(given)
        .build()
}

/// Drops spans that end while the queue is full, and counts them. The queue of the SDK counts them only at its end.
#[derive(Debug)]
struct Bounded {
    processor: BatchSpanProcessor,
    queued: Arc<AtomicUsize>,
    limit: usize,
    counts: Counts,
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.processor.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.queued.fetch_add(1, Ordering::Relaxed) < self.limit {
            self.processor.on_end(span);
        } else {
            self.queued.fetch_sub(1, Ordering::Relaxed);
            self.counts.add("dropped", 1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.processor.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.processor.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.processor.set_resource(resource);
    }
}

/// What the log has about failed exports.
#[derive(Debug, Default)]
struct Logged {
    at: Option<Instant>,
    is_failing: bool,
    /// Spans that were lost since the last line.
    spans: usize,
}

/// Counts what the exporter does, and logs failures now and then.
#[derive(Debug)]
struct Counted {
    exporter: OtlpExporter,
    collector: Collector,
    queued: Arc<AtomicUsize>,
    counts: Counts,
    logged: Mutex<Logged>,
}

impl Counted {
    fn failed(&self, spans: usize, error: &dyn std::fmt::Display) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        logged.spans += spans;
        if logged.at.is_some_and(|at| at.elapsed() < LINE_EVERY) {
            return;
        }
        let spans = std::mem::take(&mut logged.spans);
        (logged.at, logged.is_failing) = (Some(Instant::now()), true);
        drop(logged);
        // The exporter's own error has no cause: that of a connection comes from below, and an answer has none.
        let cause = self.collector.cause();
        let (cause, error) = cause.unwrap_or_else(|| (ConnectionFault::Other, error.to_string()));
        warn!(cause = cause.as_str(), error, spans, "spans can't be exported");
    }

    fn succeeded(&self) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut logged.is_failing) {
            let spans = std::mem::take(&mut logged.spans);
            drop(logged);
            info!(spans, "spans are exported again");
        }
    }
}

impl SpanExporter for Counted {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.collector.forget_cause();
        let exported = self.exporter.export(batch).await;
        self.queued.fetch_sub(spans, Ordering::Relaxed);
        match &exported {
            Ok(()) => {
                self.counts.add("exported", spans);
                self.succeeded();
            }
            Err(error) => {
                self.counts.add("failed", spans);
                self.failed(spans, error);
            }
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
