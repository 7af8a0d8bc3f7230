//! The datastores that every workspace is created with (ARM reference, section 5).

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer::Answer;
use crate::arm_path::{Child, ResourceId};
use crate::config::ContainerNaming;
use crate::errors::{self, ArmError};
use crate::world::World;

/// The principal of the service, which the recordings show as the last to have changed a datastore.
const SERVICE: &str = "00000003-0000-4000-8000-0000000000aa";

/// The containers and file shares of a workspace.
struct Names {
    blob_store: String,
    artifact_store: String,
    working_directory: String,
    file_store: String,
}

fn names(naming: ContainerNaming, workspace_id: &str) -> Names {
    match naming {
        ContainerNaming::Documented | ContainerNaming::DashedBlobstore => Names {
            blob_store: match naming {
                ContainerNaming::DashedBlobstore => format!("{workspace_id}-azureml-blobstore"),
                _ => format!("{workspace_id}-blobstore"),
            },
            artifact_store: format!("{workspace_id}-azureml"),
            working_directory: format!("{workspace_id}-code"),
            file_store: format!("{workspace_id}-file"),
        },
        ContainerNaming::Classic => Names {
            blob_store: format!("azureml-blobstore-{workspace_id}"),
            artifact_store: "azureml".to_owned(),
            working_directory: format!(
                "code-{}",
                Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("code of {workspace_id}").as_bytes())
            ),
            file_store: format!("azureml-filestore-{workspace_id}"),
        },
    }
}

/// The default datastores of a workspace that reads as `document`.
pub(crate) fn defaults(
    workspace: &ResourceId,
    document: &Value,
    naming: ContainerNaming,
    now: Timestamp,
) -> Vec<(&'static str, Value)> {
    let text = |name: &str| document["properties"][name].as_str().unwrap_or_default();
    // A workspace without data isolation keeps the classic names whatever projects are called.
    let isolated = document["properties"]["enableDataIsolation"].as_bool().unwrap_or(false);
    let naming = if isolated { naming } else { ContainerNaming::Classic };
    let names = names(naming, text("workspaceId"));
    let account = text("storageAccount").rsplit('/').next().unwrap_or_default();
    let by_key = !text("systemDatastoresAuthMode").eq_ignore_ascii_case("identity");
    let blob = |container: &str| json!({"datastoreType": "AzureBlob", "containerName": container});
    let file = |share: &str| json!({"datastoreType": "AzureFile", "fileShareName": share});
    [
        ("workspaceblobstore", blob(&names.blob_store)),
        ("workspaceworkingdirectory", file(&names.working_directory)),
        ("workspaceartifactstore", blob(&names.artifact_store)),
        ("workspacefilestore", file(&names.file_store)),
    ]
    .into_iter()
    .map(|(name, mut properties)| {
        let is_default = name == "workspaceblobstore";
        properties["description"] = Value::Null;
        properties["tags"] = Value::Null;
        properties["properties"] = Value::Null;
        properties["isDefault"] = json!(is_default);
        properties["credentials"] = json!({"credentialsType": if by_key { "AccountKey" } else { "None" }});
        properties["subscriptionId"] = if is_default { json!(workspace.subscription) } else { Value::Null };
        properties["resourceGroup"] = if is_default { json!(workspace.group) } else { Value::Null };
        properties["accountName"] = json!(account);
        properties["endpoint"] = json!("core.windows.net");
        properties["protocol"] = json!("https");
        properties["serviceDataAccessAuthIdentity"] =
            json!(if is_default { "WorkspaceSystemAssignedIdentity" } else { "None" });
        (name, envelope(&workspace.child(Child::Datastore, name), &properties, now))
    })
    .collect()
}

/// A datastore as ARM shows it.
pub(crate) fn envelope(id: &ResourceId, properties: &Value, now: Timestamp) -> Value {
    let time = format!("{now:.7}").replace('Z', "+00:00");
    json!({
        "id": id.to_string(),
        "name": id.name(),
        "type": id.resource_type(),
        "properties": properties,
        "systemData": {
            "createdAt": time,
            "lastModifiedAt": time,
            "lastModifiedBy": SERVICE,
            "lastModifiedByType": "Application"
        }
    })
}

/// The datastores that the API names now.
pub(crate) fn shown(world: &World, workspace: &ResourceId) -> Vec<Value> {
    if !world.settings.datastores_appear {
        return Vec::new();
    }
    world.children(workspace, Child::Datastore).map(|stored| world.show(stored)).collect()
}

pub(crate) fn get(world: &World, id: &ResourceId) -> Result<Answer, ArmError> {
    world
        .shown(id)
        .filter(|_| world.settings.datastores_appear)
        .map(Answer::ok)
        .ok_or_else(|| errors::datastore_not_found(id.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn containers(naming: ContainerNaming, isolated: bool) -> Vec<String> {
        let id = ResourceId {
            subscription: "s".to_owned(),
            group: "rg".to_owned(),
            workspace: "project".to_owned(),
            child: None,
        };
        let document = json!({"properties": {
            "workspaceId": "w-1",
            "storageAccount": "/x/storageaccounts/account",
            "enableDataIsolation": isolated
        }});
        defaults(&id, &document, naming, Timestamp::UNIX_EPOCH)
            .iter()
            .map(|(_, datastore)| &datastore["properties"])
            .filter_map(|properties| properties["containerName"].as_str().or(properties["fileShareName"].as_str()))
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn documented_names_end_in_what_they_hold() {
        let names = containers(ContainerNaming::Documented, true);
        assert_eq!(names, ["w-1-blobstore", "w-1-code", "w-1-azureml", "w-1-file"]);
    }

    #[test]
    fn dashed_names_differ_in_the_blob_store_only() {
        let names = containers(ContainerNaming::DashedBlobstore, true);
        assert_eq!(names, ["w-1-azureml-blobstore", "w-1-code", "w-1-azureml", "w-1-file"]);
    }

    #[test]
    fn a_workspace_without_data_isolation_keeps_classic_names() {
        let names = containers(ContainerNaming::Documented, false);
        assert_eq!(names[0], "azureml-blobstore-w-1");
        assert!(names[1].starts_with("code-") && names[1] != "code-w-1");
    }
}
