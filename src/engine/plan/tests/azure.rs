//! A small Azure in memory: enough of its habits to catch a plan that trusts it too much.

use crate::engine::body;
use std::collections::BTreeMap;

use fastrand::Rng;
use serde_json::{Value, json};

use super::super::*;
use super::scene::{MARK, OTHER_MARK, provisioning, with};
use crate::arm::ResourceType;
use crate::arm::resource_type::of;
use crate::engine::ownership::OWNER_KEY;

/// A name that Azure refuses for good.
pub(super) const REFUSED: &str = "refused";
/// A name that Azure writes in another way than it was sent.
pub(super) const STUBBORN: &str = "stubborn";

pub(super) enum Answer {
    Done,
    Accepted(String),
    Passing,
    Lasting,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Progress {
    Running,
    Succeeded,
    Passing,
    Lasting,
    Forgotten,
}

struct Work {
    url: String,
    id: ArmId,
    kind: OperationKind,
    body: Value,
    ends: Progress,
    left: u8,
}

#[derive(Default)]
pub(super) struct Azure {
    there: BTreeMap<String, (ArmId, Value)>,
    works: Vec<Work>,
    count: u64,
}

impl Azure {
    pub(super) fn get(&self, id: &ArmId) -> Option<&Value> {
        self.there.get(&key(id)).map(|(_, value)| value)
    }

    /// The ids of what carries this mark.
    pub(super) fn marked(&self, mark: &str) -> Vec<&ArmId> {
        let marked = self.there.values().filter(|(id, value)| mark_of(id, value) == Some(mark));
        marked.map(|(id, _)| id).collect()
    }

    /// How the resource came to be: another one of the same name has another birth.
    pub(super) fn birth(&self, id: &ArmId) -> Option<&str> {
        self.get(id).and_then(ownership::created_at)
    }

    pub(super) fn put(&mut self, id: &ArmId, body: &Value, rng: &mut Rng) -> Answer {
        if *id == id.top_level() {
            return self.begin(OperationKind::Create, id, body, rng);
        }
        if self.get(&id.top_level()).is_none() || rng.u8(..10) == 0 {
            return Answer::Passing;
        }
        self.place(id, body, "Succeeded");
        Answer::Done
    }

    pub(super) fn patch(&mut self, id: &ArmId, body: &Value, rng: &mut Rng) -> Answer {
        self.begin(OperationKind::Update, id, body, rng)
    }

    /// The parts of a resource.
    pub(super) fn parts(&self, id: &ArmId) -> Vec<Value> {
        let parts = self.there.values().filter(|(part, _)| type_(part).is_part() && part.top_level() == *id);
        parts.map(|(_, value)| value.clone()).collect()
    }

    pub(super) fn provision(&mut self, id: &ArmId, rng: &mut Rng) -> Answer {
        if self.get(id).is_none() {
            return Answer::Passing;
        }
        self.begin(OperationKind::Provision, id, &Value::Null, rng)
    }

    pub(super) fn delete(&mut self, id: &ArmId, rng: &mut Rng) -> Answer {
        if *id == id.top_level() && self.get(id).is_some() {
            return self.begin(OperationKind::Delete, id, &Value::Null, rng);
        }
        self.remove(id);
        Answer::Done
    }

    fn begin(&mut self, kind: OperationKind, id: &ArmId, body: &Value, rng: &mut Rng) -> Answer {
        let busy = self.works.iter().any(|work| work.id == *id && work.left > 0);
        if busy || rng.u8(..10) == 0 {
            return Answer::Passing;
        }
        let refused = body["properties"]["friendlyName"] == REFUSED;
        if refused && rng.bool() {
            return Answer::Lasting;
        }
        let ends = match rng.u8(..10) {
            _ if refused => Progress::Lasting,
            0 => Progress::Passing,
            _ => Progress::Succeeded,
        };
        match kind {
            OperationKind::Create if self.get(id).is_none() => self.place(id, body, "Creating"),
            OperationKind::Create | OperationKind::Update => self.set_state(id, "Updating"),
            OperationKind::Delete => self.set_state(id, "Deleting"),
            OperationKind::Provision => {}
        }
        self.count += 1;
        let url = format!("https://management.azure.com/operations/{}", self.count);
        self.works.push(Work { url: url.clone(), id: id.clone(), kind, body: body.clone(), ends, left: rng.u8(1..20) });
        Answer::Accepted(url)
    }

    pub(super) fn poll(&self, url: &str) -> Progress {
        match self.works.iter().find(|work| work.url == url) {
            Some(work) if work.left > 0 => Progress::Running,
            Some(work) => work.ends,
            None => Progress::Forgotten,
        }
    }

    /// A while passes, whether anybody looks or not.
    pub(super) fn tick(&mut self) {
        for at in 0..self.works.len() {
            let work = &mut self.works[at];
            work.left = match work.left {
                0 => continue,
                left => left - 1,
            };
            if work.left == 0 {
                let (id, kind, body, ends) = (work.id.clone(), work.kind, work.body.clone(), work.ends);
                self.end(&id, kind, &body, ends);
            }
        }
    }

    fn end(&mut self, id: &ArmId, kind: OperationKind, body: &Value, ends: Progress) {
        let Some(there) = self.get(id).cloned() else { return };
        match (kind, ends) {
            (OperationKind::Delete, Progress::Succeeded) => self.remove(id),
            (OperationKind::Create, Progress::Succeeded) => self.place(id, body, "Succeeded"),
            (OperationKind::Update, Progress::Succeeded) => {
                let mut changed = there;
                body::overlay(&mut changed, body);
                if body["tags"].is_object() {
                    changed["tags"] = body["tags"].clone();
                }
                self.place(id, &changed, "Succeeded");
            }
            (OperationKind::Provision, Progress::Succeeded) => {
                self.change(id, |value| with(value, "/properties/managedNetwork/status", "status", "Active"));
            }
            (OperationKind::Provision, _) => {}
            (OperationKind::Create, _) => self.set_state(id, "Failed"),
            (OperationKind::Update | OperationKind::Delete, _) => self.set_state(id, "Succeeded"),
        }
    }

    pub(super) fn forget_ended_operations(&mut self) {
        self.works.retain(|work| work.left > 0);
    }

    /// Somebody makes a resource of this name, as somebody else's or as nobody's.
    pub(super) fn made_by_others(&mut self, id: &ArmId, body: &Value, marked: bool) {
        if self.get(id).is_some() || (*id != id.top_level() && self.get(&id.top_level()).is_none()) {
            return;
        }
        let mark = if marked { Value::from(OTHER_MARK) } else { Value::Null };
        let body = type_(id).mark_in.map_or_else(|| body.clone(), |map| with(body, map, OWNER_KEY, mark));
        self.place(id, &body, "Succeeded");
    }

    /// Somebody puts another mark on a resource, or takes the mark off.
    pub(super) fn mark(&mut self, id: &ArmId, mark: Value) {
        if let Some(map) = type_(id).mark_in {
            self.change(id, |value| with(value, map, OWNER_KEY, mark));
        }
    }

    /// Somebody changes a field.
    pub(super) fn drift(&mut self, id: &ArmId) {
        self.change(id, |value| with(value, "/properties", "description", "by hand"));
        self.change(id, |value| with(value, "/properties", "friendlyName", "by hand"));
    }

    /// Somebody deletes a resource and all that is in it.
    pub(super) fn remove(&mut self, id: &ArmId) {
        let (gone, below) = (key(id), format!("{}/", key(id)));
        self.there.retain(|at, _| *at != gone && !at.starts_with(&below));
        // What was at work on it has nothing to work on any more.
        for work in self.works.iter_mut().filter(|work| work.id == *id && work.left > 0) {
            work.left = 0;
            if work.kind != OperationKind::Delete {
                work.ends = Progress::Passing;
            }
        }
    }

    fn set_state(&mut self, id: &ArmId, state: &str) {
        self.change(id, |value| provisioning(value, state));
    }

    fn change(&mut self, id: &ArmId, how: impl FnOnce(&Value) -> Value) {
        if let Some((_, value)) = self.there.get_mut(&key(id)) {
            *value = how(value);
        }
    }

    fn place(&mut self, id: &ArmId, body: &Value, state: &str) {
        let born = if let Some(born) = self.birth(id) {
            born.to_owned()
        } else {
            self.count += 1;
            format!("birth {}", self.count)
        };
        let mut value = provisioning(body, state);
        for field in ["friendlyName", "target"] {
            if value["properties"][field] == STUBBORN {
                value["properties"][field] = json!(STUBBORN.to_uppercase());
            }
        }
        value["systemData"] = json!({"createdAt": born});
        value["id"] = json!(id.as_str());
        self.there.insert(key(id), (id.clone(), value));
    }
}

/// The mark of a resource, read without the code that is tested.
pub(super) fn mark_of<'a>(id: &ArmId, value: &'a Value) -> Option<&'a str> {
    value.pointer(type_(id).mark_in?)?[OWNER_KEY].as_str()
}

pub(super) fn is_ours(id: &ArmId, value: &Value) -> bool {
    mark_of(id, value) == Some(MARK)
}

fn type_(id: &ArmId) -> &'static ResourceType {
    of(id).unwrap()
}

fn key(id: &ArmId) -> String {
    id.as_str().to_ascii_lowercase()
}
