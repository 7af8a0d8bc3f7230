//! Outbound rules as resources, and the provisioning of the network they belong to (ARM reference, sections 2 and 3).
//!
//! A rule has one place: `properties.managedNetwork.outboundRules` of its hub. What is read here is read from there.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Write, begin, family, is_kind, network, validate};
use crate::answer::Answer;
use crate::arm_path::{Child, ResourceId};
use crate::errors::{self, ArmError};
use crate::operations::Effect;
use crate::world::World;

/// The rules of a workspace, by name.
fn rules_of(document: &Value) -> Option<&Map<String, Value>> {
    document["properties"]["managedNetwork"]["outboundRules"].as_object()
}

/// The same, to be changed; none where there is no network.
pub(crate) fn rules_mut<'a>(world: &'a mut World, workspace: &ResourceId) -> Option<&'a mut Map<String, Value>> {
    let document = &mut world.get_mut(&workspace.owner())?.document;
    let network = document.pointer_mut("/properties/managedNetwork").filter(|network| network::is_enabled(network))?;
    if !network["outboundRules"].is_object() {
        network["outboundRules"] = json!({});
    }
    network["outboundRules"].as_object_mut()
}

/// The spelling under which a rule is kept; names are compared without case.
pub(crate) fn spelling(rules: &Map<String, Value>, name: &str) -> Option<String> {
    rules.keys().find(|known| known.eq_ignore_ascii_case(name)).cloned()
}

fn find(world: &World, id: &ResourceId) -> Option<(String, Value)> {
    let rules = rules_of(&world.get(&id.owner())?.document)?;
    let name = spelling(rules, id.name())?;
    let rule = rules.get(&name)?.clone();
    Some((name, rule))
}

/// A rule as ARM shows it.
pub(crate) fn shown(world: &World, id: &ResourceId) -> Option<Value> {
    find(world, id).map(|(name, rule)| envelope(&id.owner(), &name, &rule))
}

fn envelope(workspace: &ResourceId, name: &str, rule: &Value) -> Value {
    let id = workspace.child(Child::OutboundRule, name);
    json!({"id": id.to_string(), "name": name, "type": id.resource_type(), "properties": rule, "systemData": null})
}

pub(crate) fn list(world: &World, workspace: &ResourceId) -> Vec<Value> {
    let document = world.get(workspace).map(|stored| &stored.document);
    let rules = document.and_then(rules_of).into_iter().flatten();
    rules.map(|(name, rule)| envelope(workspace, name, rule)).collect()
}

pub(crate) fn get(world: &World, id: &ResourceId) -> Result<Answer, ArmError> {
    shown(world, id).map(Answer::ok).ok_or_else(|| errors::rule_not_found(id.name()))
}

pub(crate) fn put(world: &mut World, id: &ResourceId, body: &Value, write: &Write<'_>) -> Result<Answer, ArmError> {
    if !validate::is_name(id.name()) {
        return Err(refused(format!(
            "Outbound rule name '{}' is invalid. It must match '^[a-zA-Z0-9][a-zA-Z0-9_-]{{2,32}}$'.",
            id.name()
        )));
    }
    let document = hub_with_network(world, id)?;
    world.refuse_conflict(&id.owner(), &family(&id.owner(), &document))?;
    let mut rule = body["properties"].clone();
    network::check_rule(id.name(), &rule)?;
    if !network::is_of_user(&rule) {
        return Err(refused(format!("The category of the outbound rule '{}' can only be UserDefined.", id.name())));
    }
    let existing = find(world, id);
    if let Some((_, existing)) = &existing {
        refuse_owned(id, existing)?;
    }
    let name = existing.map_or_else(|| id.name().to_owned(), |(name, _)| name);
    let active = network::is_active(&document["properties"]["managedNetwork"]);
    rule["category"] = json!("UserDefined");
    rule["status"] = json!(if active { "Provisioning" } else { "Inactive" });
    if let Some(rules) = rules_mut(world, id) {
        rules.insert(name, rule.clone());
    }
    rule["status"] = json!(if active { "Active" } else { "Inactive" });
    Ok(begin(world, id, Effect::Rule(Some(Box::new(rule))), None, write))
}

pub(crate) fn delete(world: &mut World, id: &ResourceId, write: &Write<'_>) -> Result<Answer, ArmError> {
    let Some((name, rule)) = find(world, id) else {
        return Ok(Answer::empty(StatusCode::NO_CONTENT));
    };
    let document = hub_with_network(world, id)?;
    world.refuse_conflict(&id.owner(), &family(&id.owner(), &document))?;
    refuse_owned(id, &rule)?;
    if let Some(rule) = rules_mut(world, id).and_then(|rules| rules.get_mut(&name)) {
        rule["status"] = json!("Deleting");
    }
    Ok(begin(world, id, Effect::Rule(None), None, write))
}

/// Provisions the network without waiting for the first compute that would.
pub(crate) fn provision(
    world: &mut World,
    id: &ResourceId,
    body: &Value,
    write: &Write<'_>,
) -> Result<Answer, ArmError> {
    if !(body["includeSpark"].is_null() || body["includeSpark"].is_boolean()) {
        return Err(errors::invalid_content("'includeSpark' is not a boolean"));
    }
    let document = hub_with_network(world, id)?;
    world.refuse_conflict(id, &family(id, &document))?;
    let spark = body["includeSpark"].as_bool().unwrap_or(false);
    Ok(begin(world, id, Effect::Provision { spark }, None, write))
}

/// The hub, if it has a network of its own. The sentence for a network that is missing is an assumption.
fn hub_with_network(world: &World, id: &ResourceId) -> Result<Value, ArmError> {
    let owner = id.owner();
    let Some(document) = world.get(&owner).map(|stored| stored.document.clone()) else {
        return Err(errors::parent_not_found(&owner.workspace));
    };
    if is_kind(&document, "Project") {
        return Err(refused("Project workspace shouldn't define it's own managed network properties."));
    }
    if !network::is_enabled(&document["properties"]["managedNetwork"]) {
        return Err(refused("The workspace has no managed network: its isolation mode is Disabled."));
    }
    Ok(document)
}

fn refuse_owned(id: &ResourceId, rule: &Value) -> Result<(), ArmError> {
    if network::is_of_user(rule) {
        return Ok(());
    }
    Err(refused(format!(
        "The outbound rule '{}' of category {} is managed by the service and cannot be changed or deleted.",
        id.name(),
        rule["category"].as_str().unwrap_or_default()
    )))
}

fn refused(message: impl Into<String>) -> ArmError {
    ArmError::validation(message, &[])
}

/// What the end of an operation on a rule or on the network does. After a bad one the rule stays, as failed.
pub(crate) fn settle(world: &mut World, target: &ResourceId, effect: &Effect, well: bool) {
    match effect {
        Effect::Provision { spark } if well => {
            if let Some(stored) = world.get_mut(target)
                && let Some(network) = stored.document.pointer_mut("/properties/managedNetwork")
            {
                network::activate(network, *spark);
            }
        }
        Effect::Rule(rule) => {
            let Some(rules) = rules_mut(world, target) else { return };
            let name = spelling(rules, target.name()).unwrap_or_else(|| target.name().to_owned());
            match (rule, well) {
                (Some(rule), true) => {
                    rules.insert(name, (**rule).clone());
                }
                (None, true) => {
                    rules.remove(&name);
                }
                (_, false) => {
                    if let Some(rule) = rules.get_mut(&name) {
                        rule["status"] = json!("Failed");
                    }
                }
            }
        }
        _ => {}
    }
}
