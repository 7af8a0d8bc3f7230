//! How an object names another one, in Kubernetes or in Azure.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A hub, by default in the object's own namespace.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HubReference {
    /// Name of the `FoundryHub`.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its namespace; by default the project's own. Another one needs the hub owner's consent (`allowedProjects`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
}

/// An object in the same namespace.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct LocalReference {
    /// Name of the object.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// A resource that exists in Azure already.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AzureReference {
    /// Its ARM id, letter case aside.
    #[schemars(length(max = 512))]
    pub resource_id: String,
}

/// One key of a Secret in the same namespace.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyReference {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in its data.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// Where a secret value comes from. Never the value itself.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SecretSource {
    /// The Secret and the key in it.
    pub secret_key_ref: SecretKeyReference,
}

/// A secret field: only a reference to a Secret can be written here, so that no value ever stands in a manifest.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SecretField {
    /// Put the value into a Secret of this namespace and name it here.
    pub value_from: SecretSource,
}

/// Which kind of identity the workspace has in Azure.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum IdentityType {
    /// One that Azure makes with the workspace and deletes with it.
    #[default]
    SystemAssigned,
    /// Only those listed.
    UserAssigned,
    /// Both.
    #[serde(rename = "SystemAssigned,UserAssigned")]
    Both,
}

/// The workspace's own identity in Azure.
#[derive(Clone, Debug, Default, Deserialize, Serialize, KubeSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = super::rules::identity())]
pub struct Identity {
    /// Which identities it has.
    #[serde(default, rename = "type")]
    pub type_: IdentityType,
    /// ARM ids of user-assigned identities; the first one is the primary where the workspace has none of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(max = 512)))]
    #[x_kube(validation = super::rules::arm_ids("Microsoft.ManagedIdentity/userAssignedIdentities", "a user-assigned identity"))]
    pub user_assigned_identities: Vec<String>,
}
