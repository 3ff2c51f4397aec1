//! Traces, exported by OTLP over HTTP where an endpoint for them is set.
//!
//! All spans are made here, with a target of their own: they are in no log line, and cost next to nothing where nobody wants
//! them. Like logs they hold no personal data; a name that a client chose is told only of what was carried out.

use std::collections::HashMap;
use std::fmt::Display;
use std::time::Duration;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::config::TraceSettings;

/// The target of all spans that are exported.
pub(super) const TARGET: &str = "traces";

/// How long the last spans may take at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// The exporter; what it has not exported yet is exported when this is dropped.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// The exporter to the endpoint that is set, if one is.
    pub(super) fn new(settings: &TraceSettings) -> Result<Option<Self>, ExporterBuildError> {
        if settings.endpoint.is_empty() {
            return Ok(None);
        }
        // For endpoints over TLS. It is there already if something else was first.
        rustls::crypto::ring::default_provider().install_default().ok();
        let endpoint = format!("{}/v1/traces", settings.endpoint.trim_end_matches('/'));
        let exporter = SpanExporter::builder().with_http().with_endpoint(endpoint).build()?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sampled))))
            .with_resource(Resource::builder().with_service_name("bluetick").build());
        Ok(Some(Self(provider.build())))
    }

    /// What makes spans.
    pub(super) fn tracer(&self) -> opentelemetry_sdk::trace::SdkTracer {
        self.0.tracer("bluetick")
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown_with_timeout(FLUSH_TIMEOUT) {
            tracing::warn!(error = &error as &dyn std::error::Error, "the last traces were not exported");
        }
    }
}

/// An HTTP request for one of the server's routes. It is part of the trace that its header `traceparent` names.
pub fn request(method: &str, route: &str, traceparent: Option<&str>) -> Span {
    let span = tracing::info_span!(
        target: TARGET, "request", otel.kind = "server", otel.name = format_args!("{method} {route}"),
        http.request.method = method, http.route = route, http.response.status_code = Empty
    );
    if let Some(parent) = traceparent.filter(|_| !span.is_disabled()) {
        let carrier = HashMap::from([("traceparent".to_owned(), parent.to_owned())]);
        // What is no trace is none.
        let _ = span.set_parent(TraceContextPropagator::new().extract(&carrier));
    }
    span
}

/// How a request was answered.
pub fn answered(span: &Span, status: u16) {
    span.record("http.response.status_code", status);
}

/// A query or a mutation.
pub fn operation() -> Span {
    tracing::info_span!(target: TARGET, "operation", graphql.operation.name = Empty, outcome = Empty)
}

/// What became of an operation; its name is told where it was carried out.
pub fn operated(span: &Span, name: Option<&str>, outcome: &str) {
    if let Some(name) = name {
        span.record("graphql.operation.name", name);
    }
    span.record("outcome", outcome);
}

/// A batch of facts that are recorded together.
pub fn recording(facts: usize) -> Span {
    tracing::info_span!(target: TARGET, "record", facts)
}

/// A call to the provider, on a line.
pub fn call(line: impl Display) -> Span {
    tracing::info_span!(target: TARGET, "call", otel.kind = "client", line.id = %line)
}
