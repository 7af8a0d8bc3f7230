//! A hub's managed network: what its computes may reach (ARM reference, section 3).

use kube::KubeSchema;
use kube::core::cel::Rule;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;

/// What computes may reach in a managed network.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum IsolationMode {
    /// No managed network.
    Disabled,
    /// The whole internet.
    AllowInternetOutbound,
    /// Only what rules allow.
    AllowOnlyApprovedOutbound,
}

/// Size of the firewall that enforces FQDN rules.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum FirewallSku {
    /// With all features.
    Standard,
    /// The cheaper one.
    Basic,
}

/// The network that Azure keeps for the hub's computes. Once on, Azure never switches it off again.
#[derive(Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.firewallSku) || self.isolationMode == 'AllowOnlyApprovedOutbound'")
        .message("firewallSku goes with isolationMode AllowOnlyApprovedOutbound only: take it out or change the mode"),
    validation = Rule::new("self.isolationMode != 'Disabled' || !has(self.outboundRules) || size(self.outboundRules) == 0")
        .message("outboundRules need a network: choose an isolationMode other than Disabled, or take them out"),
    validation = Rule::new("self.isolationMode != 'Disabled' || !has(self.provisionNow) || !self.provisionNow")
        .message("provisionNow needs a network: choose an isolationMode other than Disabled, or take it out"),
)]
pub struct ManagedNetwork {
    /// What computes may reach.
    pub isolation_mode: IsolationMode,
    /// The firewall for FQDN rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firewall_sku: Option<FirewallSku>,
    /// What computes may reach besides. Rules that Azure requires, and those that others made, are left alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 250))]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["name".into()]))]
    pub outbound_rules: Vec<OutboundRule>,
    /// Whether the network is set up now, and not only with the first compute, which then takes long.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provision_now: bool,
}

/// Something that computes may reach. The field that goes with `type` says what.
#[derive(Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "has(self.fqdn) == (self.type == 'FQDN') && has(self.privateEndpoint) == (self.type == 'PrivateEndpoint') && has(self.serviceTag) == (self.type == 'ServiceTag')",
).message("give the one field that goes with type: fqdn with FQDN, privateEndpoint with PrivateEndpoint, serviceTag with ServiceTag"))]
pub struct OutboundRule {
    /// Name of the rule in Azure.
    #[schemars(length(max = 33))]
    #[x_kube(validation = rules::resource_name())]
    pub name: String,
    /// What kind of place may be reached.
    #[serde(rename = "type")]
    pub type_: OutboundRuleType,
    /// With FQDN: the host, or `*.` and a domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = host())]
    pub fqdn: Option<String>,
    /// With `PrivateEndpoint`: the resource that gets a private endpoint in the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_endpoint: Option<PrivateEndpointDestination>,
    /// With `ServiceTag`: the addresses of an Azure service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_tag: Option<ServiceTagDestination>,
}

/// What kind of place a rule is about.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum OutboundRuleType {
    /// A host, by its name.
    #[serde(rename = "FQDN")]
    Fqdn,
    /// An Azure resource, through a private endpoint.
    PrivateEndpoint,
    /// An Azure service, by the tag of its addresses.
    ServiceTag,
}

/// An Azure resource that is reached through a private endpoint.
#[derive(Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PrivateEndpointDestination {
    /// ARM id of the resource.
    #[schemars(length(max = 512))]
    #[x_kube(validation = rules::any_arm_id())]
    pub service_resource_id: String,
    /// Which part of it, in Azure's words: `blob`, `vault`, `registry`, …
    #[schemars(length(min = 1, max = 64))]
    pub subresource_target: String,
    /// Whether Spark computes reach it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spark_enabled: Option<bool>,
    /// Names under which it is reached, where they are not those that Azure gives it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(min = 1, max = 253)))]
    pub fqdns: Vec<String>,
}

/// The addresses of an Azure service.
#[derive(Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.tag) || (has(self.addressPrefixes) && size(self.addressPrefixes) > 0)")
    .message("name the service by its tag, such as AzureMonitor, or list addressPrefixes"))]
pub struct ServiceTagDestination {
    /// Azure's tag of the service, such as `AzureMonitor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub tag: Option<String>,
    /// The protocol, or `*`.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(validation = Rule::new("self.matches('^([A-Za-z]+|[*])$')").message("protocol must be a word such as TCP or UDP, or *"))]
    pub protocol: String,
    /// Ports and ranges of ports, such as `80, 8080-8089`, or `*`.
    #[schemars(length(min = 1, max = 256))]
    #[x_kube(validation = Rule::new("self.matches('^([*]|[0-9]{1,5}(-[0-9]{1,5})?( *, *[0-9]{1,5}(-[0-9]{1,5})?)*)$')")
        .message("portRanges must be ports and ranges of ports, such as '80, 8080-8089', or '*'"))]
    pub port_ranges: String,
    /// Whether it may be reached or not; what Azure does where nothing is said, it decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<RuleAction>,
    /// Address ranges (CIDR) that take the place of the tag's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 64)))]
    pub address_prefixes: Vec<String>,
}

/// Whether a place may be reached.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum RuleAction {
    /// It may.
    Allow,
    /// It may not.
    Deny,
}

/// How the managed network is in Azure.
#[derive(Clone, Debug, Default, Deserialize, Serialize, KubeSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ManagedNetworkStatus {
    /// `Active` once it is set up, `Inactive` before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Whether Spark computes can use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spark_ready: Option<bool>,
    /// Every rule that it has, those of others among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["name".into()]))]
    pub outbound_rules: Vec<OutboundRuleStatus>,
}

/// How a rule is in Azure, in Azure's words.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct OutboundRuleStatus {
    /// Its name.
    pub name: String,
    /// `FQDN`, `PrivateEndpoint` or `ServiceTag`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// `UserDefined`, or `Required`, `Recommended`, `Dependency` for those of Azure's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// `Inactive` until the network is set up, then `Provisioning`, `Active`, `Deleting` or `Failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

fn host() -> Rule {
    Rule::new("self.matches('^([*][.])?([a-zA-Z0-9_]([-a-zA-Z0-9_]{0,61}[a-zA-Z0-9_])?[.])*[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$')")
        .message("fqdn must be the name of a host, such as pypi.org, or *. and a domain: no scheme, path or port")
}

/// FACT: "Managed network cannot be disabled once enabled." (ARM reference, section 7)
pub(super) fn stays_on() -> Rule {
    Rule::new(
        "!has(oldSelf.managedNetwork) || oldSelf.managedNetwork.isolationMode == 'Disabled' || (has(self.managedNetwork) && self.managedNetwork.isolationMode != 'Disabled')",
    )
    .message("Azure does not switch a managed network off again: keep managedNetwork and an isolationMode other than Disabled, or make another hub")
}
