//! The identity endpoint of a machine in Azure: what a virtual machine or a node has at `http://169.254.169.254`, and App
//! Service at `IDENTITY_ENDPOINT`. Over plain HTTP, as there: it is never beyond the machine.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, Version};
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::answer::Answer;
use crate::directory::Refusal;
use crate::emulator::Shared;
use crate::faults::wire::Cut;
use crate::gateway::Handled;
use crate::journal;
use crate::server::{answered, entry};

/// Where a virtual machine asks.
const VIRTUAL_MACHINE: &str = "/metadata/identity/oauth2/token";
/// Where App Service asks; the path is the emulator's own, as each app is told another.
const APP_SERVICE: &str = "/msi/token";

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new().route(VIRTUAL_MACHINE, get(virtual_machine)).route(APP_SERVICE, get(app_service)).with_state(shared)
}

#[derive(Deserialize)]
struct Asked {
    resource: Option<String>,
    client_id: Option<String>,
    #[serde(rename = "api-version")]
    api_version: Option<String>,
}

/// FACT (Azure's documentation of the metadata service): the header keeps out who was sent here by a trick.
async fn virtual_machine(
    State(shared): State<Arc<Shared>>,
    Extension(cut): Extension<Cut>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    place: (Version, Uri),
) -> Response {
    let refused = |error: &str, description: &str| Answer {
        status: StatusCode::BAD_REQUEST,
        headers: Vec::new(),
        body: Some(json!({"error": error, "error_description": description})),
        failure: Some(error.to_owned()),
        fault: None,
    };
    answer(&shared, &cut, &place, || {
        let marked = headers.get("metadata").is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"));
        if !marked || headers.contains_key("x-forwarded-for") {
            return (refused("bad_request_102", "Required metadata header not specified"), None);
        }
        for (name, value) in [("api-version", &asked.api_version), ("resource", &asked.resource)] {
            if value.is_none() {
                let description = format!("Required query variable '{name}' is missing");
                return (refused("invalid_request", &description), None);
            }
        }
        given(&shared, &asked)
            .unwrap_or_else(|refusal| (refused(refusal.error, &refusal.message), asked.client_id.clone()))
    })
    .await
}

async fn app_service(
    State(shared): State<Arc<Shared>>,
    Extension(cut): Extension<Cut>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    place: (Version, Uri),
) -> Response {
    let refused = |status: StatusCode, message: &str| Answer {
        status,
        headers: Vec::new(),
        body: Some(json!({"statusCode": status.as_u16(), "message": message, "correlationId": Uuid::new_v4()})),
        failure: Some(message.to_owned()),
        fault: None,
    };
    answer(&shared, &cut, &place, || {
        let header = headers.get("x-identity-header").and_then(|value| value.to_str().ok());
        // The status is not documented: any but success.
        if header.is_none() || header != shared.config.machine.as_ref().map(|machine| machine.identity_header.as_str())
        {
            return (refused(StatusCode::UNAUTHORIZED, "The X-IDENTITY-HEADER is missing or wrong."), None);
        }
        given(&shared, &asked)
            .unwrap_or_else(|refusal| (refused(StatusCode::BAD_REQUEST, &refusal.message), asked.client_id.clone()))
    })
    .await
}

fn given(shared: &Shared, asked: &Asked) -> Result<(Answer, Option<String>), Refusal> {
    let client = shared.directory().on_machine(asked.client_id.as_deref())?;
    let clock = *shared.clock();
    let resource = asked.resource.as_deref().unwrap_or_default();
    let token = shared.tokens.for_machine(&client, resource, clock)?;
    let seconds = token.seconds.to_string();
    let now = Timestamp::now().as_second();
    // Numbers are texts here, and times are those of the caller's clock.
    let body = json!({
        "access_token": token.text,
        "client_id": client,
        "expires_in": seconds,
        "ext_expires_in": seconds,
        "expires_on": now.saturating_add(i64::try_from(token.seconds).unwrap_or(i64::MAX)).to_string(),
        "not_before": now.to_string(),
        "resource": resource,
        "token_type": "Bearer"
    });
    Ok((Answer::ok(body), Some(client)))
}

async fn answer(
    shared: &Shared,
    cut: &Cut,
    (version, uri): &(Version, Uri),
    handle: impl FnOnce() -> (Answer, Option<String>) + Send,
) -> Response {
    let mut entry = entry("GET", *version, uri.path());
    entry.query = journal::query(uri.query().unwrap_or_default());
    answered(shared, cut, entry, || {
        let (answer, caller) = handle();
        Handled { answer, caller, correlation: None }
    })
    .await
}
