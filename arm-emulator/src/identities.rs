//! The part of the control API that is about identities: who can sign in, and what they may do.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::config::{Credential, Identity, Issuer};
use crate::control::{Body, unreadable};
use crate::emulator::Shared;
use crate::permissions::Permissions;
use crate::server::plain;

/// An identity with one credential, an issuer, or both.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewIdentity {
    client_id: Option<String>,
    federated: Option<Federated>,
    secret: Option<String>,
    /// Whether it is assigned to the emulated machine.
    #[serde(default)]
    machine: bool,
    issuer: Option<Issuer>,
    /// What it may do; everything, if this is left out.
    actions: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Federated {
    issuer: String,
    subject: String,
}

pub(crate) async fn add(State(shared): State<Arc<Shared>>, body: Body<NewIdentity>) -> Response {
    let NewIdentity { client_id, federated, secret, machine, issuer, actions } = match body {
        Ok(Json(identity)) => identity,
        Err(rejection) => return unreadable(&rejection),
    };
    let federated = federated.map(|Federated { issuer, subject }| Credential::Federated { issuer, subject });
    let machine = machine.then_some(Credential::Machine);
    let credentials: Vec<Credential> =
        federated.into_iter().chain(secret.map(Credential::Secret)).chain(machine).collect();
    let mut directory = shared.directory();
    match client_id {
        Some(client_id) if !credentials.is_empty() => {
            for credential in credentials {
                directory.register(Identity { client_id: client_id.clone(), credential });
            }
            if let Some(actions) = actions {
                directory.permissions.set(&client_id, Permissions { actions, not_actions: Vec::new() });
            }
        }
        None if credentials.is_empty() && issuer.is_some() => {}
        _ => {
            return plain(
                StatusCode::BAD_REQUEST,
                "give clientId with federated{issuer,subject}, secret or machine, or an issuer{url,jwks}, or both",
            );
        }
    }
    if let Some(issuer) = issuer {
        directory.trust(issuer);
    }
    StatusCode::NO_CONTENT.into_response()
}

pub(crate) async fn permissions(State(shared): State<Arc<Shared>>, Path(client): Path<String>) -> Response {
    Json(shared.directory().permissions.of(&client)).into_response()
}

pub(crate) async fn set_permissions(
    State(shared): State<Arc<Shared>>,
    Path(client): Path<String>,
    body: Body<Permissions>,
) -> Response {
    match body {
        Ok(Json(permissions)) => {
            shared.directory().permissions.set(&client, permissions);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(rejection) => unreadable(&rejection),
    }
}

/// What is granted or revoked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pattern {
    action: String,
}

pub(crate) async fn grant(
    State(shared): State<Arc<Shared>>,
    Path(client): Path<String>,
    body: Body<Pattern>,
) -> Response {
    change(body, |action| shared.directory().permissions.grant(&client, action))
}

pub(crate) async fn revoke(
    State(shared): State<Arc<Shared>>,
    Path(client): Path<String>,
    body: Body<Pattern>,
) -> Response {
    change(body, |action| shared.directory().permissions.revoke(&client, action))
}

fn change(body: Body<Pattern>, how: impl FnOnce(&str)) -> Response {
    match body {
        Ok(Json(Pattern { action })) => {
            how(&action);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(rejection) => unreadable(&rejection),
    }
}
