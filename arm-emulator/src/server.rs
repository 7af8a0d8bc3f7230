//! Which handler gets a request, and its entry in the journal.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Extension, Path, Request, State};
use axum::http::{StatusCode, Uri, Version};
use axum::response::Response;
use axum::routing::{get, post};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::answer::Answer;
use crate::control;
use crate::emulator::Shared;
use crate::errors;
use crate::faults::wire::{self, Cut};
use crate::faults::{Fault, Moment};
use crate::gateway::{self, Call, Handled};
use crate::journal::{self, JournalEntry};

/// ARM takes no larger bodies than 4 MB.
const LARGEST_BODY: usize = 4 * 1024 * 1024;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/{tenant}/oauth2/v2.0/token", post(token))
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(openid_configuration))
        .route("/common/discovery/instance", get(instance_discovery))
        .nest("/_emulator", control::router())
        .fallback(arm)
        .with_state(shared)
}

async fn token(
    State(shared): State<Arc<Shared>>,
    Extension(cut): Extension<Cut>,
    Path(tenant): Path<String>,
    (version, uri): (Version, Uri),
    body: Bytes,
) -> Response {
    let mut entry = entry("POST", version, uri.path());
    entry.request_body = Some(journal::form_body(&body));
    answered(&shared, &cut, entry, || {
        let given = shared.tokens.answer(&shared.directory(), &tenant, &body, *shared.clock());
        Handled { answer: given.answer, caller: given.client_id, correlation: None }
    })
    .await
}

async fn openid_configuration(State(shared): State<Arc<Shared>>, Path(tenant): Path<String>) -> Response {
    let base = format!("{}/{tenant}", shared.endpoint);
    Answer::ok(json!({
        "issuer": format!("{base}/v2.0"),
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "response_types_supported": ["token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"]
    }))
    .into_response()
}

async fn instance_discovery(State(shared): State<Arc<Shared>>) -> Response {
    let host = shared.endpoint.trim_start_matches("https://");
    let tenant = &shared.config.tenant_id;
    Answer::ok(json!({
        "tenant_discovery_endpoint": format!("{}/{tenant}/v2.0/.well-known/openid-configuration", shared.endpoint),
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}]
    }))
    .into_response()
}

async fn arm(State(shared): State<Arc<Shared>>, Extension(cut): Extension<Cut>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        let error = errors::invalid_content("The body could not be read or is too large");
        return error.into_answer("eastus2", Timestamp::now()).into_response();
    };
    let version = parts.version;
    let call = Call {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: body.into(),
    };
    let mut entry = entry(call.method.as_str(), version, &call.path);
    entry.query = journal::query(&call.query);
    entry.request_body = journal::json_body(&call.body);
    answered(&shared, &cut, entry, || gateway::handle(&shared, &call, shared.now())).await
}

/// The entry of a request that has arrived.
pub(crate) fn entry(method: &str, version: Version, path: &str) -> JournalEntry {
    JournalEntry {
        seq: 0,
        time: Timestamp::now(),
        method: method.to_owned(),
        http: format!("{version:?}"),
        path: path.to_owned(),
        query: String::new(),
        operation_on: None,
        status: 0,
        client_id: None,
        error_code: None,
        correlation_id: None,
        request_body: None,
        fault: None,
        duration_ms: 0.0,
    }
}

/// Answers a request, with the fault that it meets, and writes it into the journal.
pub(crate) async fn answered(
    shared: &Shared,
    cut: &Cut,
    mut entry: JournalEntry,
    handle: impl FnOnce() -> Handled + Send,
) -> Response {
    let started = Instant::now();
    let met = {
        let mut world = shared.world();
        entry.operation_on = world.operations.target(&entry.path).map(ToString::to_string);
        let resource = entry.operation_on.as_deref().unwrap_or(&entry.path);
        world.faults.on_request(&entry.method, &entry.path, resource)
    };
    let fault = met.map(|met| {
        entry.fault = Some(met.note);
        met.fault
    });
    let instead = match &fault {
        Some(Fault::DropConnection(Moment::Before)) => {
            cut.cut();
            Some(Response::new(Body::empty()))
        }
        Some(Fault::Answer { status, headers, body }) => {
            entry.status = *status;
            entry.error_code = body["error"]["code"].as_str().or(body["error"].as_str()).map(str::to_owned);
            let correlation = Uuid::new_v4().to_string();
            let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let all = [("x-ms-correlation-request-id", correlation.as_str())].into_iter().chain(headers);
            let response = wire::answer(*status, all, body, "application/json; charset=utf-8");
            entry.correlation_id = Some(correlation);
            Some(response)
        }
        Some(Fault::Html { status, page }) => {
            entry.status = *status;
            Some(wire::answer(*status, [], &json!(page), "text/html; charset=utf-8"))
        }
        Some(Fault::Delay(time)) => {
            tokio::time::sleep(*time).await;
            None
        }
        _ => None,
    };
    let response = if let Some(response) = instead {
        response
    } else {
        let Handled { answer, caller, correlation } = handle();
        entry.status = answer.status.as_u16();
        entry.error_code.clone_from(&answer.failure);
        entry.client_id = caller;
        entry.correlation_id = correlation;
        if let Some(operation) = &answer.fault {
            let request = entry.fault.take();
            entry.fault = Some(request.into_iter().chain([operation.clone()]).collect::<Vec<_>>().join("; "));
        }
        answer.into_response()
    };
    entry.duration_ms = started.elapsed().as_secs_f64() * 1000.0;
    record(shared, entry);
    match fault {
        Some(Fault::DropConnection(Moment::After)) => {
            cut.cut();
            response
        }
        Some(Fault::TruncateAfter(bytes)) => wire::truncated(response, bytes).await,
        _ => response,
    }
}

fn record(shared: &Shared, entry: JournalEntry) {
    let JournalEntry { method, path, status, client_id, error_code, fault, .. } = &entry;
    tracing::info!(method, path, status, client_id, error_code, fault, "request");
    shared.journal().write(entry);
}

/// An answer of the control API that something is missing or wrong.
pub(crate) fn plain(status: StatusCode, message: &str) -> Response {
    Answer { status, headers: Vec::new(), body: Some(json!({"error": message})), failure: None, fault: None }
        .into_response()
}
