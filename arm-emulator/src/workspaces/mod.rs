//! Hubs, projects and other workspaces (ARM reference, sections 2 and 3).

mod document;
mod network;
mod read;
pub(crate) mod rules;
mod validate;

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::arm_path::ResourceId;
use crate::errors::{self, ArmError};
use crate::faults::OperationFault;
use crate::operations::{BadEnd, Beginning, Effect};
use crate::world::World;

pub(crate) use document::Writer;
pub(crate) use read::show;
pub(crate) use validate::is_name;

/// What a write needs to know besides the resource.
pub(crate) struct Write<'a> {
    pub(crate) writer: Writer<'a>,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) api_version: &'a str,
    pub(crate) endpoint: &'a str,
}

/// Which sort of workspace a document is; the service compares kinds without case.
pub(crate) fn is_kind(document: &Value, kind: &str) -> bool {
    document["kind"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(kind))
}

/// The hub that a project names.
pub(crate) fn hub_of(document: &Value) -> Option<ResourceId> {
    if !is_kind(document, "Project") {
        return None;
    }
    document["properties"]["hubResourceId"].as_str().and_then(ResourceId::parse)
}

/// The key under which writes exclude each other: the hub's for a project.
fn family(id: &ResourceId, document: &Value) -> String {
    hub_of(document).map_or_else(|| id.key(), |hub| hub.key())
}

fn state(document: &Value) -> &str {
    document["properties"]["provisioningState"].as_str().unwrap_or_default()
}

pub(crate) fn set_state(document: &mut Value, state: &str) {
    document["properties"]["provisioningState"] = json!(state);
}

/// What the service does when a creation ends well: it tags hubs with accounts of its own making.
///
/// Recorded are the tags; that every hub gets them, and when, is an assumption.
pub(crate) fn finish_creation(id: &ResourceId, document: &mut Value) {
    set_state(document, "Succeeded");
    if is_kind(document, "Hub") {
        let account = format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.CognitiveServices/accounts/{}-aiservices",
            id.subscription,
            id.group,
            id.workspace.replace('_', "-")
        );
        for tag in document::HUB_TAGS {
            document["tags"][tag] = json!(account);
        }
    }
}

pub(crate) fn get(world: &World, id: &ResourceId) -> Result<Answer, ArmError> {
    world.shown(id).map(Answer::ok).ok_or_else(|| errors::workspace_not_found(&id.workspace, &id.group))
}

/// The workspaces of a subscription or resource group, of one kind if `kind` is given.
pub(crate) fn list(world: &World, subscription: &str, group: Option<&str>, kind: Option<&str>) -> Vec<Value> {
    world
        .all()
        .filter(|stored| stored.id.child.is_none())
        .filter(|stored| stored.id.subscription.eq_ignore_ascii_case(subscription))
        .filter(|stored| group.is_none_or(|group| stored.id.group.eq_ignore_ascii_case(group)))
        .filter(|stored| kind.is_none_or(|kind| is_kind(&stored.document, kind)))
        .map(|stored| world.show(stored))
        .collect()
}

pub(crate) fn put(world: &mut World, id: &ResourceId, body: &Value, write: &Write<'_>) -> Result<Answer, ArmError> {
    validate::name(id)?;
    validate::shape(body)?;
    let existing = world.get(id).map(|stored| stored.document.clone());
    world.refuse_conflict(id, &family(id, existing.as_ref().unwrap_or(body)))?;
    // A creation that failed is begun anew by the next PUT.
    let existing = existing.filter(|existing| world.was_created(id) || state(existing) == "Succeeded");
    let hub = hub_of(body).and_then(|hub| world.get(&hub)).map(|stored| stored.document.clone());
    let verdict = validate::put(id, body, existing.as_ref(), hub.as_ref())?;
    let mut document = document::build(id, body, existing.as_ref(), &write.writer);
    if existing.is_none() {
        set_state(&mut document, "Creating");
        world.store(id.clone(), document, None);
        Ok(begin(world, id, Effect::Create, verdict, write))
    } else {
        updating(world, id);
        Ok(begin(world, id, Effect::Update(Box::new(document)), verdict, write))
    }
}

pub(crate) fn patch(world: &mut World, id: &ResourceId, body: &Value, write: &Write<'_>) -> Result<Answer, ArmError> {
    let Some(existing) = world.get(id).map(|stored| stored.document.clone()) else {
        return Err(errors::workspace_not_found(&id.workspace, &id.group));
    };
    world.refuse_conflict(id, &family(id, &existing))?;
    validate::patch(body, &existing)?;
    let document = document::patched(&existing, body, &write.writer);
    updating(world, id);
    Ok(begin(world, id, Effect::Update(Box::new(document)), None, write))
}

pub(crate) fn delete(world: &mut World, id: &ResourceId, write: &Write<'_>) -> Result<Answer, ArmError> {
    let Some(existing) = world.get(id).map(|stored| stored.document.clone()) else {
        return Ok(Answer::empty(StatusCode::NO_CONTENT));
    };
    // Looked at before running operations: a hub whose last project is still going is refused with this error.
    if !world.projects_of(id).is_empty() {
        return Err(ArmError::user_error(
            StatusCode::BAD_REQUEST,
            "BadArgument",
            "AI hub still has associated AI projects",
        ));
    }
    world.refuse_conflict(id, &family(id, &existing))?;
    if let Some(stored) = world.get_mut(id) {
        set_state(&mut stored.document, "Deleting");
    }
    Ok(begin(world, id, Effect::Delete, None, write))
}

/// While an update runs the workspace reads as before, but for its state.
fn updating(world: &mut World, id: &ResourceId) {
    if let Some(stored) = world.get_mut(id) {
        set_state(&mut stored.document, "Updating");
    }
}

fn begin(world: &mut World, id: &ResourceId, effect: Effect, bad_end: Option<BadEnd>, write: &Write<'_>) -> Answer {
    let document = world.get(&id.owner()).map(|stored| stored.document.clone()).unwrap_or_default();
    let timings = world.settings.timings;
    let lasts = match effect {
        Effect::Create => timings.workspace_create,
        Effect::Update(_) | Effect::Rule(_) => timings.workspace_update,
        Effect::Provision { .. } => timings.network_provision,
        Effect::Delete => timings.workspace_delete,
    };
    let (mut lasts, mut bad_end) = (Some(lasts), world.take_bad_end(write.method, write.path).or(bad_end));
    let mut note = None;
    if let Some((fault, words)) = world.faults.on_operation(write.method, write.path) {
        if fault == OperationFault::Hangs {
            lasts = None;
        }
        bad_end = fault.bad_end().or(bad_end);
        note = Some(words);
    }
    let beginning = Beginning {
        target: id.clone(),
        family: family(&id.owner(), &document),
        effect,
        bad_end,
        lasts,
        polls: world.settings.polls_to_end.filter(|_| lasts.is_some()),
        location: document["location"].as_str().unwrap_or_default(),
        api_version: write.api_version,
        endpoint: write.endpoint,
    };
    let mut answer = world.operations.begin(beginning, write.writer.now);
    answer.fault = note;
    // An operation without duration is over before anyone can look.
    world.advance(write.writer.now);
    answer
}

/// A workspace that is put there by hand: usable at once.
pub(crate) fn out_of_band(id: &ResourceId, body: &Value, existing: Option<&Value>, writer: &Writer<'_>) -> Value {
    let mut document = document::build(id, body, existing, writer);
    if existing.is_none() {
        finish_creation(id, &mut document);
    }
    set_state(&mut document, body["properties"]["provisioningState"].as_str().unwrap_or("Succeeded"));
    document
}
