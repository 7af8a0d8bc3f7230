//! What the operator tells over HTTP: its metrics, that it lives, and whether it works yet. Nothing is taken in.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus::{Registry, TextEncoder};
use tokio::net::TcpListener;

use super::Failure;

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpAddress {
    /// Nowhere.
    Off,
    /// At this address; port 0 is a free one.
    At(SocketAddr),
}

impl FromStr for HttpAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self::Off);
        }
        text.parse().map(Self::At).map_err(|_| "must be an address and a port, such as 0.0.0.0:8080, or off".to_owned())
    }
}

impl fmt::Display for HttpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::At(address) => address.fmt(f),
        }
    }
}

/// Longest time that a question may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks an operator over HTTP whether it is well.
///
/// # Errors
/// What it says, where it is not; or why it cannot be asked.
pub fn ask(url: &str) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // It is asked over plain HTTP, and yet the client wants a TLS provider.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let answer = reqwest::Client::builder().timeout(PATIENCE).build()?.get(url).send().await?;
        let status = answer.status();
        if status.is_success() { Ok(()) } else { Err(format!("{status}: {}", answer.text().await?.trim()).into()) }
    })
}

/// Gives what is not ready, or nothing.
type Check = Box<dyn Fn() -> Option<String> + Send + Sync>;

/// What has to be ready before the operator is.
pub(super) struct Readiness {
    checks: Mutex<Vec<Check>>,
    begun: Mutex<bool>,
    /// What it says beside being ready.
    remark: Mutex<Option<Check>>,
}

impl Readiness {
    /// Not ready until [`Self::begun`].
    pub(super) fn starting() -> Self {
        Self { checks: Mutex::default(), begun: Mutex::default(), remark: Mutex::default() }
    }

    /// Adds something that has to be ready.
    pub(super) fn require(&self, check: impl Fn() -> Option<String> + Send + Sync + 'static) {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(check));
    }

    /// Adds what is said once everything is ready, where there is something to say.
    pub(super) fn remark(&self, remark: impl Fn() -> Option<String> + Send + Sync + 'static) {
        *self.remark.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(remark));
    }

    /// Everything that has to be ready is known.
    pub(super) fn begun(&self) {
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// What is not ready.
    fn missing(&self) -> Vec<String> {
        let begun = *self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        let starting = (!begun).then(|| "the operator is starting".to_owned());
        starting.into_iter().chain(checks.iter().filter_map(|check| check())).collect()
    }
}

#[derive(Clone)]
struct Told {
    registry: Registry,
    readiness: Arc<Readiness>,
}

/// Listens at once and answers until the operator ends.
///
/// # Errors
/// Where the address cannot be listened on.
pub(super) async fn serve(address: HttpAddress, registry: Registry, readiness: Arc<Readiness>) -> Result<(), Failure> {
    let HttpAddress::At(address) = address else { return Ok(()) };
    let refused = |error: std::io::Error| format!("--http-address {address}: {error}");
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    tracing::info!("/metrics, /healthz and /readyz are at http://{bound}");
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router(Told { registry, readiness })).await {
            tracing::error!(%error, "metrics and health are no longer served");
        }
    });
    Ok(())
}

fn router(told: Told) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .with_state(told)
}

async fn metrics(State(told): State<Told>) -> impl IntoResponse {
    match TextEncoder::new().encode_to_string(&told.registry.gather()) {
        Ok(text) => (StatusCode::OK, [(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text),
        Err(error) => {
            let text = format!("{error}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text)
        }
    }
}

async fn readyz(State(told): State<Told>) -> impl IntoResponse {
    let missing = told.readiness.missing();
    if missing.is_empty() {
        let remark = told.readiness.remark.lock().unwrap_or_else(PoisonError::into_inner);
        let remark = remark.as_ref().and_then(|remark| remark());
        (StatusCode::OK, remark.map_or_else(|| "ok\n".to_owned(), |remark| format!("ok: {remark}\n")))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", missing.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_may_be_off() {
        assert_eq!("off".parse(), Ok(HttpAddress::Off));
        assert_eq!("127.0.0.1:0".parse(), Ok(HttpAddress::At(SocketAddr::from(([127, 0, 0, 1], 0)))));
        assert!(HttpAddress::from_str("8080").is_err());
    }

    #[test]
    fn ready_is_who_has_begun_and_misses_nothing() {
        let readiness = Readiness::starting();
        assert_eq!(readiness.missing(), ["the operator is starting"]);
        readiness.begun();
        assert!(readiness.missing().is_empty());
        readiness.require(|| Some("foundryhubs are not listed".to_owned()));
        assert_eq!(readiness.missing(), ["foundryhubs are not listed"]);
    }
}
