//! Everything that exists in the emulated Azure, and how operations change it.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::arm_path::{Child, ResourceId};
use crate::azure::{Providers, Store};
use crate::config::{ConflictScope, Settings};
use crate::datastores;
use crate::errors::{self, ArmError};
use crate::faults::Faults;
use crate::operations::{BadEnd, Effect, Operation, Operations, Outcome};
use crate::workspaces;

/// A resource as it is kept.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) id: ResourceId,
    /// The resource as ARM shows it, but for what is computed on read.
    pub(crate) document: Value,
    /// The credentials of a connection, which no read but `listsecrets` shows.
    pub(crate) credentials: Option<Value>,
}

impl fmt::Debug for Stored {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Stored")
            .field("document", &self.document)
            .field("has_credentials", &self.credentials.is_some())
            .finish_non_exhaustive()
    }
}

/// A request for a failure of the next matching call.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedFailure {
    /// The HTTP method, or empty for any.
    #[serde(default)]
    pub method: String,
    /// Text that the request's path must contain, compared without case; empty for any.
    #[serde(default)]
    pub path: String,
    /// How the long-running operation ends. Ignored when `status` is given.
    #[serde(default = "failed")]
    pub outcome: Outcome,
    /// When given, the request itself is refused at once with this HTTP status, instead of being accepted and failing later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The error code.
    pub code: String,
    /// The error message.
    #[serde(default)]
    pub message: String,
}

const fn failed() -> Outcome {
    Outcome::Failed
}

impl PlannedFailure {
    fn matches(&self, method: &str, path: &str) -> bool {
        (self.method.is_empty() || self.method.eq_ignore_ascii_case(method))
            && path.to_lowercase().contains(&self.path.to_lowercase())
    }
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) operations: Operations,
    resources: BTreeMap<String, Stored>,
    planned: Vec<PlannedFailure>,
    pub(crate) faults: Faults,
    pub(crate) store: Store,
    pub(crate) providers: Providers,
}

impl World {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            operations: Operations::default(),
            resources: BTreeMap::new(),
            planned: Vec::new(),
            faults: Faults::default(),
            store: Store::default(),
            providers: Providers::default(),
        }
    }

    /// Applies every operation that has come to its end by `now`.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.providers.advance(now);
        for operation in self.operations.take_due(now) {
            self.settle(operation);
        }
    }

    fn settle(&mut self, operation: Operation) {
        let key = operation.target.key();
        if matches!(operation.effect, Effect::Rule(_) | Effect::Provision { .. }) {
            workspaces::rules::settle(self, &operation.target, &operation.effect, operation.bad_end.is_none());
            return;
        }
        if let Some(end) = &operation.bad_end {
            if let Some(stored) = self.resources.get_mut(&key) {
                workspaces::set_state(&mut stored.document, end.outcome.word());
            }
            return;
        }
        match operation.effect {
            Effect::Create => {
                if let Some(stored) = self.resources.get_mut(&key) {
                    workspaces::finish_creation(&stored.id, &mut stored.document);
                }
                self.add_default_datastores(&operation.target, operation.ends);
            }
            Effect::Update(document) => {
                if let Some(stored) = self.resources.get_mut(&key) {
                    stored.document = *document;
                    workspaces::set_state(&mut stored.document, "Succeeded");
                }
            }
            Effect::Delete => {
                self.remove(&operation.target);
            }
            Effect::Rule(_) | Effect::Provision { .. } => {}
        }
    }

    pub(crate) fn add_default_datastores(&mut self, workspace: &ResourceId, now: Timestamp) {
        let Some(document) = self.shown(workspace) else {
            return;
        };
        for (name, datastore) in datastores::defaults(workspace, &document, self.settings.container_naming, now) {
            self.store(workspace.child(Child::Datastore, name), datastore, None);
        }
    }

    /// Whether the creation of a workspace has come to its good end: it has datastores from then on.
    pub(crate) fn was_created(&self, workspace: &ResourceId) -> bool {
        self.children(workspace, Child::Datastore).next().is_some()
    }

    pub(crate) fn get(&self, id: &ResourceId) -> Option<&Stored> {
        self.resources.get(&id.key())
    }

    pub(crate) fn get_mut(&mut self, id: &ResourceId) -> Option<&mut Stored> {
        self.resources.get_mut(&id.key())
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Stored> {
        self.resources.values()
    }

    pub(crate) fn store(&mut self, id: ResourceId, document: Value, credentials: Option<Value>) {
        self.resources.insert(id.key(), Stored { id, document, credentials });
    }

    /// Removes a resource and, for a workspace, its connections and datastores. Whether it was there.
    pub(crate) fn remove(&mut self, id: &ResourceId) -> bool {
        let key = id.key();
        let was_there = self.resources.remove(&key).is_some();
        let below = format!("{key}/");
        self.resources.retain(|other, _| !other.starts_with(&below));
        was_there
    }

    /// Removes every resource whose key begins so.
    pub(crate) fn remove_below(&mut self, below: &str) {
        self.resources.retain(|key, _| !key.starts_with(below));
    }

    pub(crate) fn children(&self, workspace: &ResourceId, child: Child) -> impl Iterator<Item = &Stored> {
        let below = format!("{}/{}/", workspace.key(), child.collection());
        self.resources.iter().filter(move |(key, _)| key.starts_with(&below)).map(|(_, stored)| stored)
    }

    /// The resource as ARM shows it now.
    pub(crate) fn shown(&self, id: &ResourceId) -> Option<Value> {
        if let Some((Child::OutboundRule, _)) = id.child {
            return workspaces::rules::shown(self, id);
        }
        self.get(id).map(|stored| self.show(stored))
    }

    pub(crate) fn show(&self, stored: &Stored) -> Value {
        if stored.id.child.is_some() {
            return stored.document.clone();
        }
        workspaces::show(self, stored)
    }

    /// The projects of a hub, also those that are being deleted.
    pub(crate) fn projects_of(&self, hub: &ResourceId) -> Vec<&Stored> {
        let key = hub.key();
        self.resources
            .values()
            .filter(|stored| stored.id.child.is_none())
            .filter(|stored| workspaces::hub_of(&stored.document).is_some_and(|hub| hub.key() == key))
            .collect()
    }

    /// Refuses a write of a workspace while an operation runs that excludes it.
    pub(crate) fn refuse_conflict(&self, id: &ResourceId, family: &str) -> Result<(), ArmError> {
        let key = id.key();
        let scope = self.settings.conflict_scope;
        let conflict = self.operations.running().any(|operation| match scope {
            ConflictScope::Hub => operation.family == family,
            ConflictScope::Workspace => {
                let running = operation.target.owner().key();
                running == key || running == family
            }
        });
        if conflict { Err(errors::another_operation()) } else { Ok(()) }
    }

    /// Refuses a write below a workspace on which an operation runs.
    pub(crate) fn refuse_child_conflict(&self, workspace: &ResourceId) -> Result<(), ArmError> {
        let key = workspace.key();
        if self.operations.running().any(|operation| operation.target.owner().key() == key) {
            return Err(errors::another_operation());
        }
        Ok(())
    }

    pub(crate) fn plan_failure(&mut self, failure: PlannedFailure) {
        self.planned.push(failure);
    }

    /// Takes the first plan by which this request is refused at once.
    pub(crate) fn take_refusal(&mut self, method: &str, path: &str) -> Option<PlannedFailure> {
        let place = self.planned.iter().position(|plan| plan.status.is_some() && plan.matches(method, path))?;
        Some(self.planned.remove(place))
    }

    /// Takes the first plan by which the operation that this request begins ends badly.
    pub(crate) fn take_bad_end(&mut self, method: &str, path: &str) -> Option<BadEnd> {
        let place = self.planned.iter().position(|plan| plan.status.is_none() && plan.matches(method, path))?;
        let PlannedFailure { outcome, code, message, .. } = self.planned.remove(place);
        Some(BadEnd { outcome, code, message })
    }
}

/// The `systemData` of something written by `caller` at `now`, keeping who created it.
pub(crate) fn system_data(existing: Option<&Value>, caller: &str, now: Timestamp) -> Value {
    let time = format!("{now:.7}");
    let created = |name: &str, new: &str| -> Value {
        existing.and_then(|data| data.get(name)).cloned().unwrap_or_else(|| json!(new))
    };
    json!({
        "createdAt": created("createdAt", &time),
        "createdBy": created("createdBy", caller),
        "createdByType": created("createdByType", "Application"),
        "lastModifiedAt": time,
        "lastModifiedBy": caller,
        "lastModifiedByType": "Application"
    })
}

/// JSON merge patch (RFC 7396).
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Value::Object(target) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}
