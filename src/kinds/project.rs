//! A project owns one workspace of kind `Project`, in the hub's subscription, resource group and region.

use std::collections::BTreeMap;

use kube::core::{Selector, SelectorExt as _};
use kube::{Resource as _, ResourceExt as _};
use serde_json::{Value, json};

use super::containers;
use super::hub;
use super::workspace;
use super::world::World;
use crate::api::conditions::Reason;
use crate::api::hub::{AdoptionConsent, AllowedNamespaces, NamespacesFrom};
use crate::api::policies::Policies;
use crate::api::status::{ContainerSource, EngineStatus};
use crate::api::{FoundryHub, FoundryProject, FoundryProjectStatus};
use crate::arm::ArmId;
use crate::arm::resource_type::WORKSPACE;
use crate::engine::body::hash;
use crate::engine::{Kind, Sights, Unresolved, Wanted};

/// Longest name of a workspace (ARM reference, section 2).
const NAME_LIMIT: usize = 33;
const DATASTORES: &str = "datastores";

impl FoundryProject {
    /// The namespace of the hub that the project names.
    #[must_use]
    pub fn hub_namespace(&self) -> String {
        self.spec.hub_ref.namespace.clone().or_else(|| self.namespace()).unwrap_or_default()
    }
}

impl Kind for FoundryProject {
    type Status = FoundryProjectStatus;
    type World = World;

    fn policies(&self) -> Policies {
        self.spec.policies
    }

    fn status(&self) -> Option<&FoundryProjectStatus> {
        self.status.as_ref()
    }

    fn engine(status: &mut FoundryProjectStatus) -> &mut EngineStatus {
        &mut status.engine
    }

    fn mark(&self, world: &World) -> String {
        world.mark(self)
    }

    fn share(&self, _world: &World) -> String {
        hub::share(&self.hub_namespace(), &self.spec.hub_ref.name)
    }

    fn resolve(&self, world: &World) -> Result<Vec<Wanted>, Unresolved> {
        let hub = allowing_hub(self, world)?;
        let hub_id = existing_hub(&hub)?;
        let id = match workspace::recorded(self.status.as_ref().map(|status| &status.engine)) {
            Some(id) => id,
            None => ArmId::workspace(hub_id.subscription(), hub_id.resource_group(), &azure_name(self))
                .map_err(|error| workspace::invalid(&error))?,
        };
        Ok(vec![Wanted {
            defaults: workspace::default_identity(),
            adoption_forbidden: adoption_forbidden(self, &hub),
            ..Wanted::new(id, &WORKSPACE, body(self, &hub, &hub_id, &world.mark(self)))
        }])
    }

    fn reads(&self) -> &'static [&'static str] {
        &[DATASTORES]
    }

    fn is_provisional(status: &FoundryProjectStatus) -> bool {
        status.containers.iter().all(|container| container.source == ContainerSource::Derived)
    }

    fn lost_with(status: &FoundryProjectStatus) -> Option<String> {
        workspace::lost_with(&status.workspace)
    }

    fn publish(&self, world: &World, primary: &Wanted, sights: &Sights, status: &mut FoundryProjectStatus) {
        let Some(workspace) = sights.resource(&primary.id) else { return };
        let Some(read) = workspace::read(workspace, &primary.id, world.studio, "build/overview") else { return };
        if let (Some(datastores), Some(id)) = (sights.items(&primary.id, DATASTORES), &read.workspace_id) {
            status.containers = containers::of_project(datastores, id, read.storage_account.as_deref());
        }
        status.workspace = read;
    }
}

/// The project's name in Azure.
#[must_use]
pub fn azure_name(project: &FoundryProject) -> String {
    project
        .spec
        .azure_name
        .clone()
        .unwrap_or_else(|| default_azure_name(&project.namespace().unwrap_or_default(), &project.name_any()))
}

/// `{namespace}-{name}`, cut to what Azure takes with a hash of both.
fn default_azure_name(namespace: &str, name: &str) -> String {
    let plain = format!("{namespace}-{name}").replace('.', "-");
    if plain.len() <= NAME_LIMIT {
        return plain;
    }
    let hash = hash(&json!([namespace, name]));
    let (hash, head) = (&hash[..8], NAME_LIMIT - 9);
    format!("{}-{hash}", plain[..head].trim_end_matches('-'))
}

/// The hub, where its owner allows projects from this namespace.
pub(super) fn allowing_hub(project: &FoundryProject, world: &World) -> Result<FoundryHub, Unresolved> {
    let (hub_namespace, hub_name) = (project.hub_namespace(), &project.spec.hub_ref.name);
    let hub = world.hubs.get(&hub_namespace, hub_name).ok_or_else(|| {
        Unresolved::new(
            Reason::HubNotFound,
            format!("FoundryHub {hub_namespace}/{hub_name} was not found: create it, or make this project anew with another hubRef"),
        )
    })?;
    let namespace = project.namespace().unwrap_or_default();
    let allowed = &hub.spec.allowed_projects.namespaces;
    if is_allowed(allowed, &hub_namespace, &namespace, world.labels(&namespace).as_ref()) {
        return Ok(FoundryHub::clone(&hub));
    }
    let from = match allowed.from {
        NamespacesFrom::Same => "only its own namespace",
        NamespacesFrom::Selector => "only namespaces whose labels match its selector",
        NamespacesFrom::All => "all namespaces",
    };
    let exists = workspace::recorded(project.status.as_ref().map(|status| &status.engine)).is_some();
    let stays = if exists { "; the project stays in Azure as it is and is no longer written" } else { "" };
    Err(Unresolved::new(
        Reason::NotAllowedByHub,
        format!(
            "FoundryHub {hub_namespace}/{hub_name} allows projects from {from}, and {namespace} is not among them: ask its owner for spec.allowedProjects{stays}"
        ),
    ))
}

/// Whether the hub's owner allows projects from a namespace with these labels.
#[must_use]
pub fn is_allowed(
    allowed: &AllowedNamespaces,
    hub_namespace: &str,
    namespace: &str,
    labels: Option<&BTreeMap<String, String>>,
) -> bool {
    match allowed.from {
        NamespacesFrom::Same => hub_namespace == namespace,
        NamespacesFrom::All => true,
        NamespacesFrom::Selector => {
            let selector = allowed.selector.clone().and_then(|selector| Selector::try_from(selector).ok());
            matches!((selector, labels), (Some(selector), Some(labels)) if selector.matches(labels))
        }
    }
}

/// The hub's ARM id, once the hub is there.
fn existing_hub(hub: &FoundryHub) -> Result<ArmId, Unresolved> {
    let name = format!("FoundryHub {}/{}", hub.namespace().unwrap_or_default(), hub.name_any());
    let not_ready = |why: String| Unresolved::new(Reason::HubNotReady, why);
    if hub.meta().deletion_timestamp.is_some() {
        return Err(not_ready(format!("{name} is being deleted: this project can only be deleted too")));
    }
    workspace::usable(hub.status.as_ref().map(|status| (&status.engine, &status.workspace))).map_err(|why| {
        not_ready(format!("{name} is not there in Azure yet ({why}); this project goes on by itself when it is"))
    })
}

/// The hub's owner also decides whether projects of other namespaces may take over what is in the hub already.
fn adoption_forbidden(project: &FoundryProject, hub: &FoundryHub) -> Option<String> {
    let foreign = project.namespace() != hub.namespace();
    (foreign && hub.spec.allowed_projects.adoption == AdoptionConsent::Forbidden).then(|| {
        "the hub's owner does not let projects of other namespaces adopt (spec.allowedProjects.adoption of the hub), so choose another azureName".to_owned()
    })
}

/// The managed fields of a project. What it inherits from its hub must not be sent (ARM reference, section 3).
fn body(project: &FoundryProject, hub: &FoundryHub, hub_id: &ArmId, mark: &str) -> Value {
    let spec = &project.spec;
    let mut body = json!({
        "kind": "Project",
        "location": hub.spec.location,
        "tags": workspace::tags(&spec.tags, mark),
        "properties": {"hubResourceId": hub_id.as_str()},
    });
    workspace::set_identity(&mut body, spec.identity.as_ref());
    workspace::set_property(&mut body, "friendlyName", spec.friendly_name.as_ref());
    workspace::set_property(&mut body, "description", spec.description.as_ref());
    workspace::set_property(&mut body, "publicNetworkAccess", spec.public_network_access.as_ref());
    body
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

    use super::*;

    fn labels(team: &str) -> BTreeMap<String, String> {
        BTreeMap::from([("team".to_owned(), team.to_owned())])
    }

    fn allowed(from: NamespacesFrom) -> AllowedNamespaces {
        let selector = LabelSelector { match_labels: Some(labels("churn")), ..LabelSelector::default() };
        AllowedNamespaces { from, selector: (from == NamespacesFrom::Selector).then_some(selector) }
    }

    #[test]
    fn a_hub_that_says_nothing_allows_its_own_namespace() {
        assert!(is_allowed(&AllowedNamespaces::default(), "platform", "platform", None));
        assert!(!is_allowed(&AllowedNamespaces::default(), "platform", "team", Some(&labels("churn"))));
    }

    #[test]
    fn a_selector_asks_the_labels_of_the_namespace() {
        let selector = allowed(NamespacesFrom::Selector);
        assert!(is_allowed(&selector, "platform", "team", Some(&labels("churn"))));
        assert!(!is_allowed(&selector, "platform", "team", Some(&labels("other"))));
        assert!(!is_allowed(&selector, "platform", "team", None));
    }

    #[test]
    fn all_is_all() {
        assert!(is_allowed(&allowed(NamespacesFrom::All), "platform", "team", None));
    }

    #[test]
    fn a_short_name_is_namespace_and_name() {
        assert_eq!(default_azure_name("team", "churn.v2"), "team-churn-v2");
    }

    #[test]
    fn a_long_name_is_cut_and_stays_distinct() {
        let name = |end: &str| default_azure_name("a-rather-long-namespace", &format!("with-a-rather-long-name-{end}"));
        assert!(name("one").len() <= NAME_LIMIT, "{}", name("one"));
        assert_ne!(name("one"), name("two"));
    }
}
