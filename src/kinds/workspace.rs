//! What hubs and projects have in common: both are workspaces.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::api::conditions::{ConditionType, Reason, find};
use crate::api::references::{Identity, IdentityType};
use crate::api::status::{EngineStatus, WorkspaceStatus};
use crate::arm::ArmId;
use crate::arm::id::InvalidArmId;
use crate::arm::resource_type::{self, WORKSPACE};
use crate::engine::ownership::OWNER_KEY;
use crate::engine::{Unresolved, body};

/// The tags of a workspace with its owner mark.
pub(super) fn tags(tags: &BTreeMap<String, String>, mark: &str) -> Value {
    let mut tags: Map<String, Value> =
        tags.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
    tags.insert(OWNER_KEY.to_owned(), Value::from(mark));
    Value::Object(tags)
}

/// The identity of a workspace whose spec names none. One that is adopted keeps its own.
pub(super) fn default_identity() -> Value {
    json!({"identity": {"type": IdentityType::default()}})
}

/// Puts the identity into a body, with the one that is primary where the workspace has none of its own.
pub(super) fn set_identity(workspace: &mut Value, identity: Option<&Identity>) {
    let Some(identity) = identity else { return };
    let mut written = json!({"type": identity.type_});
    if let Some(primary) = identity.user_assigned_identities.first() {
        let ids = identity.user_assigned_identities.iter().map(|id| (id.clone(), json!({}))).collect();
        written["userAssignedIdentities"] = Value::Object(ids);
        if identity.type_ == IdentityType::UserAssigned {
            workspace["properties"]["primaryUserAssignedIdentity"] = Value::from(primary.as_str());
        }
    }
    workspace["identity"] = written;
}

/// Sets a property where the spec mentions it.
pub(super) fn set_property<T: serde::Serialize>(workspace: &mut Value, name: &str, value: Option<&T>) {
    if let Some(value) = value {
        body::set(workspace, &format!("/properties/{name}"), json!(value));
    }
}

/// The workspace that the object is known to have. It stays the object's whatever becomes of defaults and references:
/// another id would mean to delete one workspace, with all that is in it, and make another.
pub(super) fn recorded(engine: Option<&EngineStatus>) -> Option<ArmId> {
    let id = engine?.resources.first().map(|owned| owned.id.as_str())?;
    ArmId::parse(id).ok().filter(|id| resource_type::of(id) == Some(&WORKSPACE))
}

/// A name that the API server should have refused.
pub(super) fn invalid(error: &InvalidArmId) -> Unresolved {
    Unresolved::new(Reason::Refused, format!("{error}: mend the names in the spec"))
}

/// What a workspace tells once it is there; `None` while Azure still makes it, as what it says then is not final. `page` is
/// where the studio shows such a workspace.
pub(super) fn read(workspace: &Value, id: &ArmId, studio: &str, page: &str) -> Option<WorkspaceStatus> {
    let (properties, identity) = (&workspace["properties"], &workspace["identity"]);
    if !matches!(properties["provisioningState"].as_str(), Some("Succeeded" | "Updating") | None) {
        return None;
    }
    let tenant = text(&properties["tenantId"]).or_else(|| text(&identity["tenantId"]));
    let tenant = tenant.map(|tenant| format!("&tid={tenant}")).unwrap_or_default();
    Some(WorkspaceStatus {
        workspace_id: text(&properties["workspaceId"]),
        principal_id: text(&identity["principalId"]),
        storage_account: text(&properties["storageAccount"]),
        studio_url: Some(format!("{studio}/{page}?wsid={id}{tenant}")),
    })
}

/// FACT: an unset string reads back as `""` or `null` (ARM reference, section 3).
pub(super) fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// What goes with a workspace, though another of its name takes its place.
pub(super) fn lost_with(workspace: &WorkspaceStatus) -> Option<String> {
    let id = workspace.workspace_id.as_ref()?;
    Some(format!("its workspaceId was {id}; the new one has another, and its containers are new and empty"))
}

/// The ARM id of a workspace that others can build on: it has been made, and nothing has taken it away.
pub(super) fn usable(status: Option<(&EngineStatus, &WorkspaceStatus)>) -> Result<ArmId, String> {
    let Some((engine, workspace)) = status else {
        return Err("nothing is known of it yet".to_owned());
    };
    let id = engine.resource_id.as_deref().and_then(|id| ArmId::parse(id).ok());
    if let (Some(id), Some(_)) = (id, &workspace.workspace_id) {
        return Ok(id);
    }
    let ready = find(&engine.conditions, ConditionType::Ready);
    Err(ready.map_or_else(|| "nothing is known of it yet".to_owned(), |ready| ready.reason.clone()))
}
