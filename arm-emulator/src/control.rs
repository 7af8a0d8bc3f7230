//! The control API, for people and for tests in other processes. It takes no token.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::azure::RegistrationState;
use crate::emulator::Shared;
use crate::faults::FaultRule;
use crate::identities;
use crate::journal::JournalEntry;
use crate::out_of_band::ChangeError;
use crate::server::plain;
use crate::settings::{Change, View};
use crate::world::PlannedFailure;

pub(crate) type Body<T> = Result<Json<T>, JsonRejection>;

pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/journal", get(journal).delete(clear_journal))
        .route("/resources", get(resources))
        .route("/resources/{*id}", get(resource).put(put_resource).patch(patch_resource).delete(remove_resource))
        .route("/secrets/{*id}", get(secrets))
        .route("/settings", get(settings).patch(change_settings))
        .route("/operations/fail-next", post(fail_next))
        .route("/operations/finish", post(finish))
        .route("/schema-violations", get(schema_violations).delete(clear_schema_violations))
        .route("/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/faults/{id}", delete(remove_fault))
        .route("/providers/{namespace}", put(set_provider))
        .route("/identities", post(identities::add))
        .route("/permissions/{client}", get(identities::permissions).put(identities::set_permissions))
        .route("/permissions/{client}/grant", post(identities::grant))
        .route("/permissions/{client}/revoke", post(identities::revoke))
        .fallback(unknown)
}

async fn unknown() -> Response {
    plain(StatusCode::NOT_FOUND, "the control API has no such path")
}

async fn healthz() -> Response {
    Json(json!({"status": "ok"})).into_response()
}

#[derive(Debug, Default, Deserialize)]
struct JournalFilter {
    #[serde(default)]
    method: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    resource: String,
}

async fn journal(State(shared): State<Arc<Shared>>, Query(filter): Query<JournalFilter>) -> Response {
    let journal = shared.journal();
    let entries: Vec<&JournalEntry> = journal
        .entries()
        .filter(|entry| entry.matches(&filter.method, &filter.path) && entry.is_about(&filter.resource))
        .collect();
    Json(entries).into_response()
}

async fn clear_journal(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.journal().clear();
    StatusCode::NO_CONTENT
}

async fn resources(State(shared): State<Arc<Shared>>) -> Response {
    Json(shared.resources()).into_response()
}

async fn resource(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    shared.resource(&id).map_or_else(|| not_found(&id), |resource| Json(resource).into_response())
}

async fn put_resource(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Body<Value>) -> Response {
    changed(body, |body| shared.put_resource(&id, body))
}

async fn patch_resource(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Body<Value>) -> Response {
    changed(body, |body| shared.patch_resource(&id, body))
}

fn changed(body: Body<Value>, change: impl FnOnce(&Value) -> Result<Value, ChangeError>) -> Response {
    let body = match body {
        Ok(Json(body)) => body,
        Err(rejection) => return unreadable(&rejection),
    };
    match change(&body) {
        Ok(resource) => Json(resource).into_response(),
        Err(error) => refused(&error),
    }
}

async fn remove_resource(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    match shared.remove_resource(&id) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(&error),
    }
}

fn refused(error: &ChangeError) -> Response {
    let status = match error {
        ChangeError::NotFound(_) | ChangeError::NoWorkspace(_) => StatusCode::NOT_FOUND,
        ChangeError::NotAnId(_) | ChangeError::Refused(_) => StatusCode::BAD_REQUEST,
    };
    plain(status, &error.to_string())
}

async fn secrets(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    shared.connection_credentials(&id).map_or_else(|| not_found(&id), |credentials| Json(credentials).into_response())
}

async fn settings(State(shared): State<Arc<Shared>>) -> Response {
    Json(View::from(shared.world().settings)).into_response()
}

async fn change_settings(State(shared): State<Arc<Shared>>, body: Body<Change>) -> Response {
    let change = match body {
        Ok(Json(change)) => change,
        Err(rejection) => return unreadable(&rejection),
    };
    let mut world = shared.world_now();
    match change.apply(world.settings) {
        Ok(settings) => {
            shared.clock().set_factor(settings.time_factor, Timestamp::now());
            world.settings = settings;
            Json(View::from(settings)).into_response()
        }
        Err(reason) => plain(StatusCode::BAD_REQUEST, &reason),
    }
}

async fn fail_next(State(shared): State<Arc<Shared>>, body: Body<PlannedFailure>) -> Response {
    match body {
        Ok(Json(failure)) => {
            shared.world().plan_failure(failure);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(rejection) => unreadable(&rejection),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Finish {
    #[serde(default)]
    resource: String,
}

async fn finish(State(shared): State<Arc<Shared>>, body: Body<Finish>) -> Response {
    match body {
        Ok(Json(Finish { resource })) => {
            shared.finish_operations(&resource);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(rejection) => unreadable(&rejection),
    }
}

async fn schema_violations(State(shared): State<Arc<Shared>>) -> Response {
    Json(shared.violations().clone()).into_response()
}

async fn clear_schema_violations(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.violations().clear();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Provider {
    registration_state: RegistrationState,
}

async fn set_provider(
    State(shared): State<Arc<Shared>>,
    Path(namespace): Path<String>,
    body: Body<Provider>,
) -> Response {
    match body {
        Ok(Json(provider)) => {
            shared.world_now().providers.set(&namespace, provider.registration_state);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(rejection) => unreadable(&rejection),
    }
}

async fn faults(State(shared): State<Arc<Shared>>) -> Response {
    Json(shared.world().faults.states()).into_response()
}

async fn add_fault(State(shared): State<Arc<Shared>>, body: Body<FaultRule>) -> Response {
    match body {
        // What is wrong with a rule is worth telling; it holds no secret of anyone's.
        Err(rejection) => plain(StatusCode::BAD_REQUEST, &rejection.body_text()),
        Ok(Json(rule)) if rule.probability.is_some_and(|chance| !(0.0..=1.0).contains(&chance)) => {
            plain(StatusCode::BAD_REQUEST, "'probability' is not between 0 and 1")
        }
        Ok(Json(rule)) => Json(json!({"id": shared.world().faults.add(rule)})).into_response(),
    }
}

async fn clear_faults(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.world().faults.clear();
    StatusCode::NO_CONTENT
}

async fn remove_fault(State(shared): State<Arc<Shared>>, Path(id): Path<u64>) -> Response {
    if shared.world().faults.remove(id) {
        return StatusCode::NO_CONTENT.into_response();
    }
    plain(StatusCode::NOT_FOUND, &format!("there is no rule {id}"))
}

/// The category of the refusal only: its text can quote the body.
pub(crate) fn unreadable(rejection: &JsonRejection) -> Response {
    let message = match rejection {
        JsonRejection::JsonDataError(_) => "the body is JSON, but not of the expected form",
        JsonRejection::JsonSyntaxError(_) => "the body is not JSON",
        JsonRejection::MissingJsonContentType(_) => "the body must be sent as application/json",
        _ => "the body could not be read",
    };
    plain(StatusCode::BAD_REQUEST, message)
}

fn not_found(id: &str) -> Response {
    plain(StatusCode::NOT_FOUND, &format!("there is no {id}"))
}
