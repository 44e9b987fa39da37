//! Spans leave over real TCP to a collector that speaks OTLP; one that is away or silent holds nobody up.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    time::{Duration, Instant},
};

use billwatch_telemetry::{
    codes,
    otlp::{Collector, Export, QUEUE, SPANS},
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value::Value},
};
use tonic::{Request, Response, Status, transport::server::TcpIncoming};
use tracing::{Event, Level, Subscriber, field::Field};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, SubscriberExt as _},
};

/// Keeps what it is sent.
struct FakeCollector(mpsc::Sender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for FakeCollector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.send(request.into_inner()).unwrap();
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn start(address: SocketAddr) -> Export {
    let collector: Collector = format!("http://{address}").parse().unwrap();
    Export::start(&collector, "billwatch-coordinator", "here:1".to_owned()).unwrap()
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

#[test]
fn a_collector_gets_our_spans_with_their_service() {
    let (sender, received) = mpsc::channel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.spawn(async move {
        let incoming = TcpIncoming::from(tokio::net::TcpListener::from_std(listener).unwrap());
        let service = TraceServiceServer::new(FakeCollector(sender));
        tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming).await.unwrap();
    });

    let export = start(address);
    tracing::subscriber::with_default(Registry::default().with(vec![export.layer()]), || {
        let call = tracing::info_span!(target: SPANS, "call", otel.name = "a/b", otel.kind = "server", epoch = 7_u64);
        call.in_scope(|| {
            tracing::info_span!(target: SPANS, "inner").in_scope(|| {});
            tracing::info_span!("of somebody else").in_scope(|| {});
        });
    });
    export.finish(Duration::from_secs(10));

    let mut names = Vec::new();
    for request in received.try_iter() {
        for of_process in request.resource_spans {
            let attributes = of_process.resource.unwrap().attributes;
            assert_eq!(text(&attributes, "service.name"), Some("billwatch-coordinator"));
            assert_eq!(text(&attributes, "service.version"), Some(env!("CARGO_PKG_VERSION")));
            assert_eq!(text(&attributes, "service.instance.id"), Some("here:1"));
            let spans = of_process.scope_spans.into_iter().flat_map(|scope| scope.spans);
            names.extend(spans.map(|span| (span.name, span.parent_span_id.is_empty())));
        }
    }
    names.sort();
    assert_eq!(names, [("a/b".to_owned(), true), ("inner".to_owned(), false)]);
}

/// Counts warnings of spans lost to one collector: other tests lose theirs meanwhile.
struct Warnings {
    collector: String,
    seen: Arc<AtomicUsize>,
}

impl<S: Subscriber> Layer<S> for Warnings {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut told = 0;
        event.record(&mut |field: &Field, value: &dyn std::fmt::Debug| {
            let value = format!("{value:?}");
            told += usize::from(field.name() == "code" && value.contains(codes::OTLP_FAILED));
            told += usize::from(field.name() == "collector" && value.contains(&self.collector));
        });
        if told == 2 && *event.metadata().level() == Level::WARN {
            self.seen.fetch_add(1, SeqCst);
        }
    }
}

#[test]
fn a_collector_that_is_away_costs_one_warning() {
    // A port that nobody listens on any more.
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap();
    let export = start(address);
    let warnings = Arc::new(AtomicUsize::new(0));
    let counter = Warnings { collector: address.to_string(), seen: warnings.clone() };
    let layers = vec![export.layer(), counter.boxed()];
    // The warning comes from another thread: this test alone may set the process's own subscriber.
    tracing::subscriber::set_global_default(Registry::default().with(layers)).unwrap();
    let begun = Instant::now();
    for _ in 0..4 * QUEUE {
        tracing::info_span!(target: SPANS, "lost").in_scope(|| {});
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "spans waited for the collector");
    while warnings.load(SeqCst) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "no warning");
        std::thread::sleep(Duration::from_millis(10));
    }
    export.finish(Duration::from_secs(1));
    assert_eq!(warnings.load(SeqCst), 1);
}

#[test]
fn a_collector_that_is_silent_does_not_hold_up_the_end() {
    // Connections are made by the system, and never answered.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let export = start(listener.local_addr().unwrap());
    tracing::subscriber::with_default(Registry::default().with(vec![export.layer()]), || {
        tracing::info_span!(target: SPANS, "lost").in_scope(|| {});
    });
    let begun = Instant::now();
    export.finish(Duration::from_millis(200));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}
