//! Traces over OTLP: a span for each reconcile, and one for each call to ARM in it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Bytes;
use axum::http::{Request, Response};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracerProvider, Tracer};
use reqwest::Url;
use tokio::runtime::Handle;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;

use super::Failure;

/// Longest time that one batch of spans may take, and what is left of them when the operator ends.
const LIMIT: Duration = Duration::from_secs(5);

/// Where spans go.
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    /// To the collector at `endpoint`. Spans are sent from a thread of the SDK's, by the runtime behind `handle`.
    ///
    /// # Errors
    /// Where no client can be made for that endpoint.
    pub(super) fn to(endpoint: &OtlpEndpoint, handle: Handle) -> Result<Self, Failure> {
        let client = reqwest::Client::builder().timeout(LIMIT).redirect(reqwest::redirect::Policy::none()).build()?;
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(Sender { client, handle, silent: AtomicBool::new(false) })
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint.traces())
            .with_timeout(LIMIT)
            .build()?;
        let resource = Resource::builder()
            .with_service_name("foundry-operator")
            .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build()))
    }

    /// What hears of spans. Where in the code and on which thread they began is of no use to whoever looks at a trace.
    pub(super) fn layer<S>(&self) -> OpenTelemetryLayer<S, Tracer>
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("foundry-operator"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
    }

    /// Sends what is left.
    pub(super) fn end(&self) {
        if let Err(error) = self.0.shutdown_with_timeout(LIMIT) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

/// Address of a collector, such as `http://collector:4318`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpEndpoint(Url);

impl std::str::FromStr for OtlpEndpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        let http = matches!(url.scheme(), "http" | "https") && url.has_host();
        if http { Ok(Self(url)) } else { Err("must be an address such as http://collector:4318".to_owned()) }
    }
}

impl OtlpEndpoint {
    /// Where spans are sent.
    fn traces(&self) -> String {
        format!("{}/v1/traces", self.0.as_str().trim_end_matches('/'))
    }
}

/// Sends batches by the operator's own runtime: the thread that they come from has none.
#[derive(Debug)]
struct Sender {
    client: reqwest::Client,
    handle: Handle,
    /// The collector did not take the last batch.
    silent: AtomicBool,
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let client = self.client.clone();
        let exchange = async move {
            let answer = client.execute(request).await?.error_for_status()?;
            let (status, body) = (answer.status(), answer.bytes().await?);
            Ok::<_, reqwest::Error>((status, body))
        };
        let answer = self.handle.spawn(exchange).await?;
        let failed = answer.as_ref().err();
        match (failed, self.silent.swap(failed.is_some(), Ordering::Relaxed)) {
            (Some(error), false) => {
                tracing::warn!(%error, "the collector takes no spans, and they are lost until it does");
            }
            (None, true) => tracing::info!("the collector takes spans again"),
            (Some(_), true) | (None, false) => {}
        }
        let (status, body) = answer?;
        Ok(Response::builder().status(status).body(body)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_go_below_the_address_of_the_collector() {
        let endpoint = |text: &str| text.parse().map(|endpoint: OtlpEndpoint| endpoint.traces());
        assert_eq!(endpoint("http://collector:4318").unwrap(), "http://collector:4318/v1/traces");
        assert_eq!(endpoint("https://gateway/otlp/").unwrap(), "https://gateway/otlp/v1/traces");
        assert!(endpoint("collector:4318").is_err());
    }
}
