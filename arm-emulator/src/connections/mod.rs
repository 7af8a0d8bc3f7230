//! Connections of workspaces (ARM reference, section 4).

mod credentials;

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::arm_path::{Child, ResourceId};
use crate::categories;
use crate::errors::{self, ArmError};
use crate::workspaces::{Writer, is_name};
use crate::world::{World, merge, system_data};

/// The version of the deployments API that the service writes into the metadata of these categories, as recorded.
const DEPLOYMENT_API_VERSION: &str = "2023-10-01-preview";

/// A connection as it is kept: what every read shows, and apart from it the credentials.
pub(crate) struct Built {
    pub(crate) document: Value,
    pub(crate) credentials: Option<Value>,
}

pub(crate) fn put(world: &mut World, id: &ResourceId, body: &Value, writer: &Writer<'_>) -> Result<Answer, ArmError> {
    if !is_name(id.name()) {
        return Err(refused(format!(
            "Connection name '{}' is invalid. It must match '^[a-zA-Z0-9][a-zA-Z0-9_-]{{2,32}}$'.",
            id.name()
        )));
    }
    world.refuse_child_conflict(&id.owner())?;
    let existing = world.get(id).map(|stored| stored.document.clone());
    write(world, id, &body["properties"], existing.as_ref(), writer)
}

pub(crate) fn patch(world: &mut World, id: &ResourceId, body: &Value, writer: &Writer<'_>) -> Result<Answer, ArmError> {
    world.refuse_child_conflict(&id.owner())?;
    let Some(stored) = world.get(id).cloned() else {
        return Err(errors::connection_not_found(id.name()));
    };
    let mut properties = stored.document["properties"].clone();
    if let Some(credentials) = stored.credentials {
        properties["credentials"] = credentials;
    }
    let sent = &body["properties"];
    // Credentials of another way of authentication would not fit: those sent count alone then.
    let same = |sent: &str| properties["authType"].as_str().is_some_and(|before| before.eq_ignore_ascii_case(sent));
    if sent["authType"].as_str().is_some_and(|sent| !same(sent)) {
        properties["credentials"] = Value::Null;
    }
    if sent.is_object() {
        merge(&mut properties, sent);
    }
    write(world, id, &properties, Some(&stored.document), writer)
}

fn write(
    world: &mut World,
    id: &ResourceId,
    properties: &Value,
    existing: Option<&Value>,
    writer: &Writer<'_>,
) -> Result<Answer, ArmError> {
    let built = build(id, properties, existing, writer).map_err(refused)?;
    let answer = Answer::ok(built.document.clone());
    world.store(id.clone(), built.document, built.credentials);
    Ok(answer)
}

/// Checks what is sent and makes the connection out of it, in the shape of the recording.
pub(crate) fn build(
    id: &ResourceId,
    sent: &Value,
    existing: Option<&Value>,
    writer: &Writer<'_>,
) -> Result<Built, String> {
    let auth_type = sent["authType"]
        .as_str()
        .ok_or("The property 'authType' is required.")
        .and_then(|sent| credentials::auth_type(sent).ok_or("The property 'authType' has an unknown value."))?;
    let category = sent["category"]
        .as_str()
        .filter(|category| !category.is_empty())
        .ok_or("The property 'category' is required.")?;
    let category = categories::canonical(category);
    for name in ["target", "expiryTime"] {
        if !(sent[name].is_null() || sent[name].is_string()) {
            return Err(format!("The property '{name}' is not a string."));
        }
    }
    if !(sent["metadata"].is_null() || sent["metadata"].is_object()) {
        return Err("The property 'metadata' is not an object.".to_owned());
    }
    credentials::check(auth_type, &sent["credentials"])?;

    let or = |name: &str, default: Value| {
        if sent[name].is_null() { default } else { sent[name].clone() }
    };
    let mut metadata = or("metadata", json!({}));
    if matches!(category, "AzureOpenAI" | "AIServices") && metadata["DeploymentApiVersion"].is_null() {
        metadata["DeploymentApiVersion"] = json!(DEPLOYMENT_API_VERSION);
    }
    let mut properties = json!({
        "authType": auth_type,
        "group": categories::group(category),
        "category": category,
        "expiryTime": or("expiryTime", Value::Null),
        "target": or("target", Value::Null),
        "createdByWorkspaceArmId": id.owner().to_string(),
        "useWorkspaceManagedIdentity": or("useWorkspaceManagedIdentity", json!(false)),
        "isSharedToAll": or("isSharedToAll", json!(false)),
        "sharedUserList": or("sharedUserList", json!([])),
        "peRequirement": or("peRequirement", json!("NotRequired")),
        "peStatus": or("peStatus", json!("NotApplicable")),
        "error": null,
        "isDefault": true,
        "metadata": metadata
    });
    let keyed = credentials::has_credentials(auth_type);
    if keyed {
        properties["credentials"] = Value::Null;
    }
    let document = json!({
        "tags": null,
        "location": null,
        "id": id.to_string(),
        "name": id.name(),
        "type": id.resource_type(),
        "properties": properties,
        "systemData": system_data(existing.map(|it| &it["systemData"]), writer.caller, writer.now)
    });
    Ok(Built { document, credentials: keyed.then(|| sent["credentials"].clone()) })
}

pub(crate) fn get(world: &World, id: &ResourceId) -> Result<Answer, ArmError> {
    world.shown(id).map(Answer::ok).ok_or_else(|| errors::connection_not_found(id.name()))
}

pub(crate) fn delete(world: &mut World, id: &ResourceId) -> Result<Answer, ArmError> {
    world.refuse_child_conflict(&id.owner())?;
    let status = if world.remove(id) { StatusCode::OK } else { StatusCode::NO_CONTENT };
    Ok(Answer::empty(status))
}

/// The connection with its credentials filled in.
pub(crate) fn list_secrets(world: &World, id: &ResourceId) -> Result<Answer, ArmError> {
    let stored = world.get(id).ok_or_else(|| errors::connection_not_found(id.name()))?;
    let mut document = stored.document.clone();
    if let Some(credentials) = &stored.credentials {
        document["properties"]["credentials"] = credentials.clone();
    }
    Ok(Answer::ok(document))
}

/// What a list is narrowed down to.
#[derive(Default)]
pub(crate) struct Filter {
    pub(crate) target: Option<String>,
    pub(crate) category: Option<String>,
    /// Whether datastores are listed as connections too.
    pub(crate) include_all: bool,
}

pub(crate) fn list(world: &World, workspace: &ResourceId, filter: &Filter, datastores: &[Value]) -> Vec<Value> {
    let fits = |wanted: Option<&String>, value: &Value| {
        wanted.is_none_or(|wanted| value.as_str().is_some_and(|value| value.eq_ignore_ascii_case(wanted)))
    };
    let also = if filter.include_all { datastores } else { &[] };
    world
        .children(workspace, Child::Connection)
        .map(|stored| stored.document.clone())
        .chain(also.iter().map(|datastore| as_connection(workspace, datastore)))
        .filter(|connection| fits(filter.target.as_ref(), &connection["properties"]["target"]))
        .filter(|connection| fits(filter.category.as_ref(), &connection["properties"]["category"]))
        .collect()
}

/// A datastore as `includeAll` shows it; that it does is documented, the form is an assumption.
fn as_connection(workspace: &ResourceId, datastore: &Value) -> Value {
    let properties = &datastore["properties"];
    let name = datastore["name"].as_str().unwrap_or_default();
    let id = workspace.child(Child::Connection, name);
    let (service, container) = match properties["fileShareName"].as_str() {
        Some(share) => ("file", share),
        None => ("blob", properties["containerName"].as_str().unwrap_or_default()),
    };
    let account = properties["accountName"].as_str().unwrap_or_default();
    json!({
        "tags": null,
        "location": null,
        "id": id.to_string(),
        "name": name,
        "type": id.resource_type(),
        "properties": {
            "authType": "AccountKey",
            "credentials": null,
            "group": "File",
            "category": "AzureBlob",
            "target": format!("https://{account}.{service}.core.windows.net/{container}"),
            "isSharedToAll": false,
            "metadata": {"AccountName": account, "ContainerName": container}
        },
        "systemData": datastore["systemData"]
    })
}

fn refused(message: impl Into<String>) -> ArmError {
    ArmError::user_error(StatusCode::BAD_REQUEST, "BadArgument", message)
}
