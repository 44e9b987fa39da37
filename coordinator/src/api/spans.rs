//! A span for each call, for who asked for them with `--otlp` ([`billwatch_telemetry::otlp`]).
//!
//! It ends when the answer is made; of a stream, when the stream stands. Batches of an ingest stream have their own.

use billwatch_telemetry::otlp::SPANS;
use tonic::codegen::http::Request;
use tracing::{Span, field::Empty};

/// Services that are ours: health and reflection say nothing to an operator.
const OURS: &str = "billwatch.v1.";

/// The span of a call.
pub fn call(request: &Request<()>) -> Span {
    let name = request.uri().path().trim_start_matches('/');
    match name.split_once('/') {
        Some((service, method)) if service.starts_with(OURS) => tracing::info_span!(
            target: SPANS,
            "call",
            otel.name = name,
            otel.kind = "server",
            rpc.system = "grpc",
            rpc.service = service,
            rpc.method = method,
            otel.status_code = Empty,
            error.type = Empty
        ),
        _ => Span::none(),
    }
}

/// The call under way, or the given work of it, ends with an error of this stable reason.
pub fn failed(span: &Span, reason: &'static str) {
    span.record("otel.status_code", "ERROR");
    span.record("error.type", reason);
}
