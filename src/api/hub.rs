//! `FoundryHub`: the platform team's workspace, whose storage, keys and network its projects share.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::cel::Rule;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::encryption::{self, Encryption, SystemDatastoresAuthMode};
use super::network::{self, ManagedNetwork, ManagedNetworkStatus};
use super::policies::Policies;
use super::references::{AzureReference, Identity};
use super::rules;
use super::status::{EngineStatus, WorkspaceStatus};

/// An Azure AI Foundry hub: the workspace whose storage account, key vault and network its projects share.
#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq)]
#[kube(
    group = "foundryoperator.dev",
    version = "v1alpha1",
    kind = "FoundryHub",
    plural = "foundryhubs",
    shortname = "fhub",
    category = "foundry",
    namespaced,
    derive = "PartialEq",
    status = "FoundryHubStatus",
    doc = "An Azure AI Foundry hub: the workspace whose storage account, key vault and network its projects share.",
    validation = rules::name_serves_as_azure_name(),
    validation = rules::fixed_once_created("storageAccount"),
    validation = rules::fixed_once_created("keyVault"),
    validation = encryption::fixed_once_created(),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Azure name", type_ = "string", json_path = ".status.azureName"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::fixed_optional("azureName"),
    validation = rules::fixed_optional("subscriptionId"),
    validation = rules::fixed("resourceGroup"),
    validation = rules::fixed("location"),
    validation = network::stays_on(),
    validation = encryption::identity_is_of_hub(),
)]
pub struct FoundryHubSpec {
    /// Name of the hub in Azure; by default `metadata.name`. Fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::azure_name())]
    pub azure_name: Option<String>,
    /// Subscription (a GUID); by default the operator's. Fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = subscription_id())]
    pub subscription_id: Option<String>,
    /// Resource group, which must exist. Fixed.
    #[schemars(length(max = 253))]
    #[x_kube(validation = resource_group())]
    pub resource_group: String,
    /// Azure region, such as `westeurope`. Fixed.
    #[schemars(length(max = 253))]
    #[x_kube(validation = location())]
    pub location: String,
    /// Name that people see in the portal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub friendly_name: Option<String>,
    /// What the hub is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
    /// Tags; those that others set in Azure are kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 40, "additionalProperties" = {"type": "string", "maxLength": 256}))]
    #[x_kube(validation = rules::tags())]
    pub tags: BTreeMap<String, String>,
    /// The hub's own identity in Azure; where nothing is said, a system-assigned one is made with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Storage account that holds the projects' containers. Fixed once the hub exists.
    #[x_kube(validation = rules::arm_reference("Microsoft.Storage/storageAccounts", "a storage account"))]
    pub storage_account: AzureReference,
    /// Key vault that holds the connections' secrets. Fixed once the hub exists.
    #[x_kube(validation = rules::arm_reference("Microsoft.KeyVault/vaults", "a key vault"))]
    pub key_vault: AzureReference,
    /// Container registry, where images are built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::arm_reference("Microsoft.ContainerRegistry/registries", "a container registry"))]
    pub container_registry: Option<AzureReference>,
    /// Application Insights component, where traces go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::arm_reference("Microsoft.Insights/components", "an Application Insights component"))]
    pub application_insights: Option<AzureReference>,
    /// Whether the hub can be reached from the public network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_network_access: Option<PublicNetworkAccess>,
    /// The network that Azure keeps for the hub's computes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_network: Option<ManagedNetwork>,
    /// A key of one's own that encrypts the hub's data. Fixed once the hub exists, all but the key's identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// How the datastores that Azure makes in the hub sign in to the storage account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_datastores_auth_mode: Option<SystemDatastoresAuthMode>,
    /// The hub owner's consent: which namespaces may have projects in this hub.
    #[serde(default)]
    pub allowed_projects: AllowedProjects,
    /// What may be done with what is in Azure.
    #[serde(flatten)]
    pub policies: Policies,
}

/// Whether a workspace can be reached from the public network.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum PublicNetworkAccess {
    /// From everywhere.
    Enabled,
    /// Only through private endpoints.
    Disabled,
}

/// The hub owner's consent to projects.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AllowedProjects {
    /// Namespaces that may have projects in this hub.
    #[serde(default)]
    pub namespaces: AllowedNamespaces,
    /// Whether a project of another namespace may take over a workspace that exists in the hub already.
    #[serde(default)]
    pub adoption: AdoptionConsent,
}

/// Which namespaces.
#[derive(Clone, Debug, Default, Deserialize, Serialize, KubeSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(self.from == 'Selector') == has(self.selector)")
        .message("give a selector where from is Selector, and none where it is Same or All"),
    validation = selector_can_match(),
)]
pub struct AllowedNamespaces {
    /// The hub's own, those that the selector matches, or all.
    #[serde(default)]
    pub from: NamespacesFrom,
    /// Matches the labels of the project's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// Where projects may come from.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum NamespacesFrom {
    /// The hub's own namespace.
    #[default]
    Same,
    /// Namespaces that the selector matches, the hub's own among them only if it matches too.
    Selector,
    /// Every namespace.
    All,
}

/// Whether projects of other namespaces may adopt.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum AdoptionConsent {
    /// They may not.
    #[default]
    Forbidden,
    /// They may, where their own `adoptionPolicy` is `Adopt`.
    Allowed,
}

/// What the operator knows of the hub in Azure.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct FoundryHubStatus {
    /// What the engine keeps.
    #[serde(flatten)]
    pub engine: EngineStatus,
    /// What Azure made.
    #[serde(flatten)]
    pub workspace: WorkspaceStatus,
    /// The network that Azure keeps for the hub's computes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_network: Option<ManagedNetworkStatus>,
}

fn subscription_id() -> Rule {
    Rule::new("self.matches('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')")
        .message("subscriptionId must be a GUID, such as 00000000-0000-0000-0000-000000000000")
}

fn resource_group() -> Rule {
    Rule::new("self.matches('^[-a-zA-Z0-9._()]{0,89}[-a-zA-Z0-9_()]$')").message(
        "resourceGroup must be the name of a resource group: 1 to 90 letters, digits, '-', '_', '.', '(' or ')', not ending with '.'",
    )
}

fn location() -> Rule {
    Rule::new("self.matches('^[a-z0-9]{2,40}$')")
        .message("location must be the short name of an Azure region in lower case, such as westeurope")
}

/// One requirement that cannot be understood would make the selector match no namespace at all.
fn selector_can_match() -> Rule {
    Rule::new(
        "!has(self.selector) || !has(self.selector.matchExpressions) || self.selector.matchExpressions.all(e, e.operator in ['In', 'NotIn'] ? has(e.values) && size(e.values) > 0 : e.operator in ['Exists', 'DoesNotExist'] && (!has(e.values) || size(e.values) == 0))",
    )
    .message("the operator of a matchExpression must be In or NotIn with values, or Exists or DoesNotExist without")
}
