//! Spans to a collector, over OTLP (gRPC). Off unless an address is given: then no span is made at all.
//!
//! A span is made where something has a beginning and an end that an operator asks for: a call, a batch, a checkpoint, the
//! start of a generation. Never for each record. Those that make one give it the target [`SPANS`], by which it is known
//! apart from log lines.
//!
//! Invariants:
//! * Who ends a span never waits: it goes into a queue of [`QUEUE`] spans, and is dropped when that is full.
//! * Export has a thread and a runtime of its own. A collector that is away costs the spans, and one warning in
//!   [`WARN_EVERY`] with the code [`codes::OTLP_FAILED`].
//! * At the end of the process what is left is sent within a limit ([`Export::finish`]).

use std::{
    fmt, io,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, SpanData, SpanExporter as Exports},
};
use tokio::runtime::{Builder, Handle, Runtime};
use tracing::{Level, Metadata};
use tracing_subscriber::{Layer as _, filter::filter_fn};

use crate::{codes, logs::LogLayer};

/// Target of all spans that are exported.
pub const SPANS: &str = "billwatch_span";

/// Spans that wait for export; what comes when it is full is dropped.
pub const QUEUE: usize = 4_096;
/// Spans in one message.
const BATCH: usize = 512;
/// Longest time that a span waits for others to travel with.
const EXPORT_EVERY: Duration = Duration::from_secs(1);
/// Time that the collector has for a message.
const EXPORT_WITHIN: Duration = Duration::from_secs(5);
/// One warning in this time, however often export fails.
pub const WARN_EVERY: Duration = Duration::from_secs(60);

/// Address of a collector: `http://HOST:PORT`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Collector(String);

impl FromStr for Collector {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let place = text.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        match place.and_then(|place| place.rsplit_once(':')) {
            Some((host, port)) if !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok() => {
                Ok(Collector(text.to_owned()))
            }
            _ => Err(BadAddress(text.to_owned())),
        }
    }
}

/// Not the address of a collector.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadAddress(String);

impl fmt::Display for BadAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no address of a collector: write http://HOST:PORT (gRPC without TLS, mostly port 4317)",
            self.0
        )
    }
}

impl std::error::Error for BadAddress {}

/// Why export did not start.
#[derive(Debug)]
pub enum StartError {
    /// The system has no thread for it.
    Thread(io::Error),
    /// The address cannot be used.
    Exporter(ExporterBuildError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Thread(error) => write!(f, "export of spans has no thread: {error}"),
            StartError::Exporter(error) => write!(f, "export of spans: {error}. Look at --otlp"),
        }
    }
}

impl std::error::Error for StartError {}

/// Export under way. Must not be dropped inside a tokio runtime.
#[derive(Debug)]
pub struct Export {
    provider: SdkTracerProvider,
    _runtime: Runtime,
}

impl Export {
    /// Starts export to a collector, which need not be there yet. `service` is the role's name, `instance` this process
    /// among all that have the role.
    ///
    /// # Errors
    /// The address cannot be used, or the system has no thread.
    pub fn start(collector: &Collector, service: &'static str, instance: String) -> Result<Export, StartError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("otlp")
            .enable_all()
            .build()
            .map_err(StartError::Thread)?;
        let exporter = {
            // The connection belongs to this runtime; it is made with the first message.
            let _inside = runtime.enter();
            SpanExporter::builder()
                .with_tonic()
                .with_endpoint(&collector.0)
                .with_timeout(EXPORT_WITHIN)
                .build()
                .map_err(StartError::Exporter)?
        };
        let exporter = Patient {
            exporter: Arc::new(exporter),
            collector: collector.clone(),
            runtime: runtime.handle().clone(),
            failures: Mutex::default(),
        };
        let waits = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(EXPORT_EVERY)
            .build();
        let resource = Resource::builder()
            .with_service_name(service)
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attribute(KeyValue::new("service.instance.id", instance))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(waits).build())
            .with_resource(resource)
            .build();
        Ok(Export { provider, _runtime: runtime })
    }

    /// What makes spans of `tracing` into spans of the collector.
    pub fn layer(&self) -> LogLayer {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("billwatch"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false)
            .with_filter(filter_fn(goes_out))
            .boxed()
    }

    /// Sends what is left, as far as it goes within `limit`. Nothing is exported after it.
    pub fn finish(&self, limit: Duration) {
        // What cannot be sent has been warned of.
        let _ = self.provider.shutdown_with_timeout(limit);
    }
}

/// Our spans; and warnings and errors, which become events of the span in which they happen.
fn goes_out(metadata: &Metadata<'_>) -> bool {
    if metadata.is_span() {
        metadata.target() == SPANS
    } else {
        *metadata.level() <= Level::WARN && metadata.target().starts_with("billwatch")
    }
}

/// Sends with a limit, on its own runtime, and warns now and then when it fails.
#[derive(Debug)]
struct Patient {
    exporter: Arc<SpanExporter>,
    collector: Collector,
    runtime: Handle,
    failures: Mutex<Failures>,
}

/// What failed and has not been told.
#[derive(Debug, Default)]
struct Failures {
    spans: usize,
    told: Option<Instant>,
}

impl Failures {
    /// Counts lost spans; gives all that were not told yet when it is time for a warning.
    fn lost(&mut self, spans: usize, now: Instant) -> Option<usize> {
        self.spans += spans;
        if self.told.is_some_and(|told| now.duration_since(told) < WARN_EVERY) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.spans))
    }
}

impl Exports for Patient {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let (spans, exporter) = (batch.len(), self.exporter.clone());
        // Not on the caller's thread: it knows no timers.
        let sending =
            self.runtime.spawn(async move { tokio::time::timeout(EXPORT_WITHIN, exporter.export(batch)).await });
        let result = match sending.await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(OTelSdkError::Timeout(EXPORT_WITHIN)),
            Err(ended) => Err(OTelSdkError::InternalFailure(ended.to_string())),
        };
        if let Err(error) = &result {
            let lost = self.failures.lock().unwrap_or_else(PoisonError::into_inner).lost(spans, Instant::now());
            if let Some(spans) = lost {
                let collector = self.collector.0.as_str();
                tracing::warn!(code = codes::OTLP_FAILED, collector, spans, %error, "spans did not reach the collector");
            }
        }
        result
    }

    fn set_resource(&mut self, resource: &Resource) {
        // Called once, before the first export: nobody else has it yet.
        if let Some(exporter) = Arc::get_mut(&mut self.exporter) {
            exporter.set_resource(resource);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_scheme_host_and_port() {
        for good in ["http://127.0.0.1:4317", "http://collector.monitoring:4317/", "http://[::1]:4317"] {
            assert!(good.parse::<Collector>().is_ok(), "{good}");
        }
        for bad in ["", "collector:4317", "https://collector:4317", "http://collector", "http://:4317", "http://a/b:1"]
        {
            let error = bad.parse::<Collector>().unwrap_err().to_string();
            assert!(error.contains("http://HOST:PORT"), "{error}");
        }
    }

    #[test]
    fn lost_spans_are_told_now_and_then_and_all_of_them() {
        let (mut failures, begin) = (Failures::default(), Instant::now());
        assert_eq!(failures.lost(3, begin), Some(3));
        assert_eq!(failures.lost(4, begin + WARN_EVERY / 2), None);
        assert_eq!(failures.lost(5, begin + WARN_EVERY), Some(9));
    }
}
