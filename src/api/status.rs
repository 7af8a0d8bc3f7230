//! What every kind publishes, and what the engine must not forget between two reconciles.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The part of the status that the engine keeps. No clock is in it, so that an idle resync writes nothing.
#[derive(Clone, Debug, Default, Deserialize, Serialize, KubeSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct EngineStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Synced, ReferencesResolved, and Stalled while nothing more will be tried until somebody acts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The name of the resource in Azure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure_name: Option<String>,
    /// The ARM id of the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
    /// The long-running operation that Azure is carrying out for this object; a restarted operator resumes here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// The inventory of Azure resources that this object has made or is about to make.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<OwnedResource>,
}

/// What a long-running operation does to its resource.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// The resource is being made.
    Create,
    /// It is being changed.
    Update,
    /// It is being deleted.
    Delete,
    /// What belongs to it is being set up, such as a hub's network.
    Provision,
}

/// An operation that ARM accepted with 202 and that has not ended yet.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// What it does.
    pub kind: OperationKind,
    /// The ARM id of the resource it works on.
    pub resource_id: String,
    /// Where to ask for its state, verbatim as ARM gave it: the query is signed.
    pub url: String,
    /// When ARM accepted it (RFC 3339).
    pub started_at: String,
    /// What was sent, to become the resource's `applied` when the operation succeeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Applied>,
    /// Fingerprint of the attempt, to become the resource's `refused` where Azure refuses it for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<String>,
}

/// What was last written to a resource.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// Hash of the managed fields; tells a changed spec from drift.
    pub hash: String,
    /// The managed fields as JSON pointers, so that one that leaves the spec can be taken away in Azure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// resourceVersions of the Secrets whose values were sent, as `name=version`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
}

/// One Azure resource of the inventory.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct OwnedResource {
    /// Its ARM id.
    pub id: String,
    /// When Azure says that it was made (`systemData.createdAt`): tells it from a later namesake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// What was last written to it; absent until the first write has succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<Applied>,
    /// What Azure refused for good: the same is not sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
}

/// An attempt that Azure refused for good.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Fingerprint of the attempt.
    pub attempt: String,
    /// Why, and what to do about it.
    pub message: String,
}

impl OwnedResource {
    /// Whether this is the entry of the resource with that ARM id, letter case aside as ARM itself compares.
    #[must_use]
    pub fn is(&self, id: &str) -> bool {
        self.id.eq_ignore_ascii_case(id)
    }
}

/// A container or file share in the hub's storage account that belongs to a project.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// Its name in the storage account.
    pub name: String,
    /// The datastore that stands for it in the project.
    pub datastore: String,
    /// `AzureBlob` for a blob container, `AzureFile` for a file share, or another datastore type of Azure's.
    #[serde(rename = "type")]
    pub type_: String,
    /// Whether Azure named it or the documented pattern did.
    pub source: ContainerSource,
}

/// Where a container's name comes from.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum ContainerSource {
    /// A datastore of the project names it.
    Datastore,
    /// No datastore does; the documented pattern was applied to the workspace id.
    Derived,
}

/// What Azure made, and others build on.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceStatus {
    /// The id (a GUID) that Azure gave the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<String>,
    /// Object id of the workspace's system-assigned identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal_id: Option<String>,
    /// ARM id of the storage account, where the containers are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_account: Option<String>,
    /// Where people open the workspace in a browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub studio_url: Option<String>,
}
