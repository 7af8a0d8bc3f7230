//! What was seen of Azure, and when. Whether it came from a GET, a poll, a list or the answer to a write is not told.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::arm::{ArmId, resource_type};

/// Something that can be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A resource.
    Resource(ArmId),
    /// A collection below a resource.
    Collection(ArmId, &'static str),
    /// The long-running operation at this URL.
    Operation(String),
}

/// What was seen.
#[derive(Clone, Debug, PartialEq)]
pub enum Sight {
    /// The resource as it is.
    Present(Value),
    /// No such resource.
    Absent,
    /// The members of the collection.
    Items(Vec<Value>),
    /// The operation has not ended, and ARM asks to wait so long before it is asked again.
    Running(Option<Duration>),
}

/// What was seen so far, with the time at which it was true.
#[derive(Clone, Debug, Default)]
pub struct Sights {
    seen: HashMap<Target, (Timestamp, Sight)>,
}

impl Sights {
    /// Keeps what was seen of a target.
    pub fn insert(&mut self, target: Target, at: Timestamp, sight: Sight) {
        self.seen.insert(target, (at, sight));
    }

    /// What was last seen of a target, and when.
    #[must_use]
    pub fn get(&self, target: &Target) -> Option<(Timestamp, &Sight)> {
        self.seen.get(target).map(|(at, sight)| (*at, sight))
    }

    /// The resource, where it was seen, by itself or in a collection.
    #[must_use]
    pub fn resource(&self, id: &ArmId) -> Option<&Value> {
        let alone = self.get(&Target::Resource(id.clone()));
        let listed =
            resource_type::of(id).and_then(|type_| self.get(&Target::Collection(id.top_level(), type_.listed_in?)));
        match [alone, listed].into_iter().flatten().max_by_key(|(at, _)| *at)? {
            (_, Sight::Present(value)) => Some(value),
            (_, Sight::Items(items)) => member(items, id),
            (_, Sight::Absent | Sight::Running(_)) => None,
        }
    }

    /// The members of a collection, where it was seen.
    #[must_use]
    pub fn items(&self, id: &ArmId, collection: &'static str) -> Option<&[Value]> {
        match self.get(&Target::Collection(id.clone(), collection))? {
            (_, Sight::Items(items)) => Some(items),
            _ => None,
        }
    }
}

/// The member of a collection with that ARM id.
#[must_use]
pub fn member<'a>(items: &'a [Value], id: &ArmId) -> Option<&'a Value> {
    items.iter().find(|item| item["id"].as_str().is_some_and(|other| other.eq_ignore_ascii_case(id.as_str())))
}
