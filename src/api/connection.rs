//! `FoundryConnection`: how a hub or project reaches another service.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::credentials::{self, AuthType, Credentials};
use super::policies::Policies;
use super::references::LocalReference;
use super::rules;
use super::status::EngineStatus;

/// A connection of an Azure AI Foundry hub or project to another service.
#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq)]
#[kube(
    group = "foundryoperator.dev",
    version = "v1alpha1",
    kind = "FoundryConnection",
    plural = "foundryconnections",
    shortname = "fconn",
    category = "foundry",
    namespaced,
    derive = "PartialEq",
    status = "FoundryConnectionStatus",
    doc = "A connection of an Azure AI Foundry hub or project to another service.",
    validation = rules::name_serves_as_azure_name(),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Azure name", type_ = "string", json_path = ".status.azureName"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::fixed_optional("azureName"),
    validation = rules::fixed_optional("projectRef"),
    validation = rules::fixed_optional("hubRef"),
    validation = rules::one_parent(),
    validation = credentials::fit(AuthType::ApiKey),
    validation = credentials::fit(AuthType::AccountKey),
    validation = credentials::fit(AuthType::Sas),
    validation = credentials::fit(AuthType::Pat),
    validation = credentials::fit(AuthType::CustomKeys),
    validation = credentials::fit(AuthType::AccessKey),
    validation = credentials::fit(AuthType::ManagedIdentity),
    validation = credentials::fit(AuthType::ServicePrincipal),
    validation = credentials::fit(AuthType::UsernamePassword),
    validation = credentials::fit(AuthType::OAuth2),
    validation = credentials::fit(AuthType::Aad),
    validation = credentials::fit(AuthType::None),
    validation = credentials::oauth2_client_id(),
)]
pub struct FoundryConnectionSpec {
    /// The project that has the connection; in the same namespace. Fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_ref: Option<LocalReference>,
    /// The hub whose projects share the connection; in the same namespace. Fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub_ref: Option<LocalReference>,
    /// Name of the connection in Azure; by default `metadata.name`. Fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::azure_name())]
    pub azure_name: Option<String>,
    /// What is connected to, in Azure's words: `AzureOpenAI`, `CognitiveSearch`, `AzureBlob`, `CustomKeys`, …
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9_]+$')").message("category must be one of Azure's connection categories, such as AzureOpenAI: letters, digits and '_'"))]
    pub category: String,
    /// The address of what is connected to.
    #[schemars(length(min = 1, max = 2048))]
    pub target: String,
    /// How the connection signs in.
    pub auth_type: AuthType,
    /// What the `authType` needs; AAD and None need nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
    /// What Azure keeps beside the target, such as `ApiType` and `ResourceId`; keys that Azure adds are kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 40, "additionalProperties" = {"type": "string", "maxLength": 2048}))]
    #[x_kube(validation = Rule::new("!('foundryoperator.dev.owner' in self)").message("metadata.foundryoperator.dev.owner is the operator's own: take it out"))]
    pub metadata: BTreeMap<String, String>,
    /// Whether everybody in the workspace may use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_shared_to_all: Option<bool>,
    /// What may be done with what is in Azure.
    #[serde(flatten)]
    pub policies: Policies,
}

/// What the operator knows of the connection in Azure.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct FoundryConnectionStatus {
    /// What the engine keeps.
    #[serde(flatten)]
    pub engine: EngineStatus,
    /// The category as Azure spells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
}
