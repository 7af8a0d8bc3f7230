//! What stands beside the machine learning service: resource groups, providers, and a plain store of the resources that
//! hubs depend on or that are put on them (ARM reference, sections 6, 9 and 10).

mod path;
mod providers;
mod validate;

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::arm_path::ResourceId;
use crate::dispatch::Request;
use crate::errors::{self, ArmError};
use crate::world::{World, merge};

pub(crate) use path::{Kind, Target, target};
pub(crate) use providers::Providers;
pub use providers::RegistrationState;

/// The resources that are only kept, by their id in lower case.
#[derive(Debug, Default)]
pub(crate) struct Store {
    documents: BTreeMap<String, Value>,
    /// The resource groups that exist, by lower-case id, in addition to those of the configuration.
    groups: BTreeMap<String, Value>,
    /// The resource groups of the configuration that were deleted.
    gone: Vec<String>,
}

impl Store {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Value> {
        self.documents.values()
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Value> {
        self.documents.get(&key(id))
    }

    pub(crate) fn remove(&mut self, id: &str) -> bool {
        self.documents.remove(&key(id)).is_some()
    }

    /// Whether a resource group exists; `configured` are the only ones that do from the start, or none for any.
    pub(crate) fn has_group(&self, configured: Option<&[String]>, subscription: &str, name: &str) -> bool {
        let id = key(&group_id(subscription, name));
        let from_start = configured.is_none_or(|known| known.iter().any(|it| it.eq_ignore_ascii_case(name)));
        self.groups.contains_key(&id) || (from_start && !(configured.is_some() && self.gone.contains(&id)))
    }
}

fn key(id: &str) -> String {
    format!("/{}", id.trim_matches('/')).to_lowercase()
}

fn group_id(subscription: &str, name: &str) -> String {
    format!("/subscriptions/{subscription}/resourceGroups/{name}")
}

/// Answers a call about something other than machine learning.
pub(crate) fn answer(request: &Request<'_>, world: &mut World, target: Target) -> Result<Answer, ArmError> {
    let method = request.call.method.as_str();
    match (method, target) {
        ("GET", Target::Groups(subscription)) => {
            let prefix = key(&group_id(&subscription, ""));
            let found = world.store.groups.iter().filter(|(id, _)| id.starts_with(&prefix));
            let found = found.map(|(_, document)| document.clone()).collect();
            Ok(request.page(world, found))
        }
        (_, Target::Group(subscription, name)) => group(request, world, &subscription, &name),
        ("GET", Target::Provider { subscription, namespace }) => {
            Ok(Answer::ok(world.providers.show(&subscription, &namespace)))
        }
        ("POST", Target::Register { subscription, namespace, register }) => {
            let lasts = world.settings.timings.workspace_update;
            world.providers.register(&subscription, &namespace, register, request.now, lasts);
            Ok(Answer::ok(world.providers.show(&subscription, &namespace)))
        }
        ("GET", Target::List { kind, scope }) => {
            let found = list(&world.store, kind, &scope);
            Ok(request.page(world, found))
        }
        (_, Target::One { kind, scope, name }) => one(request, world, kind, &scope, &name),
        _ => Err(errors::method_not_allowed(method)),
    }
}

fn list(store: &Store, kind: Kind, scope: &str) -> Vec<Value> {
    let below = format!("{}/", key(scope));
    let middle = format!("/providers/{}/", kind.full_name().to_lowercase());
    let fits = |id: &str| match id.rsplit_once(&middle) {
        // A list in a subscription or group has what is in its groups; one on a resource has what is on it alone.
        Some((at, _)) if kind.is_extension() => at == key(scope),
        Some(_) => id.starts_with(&below),
        None => false,
    };
    store.documents.iter().filter(|(id, _)| fits(id)).map(|(_, document)| document.clone()).collect()
}

fn one(request: &Request<'_>, world: &mut World, kind: Kind, scope: &str, name: &str) -> Result<Answer, ArmError> {
    let id = format!("{}/providers/{}/{name}", scope.trim_end_matches('/'), kind.full_name());
    let existing = world.store.get(&id).cloned();
    if kind.is_extension() {
        require_scope(world, scope)?;
    }
    match request.call.method.as_str() {
        "GET" => existing.map(Answer::ok).ok_or_else(|| not_found(kind, scope, name)),
        "DELETE" => {
            let status = if world.store.remove(&id) { StatusCode::OK } else { StatusCode::NO_CONTENT };
            Ok(Answer::empty(status))
        }
        "PUT" => {
            let body = request.json()?;
            validate::put(&world.store, kind, scope, name, &body, existing.as_ref())?;
            let document = document(kind, &id, scope, name, &body, existing.as_ref());
            world.store.documents.insert(key(&id), document.clone());
            let mut answer = Answer::ok(document);
            if existing.is_none() && kind.answers_created() {
                answer.status = StatusCode::CREATED;
            }
            Ok(answer)
        }
        "PATCH" if !kind.is_extension() => {
            let mut document = existing.ok_or_else(|| not_found(kind, scope, name))?;
            let fixed = ["id", "name", "type", "location"].map(|field| (field, document[field].clone()));
            merge(&mut document, &request.json()?);
            for (field, value) in fixed {
                document[field] = value;
            }
            world.store.documents.insert(key(&id), document.clone());
            Ok(Answer::ok(document))
        }
        other => Err(errors::method_not_allowed(other)),
    }
}

/// A workspace must be there before anything is put on it; other scopes are taken as they come.
fn require_scope(world: &World, scope: &str) -> Result<(), ArmError> {
    match ResourceId::parse(scope) {
        Some(id) if world.shown(&id).is_none() => Err(errors::workspace_not_found(&id.workspace, &id.group)),
        _ => Ok(()),
    }
}

fn document(kind: Kind, id: &str, scope: &str, name: &str, body: &Value, existing: Option<&Value>) -> Value {
    let mut document: Map<String, Value> = body.as_object().cloned().unwrap_or_default();
    document.insert("id".to_owned(), json!(id));
    document.insert("name".to_owned(), json!(existing.map_or(name, |it| it["name"].as_str().unwrap_or(name))));
    document.insert("type".to_owned(), json!(kind.full_name()));
    let mut document = Value::Object(document);
    if !document["properties"].is_object() {
        document["properties"] = json!({});
    }
    match kind {
        Kind::RoleAssignment => document["properties"]["scope"] = json!(scope),
        Kind::DiagnosticSetting => {}
        _ => document["properties"]["provisioningState"] = json!("Succeeded"),
    }
    document
}

fn not_found(kind: Kind, scope: &str, name: &str) -> ArmError {
    let (code, message) = if kind == Kind::RoleAssignment {
        ("RoleAssignmentNotFound", format!("The role assignment '{name}' is not found."))
    } else {
        let group = scope.rsplit('/').next().unwrap_or_default();
        let resource = format!("{}/{name}", kind.full_name());
        ("ResourceNotFound", format!("The Resource '{resource}' under resource group '{group}' was not found."))
    };
    ArmError::gateway(StatusCode::NOT_FOUND, code, message)
}

fn group(request: &Request<'_>, world: &mut World, subscription: &str, name: &str) -> Result<Answer, ArmError> {
    let configured = request.shared.config.resource_groups.as_deref();
    let id = group_id(subscription, name);
    let exists = world.store.has_group(configured, subscription, name);
    let plain = || group_document(&id, name, &json!({"location": "eastus"}));
    match request.call.method.as_str() {
        "HEAD" => Ok(Answer::empty(if exists { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND })),
        "GET" if exists => Ok(Answer::ok(world.store.groups.get(&key(&id)).cloned().unwrap_or_else(plain))),
        "GET" | "DELETE" if !exists => Err(errors::group_not_found(name)),
        "PUT" => {
            let body = request.json()?;
            validate::location(&body)?;
            let document = group_document(&id, name, &body);
            let before = world.store.groups.insert(key(&id), document.clone());
            let mut answer = Answer::ok(document);
            if before.is_none() && !exists {
                answer.status = StatusCode::CREATED;
            }
            Ok(answer)
        }
        "DELETE" => {
            world.store.groups.remove(&key(&id));
            world.store.gone.push(key(&id));
            let below = format!("{}/", key(&id));
            world.store.documents.retain(|other, _| !other.starts_with(&below));
            world.remove_below(&below);
            Ok(Answer::empty(StatusCode::OK))
        }
        other => Err(errors::method_not_allowed(other)),
    }
}

fn group_document(id: &str, name: &str, body: &Value) -> Value {
    json!({
        "id": id,
        "name": name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": body["location"],
        "tags": body["tags"],
        "properties": {"provisioningState": "Succeeded"}
    })
}
