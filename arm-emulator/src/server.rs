//! Which handler gets a request, and its entry in the journal.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use jiff::Timestamp;
use serde_json::json;

use crate::answer::Answer;
use crate::control;
use crate::emulator::Shared;
use crate::errors;
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

async fn token(State(shared): State<Arc<Shared>>, Path(tenant): Path<String>, uri: Uri, body: Bytes) -> Response {
    let started = Instant::now();
    let now = Timestamp::now();
    let given = shared.tokens.answer(&shared.directory(), &tenant, &body, now);
    record(&shared, &given.answer, started, |entry| {
        entry.time = now;
        "POST".clone_into(&mut entry.method);
        uri.path().clone_into(&mut entry.path);
        entry.client_id = given.client_id;
        entry.request_body = Some(journal::form_body(&body));
    });
    given.answer.into_response()
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

async fn arm(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let now = Timestamp::now();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        let error = errors::invalid_content("The body could not be read or is too large");
        return error.into_answer("eastus2", now).into_response();
    };
    let call = Call {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: body.into(),
    };
    let Handled { answer, caller, correlation } = gateway::handle(&shared, &call, now);
    record(&shared, &answer, started, |entry| {
        entry.time = now;
        call.method.as_str().clone_into(&mut entry.method);
        call.path.clone_into(&mut entry.path);
        entry.query = journal::query(&call.query);
        entry.client_id = caller;
        entry.correlation_id = Some(correlation);
        entry.request_body = journal::json_body(&call.body);
    });
    answer.into_response()
}

fn record(shared: &Shared, answer: &Answer, started: Instant, fill: impl FnOnce(&mut JournalEntry)) {
    let mut entry = JournalEntry {
        seq: 0,
        time: Timestamp::UNIX_EPOCH,
        method: String::new(),
        path: String::new(),
        query: String::new(),
        status: answer.status.as_u16(),
        client_id: None,
        error_code: answer.failure.clone(),
        correlation_id: None,
        request_body: None,
        duration_ms: started.elapsed().as_secs_f64() * 1000.0,
    };
    fill(&mut entry);
    let JournalEntry { method, path, status, client_id, error_code, .. } = &entry;
    tracing::info!(method, path, status, client_id, error_code, "request");
    shared.journal().write(entry);
}

/// An answer of the control API that something is missing or wrong.
pub(crate) fn plain(status: StatusCode, message: &str) -> Response {
    Answer { status, headers: Vec::new(), body: Some(json!({"error": message})), failure: None }.into_response()
}
