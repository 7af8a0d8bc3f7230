//! `FoundryProject`: a product team's workspace in a hub.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::hub::PublicNetworkAccess;
use super::policies::Policies;
use super::references::{HubReference, Identity};
use super::rules;
use super::status::{Container, EngineStatus, WorkspaceStatus};

/// An Azure AI Foundry project: a team's workspace in a hub, with containers of its own in the hub's storage account.
#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq)]
#[kube(
    group = "foundryoperator.dev",
    version = "v1alpha1",
    kind = "FoundryProject",
    plural = "foundryprojects",
    shortname = "fproj",
    category = "foundry",
    namespaced,
    derive = "PartialEq",
    status = "FoundryProjectStatus",
    doc = "An Azure AI Foundry project: a team's workspace in a hub, with containers of its own in the hub's storage account.",
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Azure name", type_ = "string", json_path = ".status.azureName"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::fixed_optional("azureName"),
    validation = rules::fixed("hubRef"),
)]
pub struct FoundryProjectSpec {
    /// The hub, whose owner decides which namespaces may have projects in it. Fixed. Subscription, resource group and
    /// location are the hub's.
    pub hub_ref: HubReference,
    /// Name of the project in Azure; by default `{namespace}-{name}`, cut to 33 characters with a hash. Fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::azure_name())]
    pub azure_name: Option<String>,
    /// Name that people see in the portal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub friendly_name: Option<String>,
    /// What the project is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
    /// Tags; those that others set in Azure are kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 40, "additionalProperties" = {"type": "string", "maxLength": 256}))]
    #[x_kube(validation = rules::tags())]
    pub tags: BTreeMap<String, String>,
    /// Whether the project can be reached from the public network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_network_access: Option<PublicNetworkAccess>,
    /// The project's own identity in Azure; where nothing is said, a system-assigned one is made with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// What may be done with what is in Azure.
    #[serde(flatten)]
    pub policies: Policies,
}

/// What the operator knows of the project in Azure.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct FoundryProjectStatus {
    /// What the engine keeps.
    #[serde(flatten)]
    pub engine: EngineStatus,
    /// What Azure made.
    #[serde(flatten)]
    pub workspace: WorkspaceStatus,
    /// The project's containers and file shares in the storage account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<Container>,
}
