//! What is refused of the resources that are only kept (ARM reference, sections 6 and 9).

use axum::http::StatusCode;
use serde_json::Value;
use uuid::Uuid;

use super::{Kind, Store};
use crate::errors::{self, ArmError};

fn refused(code: &str, message: impl Into<String>) -> ArmError {
    ArmError::gateway(StatusCode::BAD_REQUEST, code, message)
}

pub(super) fn location(body: &Value) -> Result<(), ArmError> {
    if body["location"].as_str().is_some_and(|location| !location.is_empty()) {
        return Ok(());
    }
    Err(refused("LocationRequired", "The location property is required for this definition."))
}

pub(super) fn put(
    store: &Store,
    kind: Kind,
    scope: &str,
    name: &str,
    body: &Value,
    existing: Option<&Value>,
) -> Result<(), ArmError> {
    if !(body["properties"].is_null() || body["properties"].is_object()) {
        return Err(errors::invalid_content("'properties' is not an object"));
    }
    if !kind.is_extension() {
        location(body)?;
    }
    match kind {
        Kind::StorageAccount => {
            let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
            if !((3..=24).contains(&name.len()) && name.chars().all(fits)) {
                let rule = "Storage account name must be between 3 and 24 characters in length and use numbers and \
                            lower-case letters only.";
                return Err(refused(
                    "AccountNameInvalid",
                    format!("{name} is not a valid storage account name. {rule}"),
                ));
            }
            required(body, &["/kind", "/sku/name"])?;
            unique(store, kind, scope, name, "StorageAccountAlreadyTaken")
        }
        Kind::KeyVault => {
            let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
            if !((3..=24).contains(&name.len()) && name.chars().all(fits)) {
                return Err(refused("VaultNameNotValid", format!("The vault name '{name}' is invalid.")));
            }
            required(body, &["/properties/tenantId", "/properties/sku/family", "/properties/sku/name"])?;
            unique(store, kind, scope, name, "VaultAlreadyExists")
        }
        Kind::Registry => required(body, &["/sku/name"]),
        Kind::Component => Ok(()),
        Kind::RoleAssignment => role_assignment(store, scope, name, body, existing),
        Kind::DiagnosticSetting => diagnostic_setting(body),
    }
}

fn required(body: &Value, places: &[&str]) -> Result<(), ArmError> {
    for place in places {
        if body.pointer(place).and_then(Value::as_str).is_none_or(str::is_empty) {
            let name = place.trim_start_matches('/').replace('/', ".");
            return Err(refused("InvalidParameter", format!("The parameter '{name}' is required.")));
        }
    }
    Ok(())
}

/// Names of accounts and vaults are unique in the world.
fn unique(store: &Store, kind: Kind, scope: &str, name: &str, code: &str) -> Result<(), ArmError> {
    let own = super::key(&format!("{scope}/providers/{}/{name}", kind.full_name()));
    let ending = format!("/providers/{}/{name}", kind.full_name()).to_lowercase();
    if store.documents.keys().any(|id| id.ends_with(&ending) && *id != own) {
        return Err(ArmError::gateway(StatusCode::CONFLICT, code, format!("The name '{name}' is already taken.")));
    }
    Ok(())
}

fn role_assignment(
    store: &Store,
    scope: &str,
    name: &str,
    body: &Value,
    existing: Option<&Value>,
) -> Result<(), ArmError> {
    if Uuid::parse_str(name).is_err() {
        return Err(refused("InvalidRoleAssignmentId", format!("The role assignment ID '{name}' is not a GUID.")));
    }
    required(body, &["/properties/roleDefinitionId", "/properties/principalId"])?;
    let sent = &body["properties"];
    let same = |one: &Value, other: &Value| {
        one.as_str().is_some_and(|one| other.as_str().is_some_and(|other| one.eq_ignore_ascii_case(other)))
    };
    let alike = |document: &Value| {
        let role = |id: &Value| Value::from(id.as_str().and_then(|id| id.rsplit('/').next()).unwrap_or_default());
        same(&document["properties"]["principalId"], &sent["principalId"])
            && same(&role(&document["properties"]["roleDefinitionId"]), &role(&sent["roleDefinitionId"]))
    };
    if existing.is_some_and(|existing| !alike(existing)) {
        return Err(refused(
            "RoleAssignmentUpdateNotPermitted",
            "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
        ));
    }
    let elsewhere = super::list(store, Kind::RoleAssignment, scope)
        .iter()
        .any(|other| !other["name"].as_str().is_some_and(|other| other.eq_ignore_ascii_case(name)) && alike(other));
    if elsewhere {
        return Err(ArmError::gateway(
            StatusCode::CONFLICT,
            "RoleAssignmentExists",
            "The role assignment already exists.",
        ));
    }
    condition(sent)
}

/// A condition may only name actions that the role grants; known here are the blob roles of the reference.
fn condition(sent: &Value) -> Result<(), ArmError> {
    const BLOBS: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/";
    const CONTRIBUTOR: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";
    const READER: &str = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1";
    let Some(text) = sent["condition"].as_str() else { return Ok(()) };
    let wrong = |message: String| Err(refused("InvalidRoleAssignmentCondition", message));
    if sent["conditionVersion"].as_str() != Some("2.0") {
        return wrong("The condition version must be 2.0.".to_owned());
    }
    let role = sent["roleDefinitionId"].as_str().unwrap_or_default().to_lowercase();
    let granted: &[&str] = if role.ends_with(CONTRIBUTOR) {
        &["read", "write", "delete", "add/action", "move/action"]
    } else if role.ends_with(READER) {
        &["read"]
    } else {
        return Ok(());
    };
    for named in text.split("ActionMatches{'").skip(1).filter_map(|rest| rest.split('\'').next()) {
        let known = granted.iter().any(|action| format!("{BLOBS}{action}").eq_ignore_ascii_case(named));
        if !known {
            return wrong(format!("The condition names the action '{named}', which the role does not grant."));
        }
    }
    Ok(())
}

fn diagnostic_setting(body: &Value) -> Result<(), ArmError> {
    const SINKS: [&str; 3] = ["workspaceId", "storageAccountId", "eventHubAuthorizationRuleId"];
    let properties = &body["properties"];
    if !SINKS.iter().any(|sink| properties[sink].is_string()) {
        return Err(refused("BadRequest", "At least one data sink needs to be specified."));
    }
    for log in properties["logs"].as_array().into_iter().flatten() {
        if log["category"].is_string() == log["categoryGroup"].is_string() {
            return Err(refused("BadRequest", "A log has either a category or a category group."));
        }
    }
    Ok(())
}
