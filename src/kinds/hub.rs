//! A hub owns one workspace of kind `Hub`, and the outbound rules of its network.

use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::world::World;
use super::{network, workspace};
use crate::api::conditions::Reason;
use crate::api::encryption::Encryption;
use crate::api::policies::Policies;
use crate::api::status::EngineStatus;
use crate::api::{FoundryHub, FoundryHubStatus, FoundryProject};
use crate::arm::ArmId;
use crate::arm::resource_type::WORKSPACE;
use crate::engine::{Kind, Sights, Unresolved, Wanted};

/// How many projects a message names before it only counts them.
const NAMED: usize = 5;

impl Kind for FoundryHub {
    type Status = FoundryHubStatus;
    type World = World;

    fn policies(&self) -> Policies {
        self.spec.policies
    }

    fn status(&self) -> Option<&FoundryHubStatus> {
        self.status.as_ref()
    }

    fn engine(status: &mut FoundryHubStatus) -> &mut EngineStatus {
        &mut status.engine
    }

    fn mark(&self, world: &World) -> String {
        world.mark(self)
    }

    fn share(&self, _world: &World) -> String {
        share(&self.namespace().unwrap_or_default(), &self.name_any())
    }

    fn leads_share() -> bool {
        true
    }

    fn resolve(&self, world: &World) -> Result<Vec<Wanted>, Unresolved> {
        let id = match workspace::recorded(self.status.as_ref().map(|status| &status.engine)) {
            Some(id) => id,
            None => new_id(self, world)?,
        };
        let network = self.spec.managed_network.as_ref().filter(|network| network::is_on(network));
        let rules = network.map(|network| network::rules(network, &id)).transpose()?.unwrap_or_default();
        let hub = Wanted {
            defaults: workspace::default_identity(),
            provision: network.and_then(network::provision),
            ..Wanted::new(id, &WORKSPACE, body(self, &world.mark(self)))
        };
        Ok(std::iter::once(hub).chain(rules).collect())
    }

    fn reads(&self) -> &'static [&'static str] {
        if self.spec.managed_network.as_ref().is_some_and(network::is_on) { &[network::OUTBOUND_RULES] } else { &[] }
    }

    fn held_by(&self, world: &World) -> Option<String> {
        let (namespace, name) = (self.namespace().unwrap_or_default(), self.name_any());
        let mut projects: Vec<String> = world
            .projects
            .filter(|project| exists_in(project, &namespace, &name))
            .iter()
            .map(|project| format!("{}/{}", project.namespace().unwrap_or_default(), project.name_any()))
            .collect();
        projects.sort();
        let more = projects.len().saturating_sub(NAMED);
        projects.truncate(NAMED);
        let others = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!projects.is_empty()).then(|| {
            format!(
                "the hub has projects: FoundryProject {}{others}; delete them, or set deletionPolicy: Orphan to let the hub go and leave it in Azure",
                projects.join(", ")
            )
        })
    }

    fn lost_with(status: &FoundryHubStatus) -> Option<String> {
        workspace::lost_with(&status.workspace)
    }

    fn publish(&self, world: &World, primary: &Wanted, sights: &Sights, status: &mut FoundryHubStatus) {
        let Some(workspace) = sights.resource(&primary.id) else { return };
        if let Some(read) = workspace::read(workspace, &primary.id, world.studio, "managementCenter/hub/overview") {
            status.workspace = read;
            let rules = sights.items(&primary.id, network::OUTBOUND_RULES);
            status.managed_network = network::read(workspace, rules, status.managed_network.take());
        }
    }
}

/// What all that belongs to a hub takes turns as.
pub(super) fn share(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

/// Whether the project has, or is about to have, a workspace in the hub.
fn exists_in(project: &FoundryProject, namespace: &str, name: &str) -> bool {
    project.hub_namespace() == namespace
        && project.spec.hub_ref.name == name
        && project.status.as_ref().is_some_and(|status| !status.engine.resources.is_empty())
}

fn new_id(hub: &FoundryHub, world: &World) -> Result<ArmId, Unresolved> {
    let subscription = hub.spec.subscription_id.as_ref().or(world.subscription_id.as_ref()).ok_or_else(|| {
        Unresolved::new(
            Reason::SubscriptionUnknown,
            "no subscription: the spec names none and the operator runs without --subscription-id",
        )
    })?;
    let name = hub.spec.azure_name.clone().unwrap_or_else(|| hub.name_any());
    ArmId::workspace(subscription, &hub.spec.resource_group, &name).map_err(|error| workspace::invalid(&error))
}

/// The managed fields of a hub (ARM reference, section 3).
fn body(hub: &FoundryHub, mark: &str) -> Value {
    let spec = &hub.spec;
    let mut body = json!({
        "kind": "Hub",
        "location": spec.location,
        "tags": workspace::tags(&spec.tags, mark),
        "properties": {
            "storageAccount": spec.storage_account.resource_id,
            "keyVault": spec.key_vault.resource_id,
        },
    });
    workspace::set_identity(&mut body, spec.identity.as_ref());
    workspace::set_property(&mut body, "friendlyName", spec.friendly_name.as_ref());
    workspace::set_property(&mut body, "description", spec.description.as_ref());
    let registry = spec.container_registry.as_ref().map(|registry| &registry.resource_id);
    workspace::set_property(&mut body, "containerRegistry", registry);
    let insights = spec.application_insights.as_ref().map(|insights| &insights.resource_id);
    workspace::set_property(&mut body, "applicationInsights", insights);
    workspace::set_property(&mut body, "publicNetworkAccess", spec.public_network_access.as_ref());
    workspace::set_property(&mut body, "managedNetwork", spec.managed_network.as_ref().map(network::settings).as_ref());
    workspace::set_property(&mut body, "encryption", spec.encryption.as_ref().map(encryption).as_ref());
    workspace::set_property(&mut body, "systemDatastoresAuthMode", spec.system_datastores_auth_mode.as_ref());
    body
}

/// FACT: the encryption's fields (ARM reference, section 3).
fn encryption(encryption: &Encryption) -> Value {
    let mut properties = json!({
        "status": "Enabled",
        "keyVaultProperties": {
            "keyVaultArmId": encryption.key_vault.resource_id,
            "keyIdentifier": encryption.key_identifier,
        },
    });
    if let Some(identity) = &encryption.user_assigned_identity {
        properties["identity"] = json!({"userAssignedIdentity": identity});
    }
    properties
}
