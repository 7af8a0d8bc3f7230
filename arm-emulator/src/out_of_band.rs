//! Changes behind the back of whoever manages the resources: drift, made on purpose.

use jiff::Timestamp;
use serde_json::{Value, json};
use thiserror::Error;

use crate::arm_path::{Child, ResourceId};
use crate::connections;
use crate::datastores;
use crate::workspaces::{self, Writer, rules};
use crate::world::{World, merge};

const HAND: &str = "out-of-band";

/// Why a change by hand was not made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ChangeError {
    /// The text is no id of a workspace, connection or datastore.
    #[error("not the ARM id of a workspace, connection or datastore: {0}")]
    NotAnId(String),
    /// There is no such resource.
    #[error("there is no {0}")]
    NotFound(String),
    /// There is no such workspace to put a connection or datastore into.
    #[error("there is no workspace {0}")]
    NoWorkspace(String),
    /// A connection that could not exist.
    #[error("{0}")]
    Refused(String),
}

/// The id that a text spells, with or without a leading slash.
pub(crate) fn parse(id: &str) -> Result<ResourceId, ChangeError> {
    ResourceId::parse(id).ok_or_else(|| ChangeError::NotAnId(id.to_owned()))
}

/// Puts a resource there at once, unchecked but for the credentials of a connection.
pub(crate) fn put(
    world: &mut World,
    id: &ResourceId,
    body: &Value,
    tenant: &str,
    now: Timestamp,
) -> Result<Value, ChangeError> {
    let owner = id.owner();
    if id.child.is_some() && world.get(&owner).is_none() {
        return Err(ChangeError::NoWorkspace(owner.to_string()));
    }
    let writer = Writer { caller: HAND, tenant, now };
    let existing = world.get(id).map(|stored| stored.document.clone());
    match id.child {
        None => {
            let document = workspaces::out_of_band(id, body, existing.as_ref(), &writer);
            world.operations.abandon(&id.key());
            world.store(id.clone(), document, None);
            if existing.is_none() {
                world.add_default_datastores(id, now);
            }
        }
        Some((Child::Connection, _)) => {
            let built = connections::build(id, &body["properties"], existing.as_ref(), &writer)
                .map_err(ChangeError::Refused)?;
            world.store(id.clone(), built.document, built.credentials);
        }
        Some((Child::OutboundRule, _)) => put_rule(world, id, body)?,
        Some((Child::Datastore, _)) => {
            world.store(id.clone(), datastores::envelope(id, &body["properties"], now), None);
        }
    }
    world.shown(id).ok_or_else(|| ChangeError::NotFound(id.to_string()))
}

fn put_rule(world: &mut World, id: &ResourceId, body: &Value) -> Result<(), ChangeError> {
    let Some(rules) = rules::rules_mut(world, id) else {
        return Err(ChangeError::Refused(format!("{} has no managed network", id.owner())));
    };
    let name = rules::spelling(rules, id.name()).unwrap_or_else(|| id.name().to_owned());
    rules.insert(name, body["properties"].clone());
    Ok(())
}

/// Changes a resource at once by a JSON merge patch. `properties.credentials` of a connection changes its secrets.
pub(crate) fn patch(world: &mut World, id: &ResourceId, change: &Value) -> Result<Value, ChangeError> {
    if let Some((Child::OutboundRule, _)) = id.child {
        let rules = rules::rules_mut(world, id);
        if let Some(rule) = rules.and_then(|rules| rules.get_mut(&rules::spelling(rules, id.name())?)) {
            merge(rule, &change["properties"]);
        }
        return world.shown(id).ok_or_else(|| ChangeError::NotFound(id.to_string()));
    }
    let Some(stored) = world.get_mut(id) else {
        return Err(ChangeError::NotFound(id.to_string()));
    };
    // What the service reads as objects stays objects, whatever a person sends.
    let is_map = |part: Option<&Value>| part.is_none_or(Value::is_object);
    if !change.is_object() || !is_map(change.get("properties")) || !is_map(change.get("tags")) {
        return Err(ChangeError::Refused("the change, its 'properties' and its 'tags' must be objects".to_owned()));
    }
    let mut change = change.clone();
    if let Some((Child::Connection, _)) = id.child
        && let Some(secrets) =
            change.get_mut("properties").and_then(Value::as_object_mut).and_then(|it| it.remove("credentials"))
    {
        merge(stored.credentials.get_or_insert_with(|| json!({})), &secrets);
    }
    let fixed = ["id", "name", "type"].map(|name| (name, stored.document[name].clone()));
    merge(&mut stored.document, &change);
    for (name, value) in fixed {
        stored.document[name] = value;
    }
    world.shown(id).ok_or_else(|| ChangeError::NotFound(id.to_string()))
}

/// Removes a resource at once, with what is below it and what runs on it.
pub(crate) fn remove(world: &mut World, id: &ResourceId) -> Result<(), ChangeError> {
    world.operations.abandon(&id.key());
    let gone = match id.child {
        Some((Child::OutboundRule, _)) => rules::rules_mut(world, id)
            .and_then(|rules| rules::spelling(rules, id.name()).and_then(|name| rules.remove(&name)))
            .is_some(),
        _ => world.remove(id),
    };
    if gone { Ok(()) } else { Err(ChangeError::NotFound(id.to_string())) }
}
