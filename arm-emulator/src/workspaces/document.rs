//! How the document of a workspace is made out of what is sent.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{is_kind, network};
use crate::arm_path::ResourceId;
use crate::world::{merge, system_data};

/// The tags that the service itself puts on hubs, as recorded.
pub(super) const HUB_TAGS: [&str; 2] =
    ["__SYSTEM__CognitiveService_Default_AzureAIContentSafety", "__SYSTEM__AzureOpenAI_Default_AzureOpenAI"];

/// Properties that hold ARM ids of other resources; a project inherits them from its hub.
pub(super) const DEPENDENCIES: [&str; 4] = ["storageAccount", "keyVault", "applicationInsights", "containerRegistry"];

/// Properties that read back only once they have been sent.
const ONLY_WHEN_SENT: [&str; 8] = [
    "encryption",
    "enableServiceSideCMKEncryption",
    "primaryUserAssignedIdentity",
    "systemDatastoresAuthMode",
    "serviceManagedResourcesSettings",
    "allowPublicAccessWhenBehindVnet",
    "featureStoreSettings",
    "sharedPrivateLinkResources",
];

/// Who writes, where and when.
#[derive(Clone, Copy)]
pub(crate) struct Writer<'a> {
    /// The client id of the caller.
    pub(crate) caller: &'a str,
    pub(crate) tenant: &'a str,
    pub(crate) now: Timestamp,
}

/// The document after a PUT, in the shape of the recordings: what is not sent falls back to its default, what the
/// service made and what is fixed stays.
pub(crate) fn build(id: &ResourceId, sent: &Value, existing: Option<&Value>, writer: &Writer<'_>) -> Value {
    let location = region(existing.unwrap_or(sent)["location"].as_str().unwrap_or_default());
    let kind = canonical_kind(existing.unwrap_or(sent)["kind"].as_str().unwrap_or("Default"));
    let mut document = json!({
        "id": existing.map_or_else(|| json!(id.to_string()), |it| it["id"].clone()),
        "name": existing.map_or_else(|| json!(id.workspace), |it| it["name"].clone()),
        "type": id.resource_type(),
        "location": location,
        "tags": tags(&sent["tags"]),
        "etag": null,
        "kind": kind,
        "sku": sku(&sent["sku"]),
        "systemData": system_data(existing.map(|it| &it["systemData"]), writer.caller, writer.now),
        "properties": {}
    });
    if let Some(identity) = identity(&sent["identity"], existing.map(|it| &it["identity"]), writer.tenant) {
        document["identity"] = identity;
    }
    let made = made_by_service(id, &location, existing, writer);
    document["properties"] = Value::Object(properties(id, sent, existing, &kind, made));
    document
}

/// What the service makes up for a new workspace, or has made before.
fn made_by_service(
    id: &ResourceId,
    location: &str,
    existing: Option<&Value>,
    writer: &Writer<'_>,
) -> Map<String, Value> {
    const KEPT: [&str; 6] =
        ["workspaceId", "creationTime", "tenantId", "notebookInfo", "sdkTelemetryAppInsightsKey", "mlFlowTrackingUri"];
    if let Some(existing) = existing {
        return KEPT.into_iter().map(|name| (name.to_owned(), existing["properties"][name].clone())).collect();
    }
    let workspace_id = Uuid::new_v4();
    let short: String = id.workspace.chars().filter(char::is_ascii_alphanumeric).take(15).collect();
    let made = json!({
        "workspaceId": workspace_id,
        "creationTime": format!("{:.7}", writer.now),
        "tenantId": writer.tenant,
        "notebookInfo": {
            "resourceId": Uuid::new_v4().simple().to_string(),
            "fqdn": format!("ml-{short}-{location}-{workspace_id}.{location}.notebooks.azure.net").to_lowercase(),
            "isPrivateLinkEnabled": false,
            "notebookPreparationError": null
        },
        "sdkTelemetryAppInsightsKey": Uuid::new_v4(),
        "mlFlowTrackingUri": format!("azureml://{location}.api.azureml.ms/mlflow/v1.0{id}")
    });
    match made {
        Value::Object(made) => made,
        _ => Map::new(),
    }
}

fn properties(
    id: &ResourceId,
    sent: &Value,
    existing: Option<&Value>,
    kind: &str,
    mut properties: Map<String, Value>,
) -> Map<String, Value> {
    let location = region(existing.unwrap_or(sent)["location"].as_str().unwrap_or_default());
    let sent = &sent["properties"];
    let before = existing.map(|it| &it["properties"]);
    let isolated = matches!(kind, "Hub" | "Project");
    let mut put = |name: &str, value: Value| properties.insert(name.to_owned(), value);
    let or = |name: &str, default: Value| {
        if sent[name].is_null() { default } else { sent[name].clone() }
    };
    // Fixed after creation: a PUT that leaves it out leaves it as it is.
    let fixed = |name: &str, default: Value| {
        before.map(|it| it[name].clone()).filter(|value| !value.is_null()).unwrap_or_else(|| or(name, default))
    };
    put("friendlyName", or("friendlyName", Value::Null));
    put("description", or("description", json!("")));
    put("imageBuildCompute", or("imageBuildCompute", Value::Null));
    put("publicNetworkAccess", or("publicNetworkAccess", json!("Enabled")));
    put("v1LegacyMode", or("v1LegacyMode", json!(false)));
    put("hbiWorkspace", fixed("hbiWorkspace", json!(false)));
    put("enableDataIsolation", fixed("enableDataIsolation", json!(isolated)));
    put("softDeleteEnabled", json!(false));
    put("storageHnsEnabled", json!(false));
    put("linkedModelInventoryArmId", Value::Null);
    put("privateLinkCount", json!(0));
    put("ipAllowlist", json!([]));
    put("EnableSoftwareBillOfMaterials", json!(false));
    put("sasGetterUri", json!(""));
    put("discoveryUrl", json!(format!("https://{location}.api.azureml.ms/discovery")));
    let mut serverless = json!({"serverlessComputeCustomSubnet": null, "serverlessComputeNoPublicIP": false});
    if sent["serverlessComputeSettings"].is_object() {
        merge(&mut serverless, &sent["serverlessComputeSettings"]);
    }
    put("serverlessComputeSettings", serverless);
    for name in ONLY_WHEN_SENT {
        if !sent[name].is_null() {
            put(name, sent[name].clone());
        }
    }
    // All of the encryption but the key's identifier is fixed after creation: a PUT that leaves it out leaves it.
    if let Some(mut encryption) = before.map(|it| it["encryption"].clone()).filter(Value::is_object) {
        merge(&mut encryption, &sent["encryption"]);
        put("encryption", encryption);
    }
    if kind == "Project" {
        put("hubResourceId", fixed("hubResourceId", Value::Null));
        return properties;
    }
    for name in DEPENDENCIES {
        put(name, sent[name].as_str().map_or(Value::Null, |id| json!(respelled(id))));
    }
    let network = network::settings(
        &sent["managedNetwork"],
        before.map(|it| &it["managedNetwork"]),
        sent["provisionNetworkNow"].as_bool().unwrap_or(false),
        sent["storageAccount"].as_str(),
    );
    put("managedNetwork", network);
    if kind == "Hub" {
        let group = format!("/subscriptions/{}/resourceGroups/{}", id.subscription, id.group);
        let mut config = json!({"defaultWorkspaceResourceGroup": group});
        if sent["workspaceHubConfig"].is_object() {
            merge(&mut config, &sent["workspaceHubConfig"]);
        }
        put("workspaceHubConfig", config);
    }
    properties
}

/// The document after a PATCH that has been checked.
pub(super) fn patched(existing: &Value, sent: &Value, writer: &Writer<'_>) -> Value {
    let mut document = existing.clone();
    if !sent["tags"].is_null() {
        document["tags"] = tags(&sent["tags"]);
    }
    if !sent["sku"].is_null() {
        document["sku"] = sku(&sent["sku"]);
    }
    if let Some(identity) = identity(&sent["identity"], Some(&existing["identity"]), writer.tenant) {
        document["identity"] = identity;
    }
    for (name, value) in sent["properties"].as_object().into_iter().flatten() {
        let place = &mut document["properties"][name.as_str()];
        match name.as_str() {
            "managedNetwork" => {
                let storage = existing["properties"]["storageAccount"].as_str();
                *place = network::settings(value, Some(&existing["properties"]["managedNetwork"]), false, storage);
            }
            "encryption" | "serverlessComputeSettings" => merge(place, value),
            _ if DEPENDENCIES.contains(&name.as_str()) => {
                *place = value.as_str().map_or(Value::Null, |id| json!(respelled(id)));
            }
            _ => *place = value.clone(),
        }
    }
    document["systemData"] = system_data(Some(&existing["systemData"]), writer.caller, writer.now);
    document
}

/// The tags after a write: exactly those sent. FACT: PUT and PATCH replace the whole map (ARM reference, section 3), the
/// service's own tags with it; who does not send them back loses them.
fn tags(sent: &Value) -> Value {
    Value::Object(sent.as_object().cloned().unwrap_or_default())
}

fn sku(sent: &Value) -> Value {
    let name = sent["name"].as_str().unwrap_or("Basic");
    json!({"name": name, "tier": sent["tier"].as_str().unwrap_or(name)})
}

/// The identity after a write; the principal of the workspace stays the same as long as it has one.
fn identity(sent: &Value, existing: Option<&Value>, tenant: &str) -> Option<Value> {
    if sent.is_null() {
        return existing.filter(|identity| !identity.is_null()).cloned();
    }
    let kinds: Vec<&str> = sent["type"].as_str().unwrap_or("None").split(',').map(str::trim).collect();
    let has = |kind: &str| kinds.iter().any(|it| it.eq_ignore_ascii_case(kind));
    let mut identity = json!({"type": kinds.join(",")});
    if has("SystemAssigned") {
        identity["principalId"] = existing
            .map(|it| it["principalId"].clone())
            .filter(Value::is_string)
            .unwrap_or_else(|| json!(Uuid::new_v4()));
        identity["tenantId"] = json!(tenant);
    }
    if has("UserAssigned") {
        let before = existing.and_then(|it| it["userAssignedIdentities"].as_object());
        let mut assigned = before.cloned().unwrap_or_default();
        for (id, value) in sent["userAssignedIdentities"].as_object().into_iter().flatten() {
            assigned.retain(|known, _| !known.eq_ignore_ascii_case(id));
            // Null takes an identity away; one that is left out stays.
            if !value.is_null() {
                let guid = |what: &str| {
                    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{what} of {}", id.to_lowercase()).as_bytes())
                };
                assigned.insert(id.clone(), json!({"principalId": guid("principal"), "clientId": guid("client")}));
            }
        }
        identity["userAssignedIdentities"] = Value::Object(assigned);
    }
    Some(identity)
}

/// The spelling in which the service answers a kind it knows.
fn canonical_kind(kind: &str) -> String {
    ["Default", "Hub", "Project", "FeatureStore"]
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(kind))
        .unwrap_or(kind)
        .to_owned()
}

/// ARM's spelling of a region: `East US` is `eastus`.
pub(super) fn region(location: &str) -> String {
    location.replace(' ', "").to_lowercase()
}

/// The letter case in which the service answers the ids of other resources.
fn respelled(id: &str) -> String {
    const SPELLINGS: [&str; 4] = [
        "Microsoft.Keyvault/vaults",
        "Microsoft.Storage/storageaccounts",
        "Microsoft.insights/components",
        "Microsoft.ContainerRegistry/registries",
    ];
    let lower = id.to_ascii_lowercase();
    SPELLINGS
        .into_iter()
        .find_map(|spelling| {
            let at = lower.find(&format!("/{}/", spelling.to_ascii_lowercase()))? + 1;
            Some(format!("{}{spelling}{}", &id[..at], &id[at + spelling.len()..]))
        })
        .unwrap_or_else(|| id.to_owned())
}

/// Whether the document is a project's, which inherits what its hub has.
pub(super) fn inherits(document: &Value) -> bool {
    is_kind(document, "Project")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_in_another_letter_case() {
        assert_eq!(
            respelled("/subscriptions/S/resourceGroups/Rg/providers/Microsoft.KeyVault/vaults/Mine"),
            "/subscriptions/S/resourceGroups/Rg/providers/Microsoft.Keyvault/vaults/Mine"
        );
    }

    #[test]
    fn tags_are_replaced_whole() {
        assert_eq!(tags(&json!({"new": "3"})), json!({"new": "3"}));
        assert_eq!(tags(&Value::Null), json!({}));
    }

    #[test]
    fn a_user_assigned_identity_is_taken_away_by_null_alone() {
        let sent = json!({"type": "UserAssigned", "userAssignedIdentities": {"/a": {}, "/b": {}}});
        let first = identity(&sent, None, "t").expect("an identity");
        let change = json!({"type": "UserAssigned", "userAssignedIdentities": {"/A": null}});
        let second = identity(&change, Some(&first), "t").expect("an identity");
        let left: Vec<&String> = second["userAssignedIdentities"].as_object().expect("a map").keys().collect();
        assert_eq!(left, ["/b"]);
    }

    #[test]
    fn the_principal_stays_the_same_over_updates() {
        let sent = json!({"type": "SystemAssigned"});
        let first = identity(&sent, None, "t").expect("an identity");
        let second = identity(&sent, Some(&first), "t").expect("an identity");
        assert_eq!(first["principalId"], second["principalId"]);
    }
}
