//! How a workspace reads: its document and what is computed from others.

use serde_json::{Value, json};

use super::document::{DEPENDENCIES, inherits};
use super::{hub_of, is_kind};
use crate::world::{Stored, World};

pub(crate) fn show(world: &World, stored: &Stored) -> Value {
    let mut shown = stored.document.clone();
    if is_kind(&shown, "Hub") {
        let projects: Vec<Value> =
            world.projects_of(&stored.id).into_iter().map(|project| project.document["id"].clone()).collect();
        // Recorded: absent until the first project.
        if !projects.is_empty() {
            shown["properties"]["associatedWorkspaces"] = json!(projects);
        }
    }
    if inherits(&shown)
        && let Some(hub) = hub_of(&shown).and_then(|hub| world.get(&hub))
    {
        for name in DEPENDENCIES.into_iter().chain(["managedNetwork", "encryption"]) {
            let inherited = &hub.document["properties"][name];
            if shown["properties"].get(name).is_none() && hub.document["properties"].get(name).is_some() {
                shown["properties"][name] = inherited.clone();
            }
        }
    }
    shown
}
