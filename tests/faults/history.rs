//! What objects said of themselves over time: every state that the API server told of.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use futures::StreamExt as _;
use jiff::Timestamp;
use kube::api::DynamicObject;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, ResourceExt as _};
use serde_json::Value;
use tokio::task::JoinHandle;

/// One state of an object.
#[derive(Clone, Debug)]
pub struct Seen {
    pub at: Timestamp,
    pub version: String,
    pub gone: bool,
    /// Ready for the spec that it has.
    pub ready: bool,
    conditions: Vec<[String; 4]>,
}

impl Seen {
    fn of(object: &DynamicObject) -> Self {
        let status = &object.data["status"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let conditions: Vec<[String; 4]> = status["conditions"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|condition| ["type", "status", "reason", "message"].map(|field| text(&condition[field])))
            .collect();
        let is_true = |type_: &str| conditions.iter().any(|[is, status, ..]| is == type_ && status == "True");
        let current = status["observedGeneration"].as_i64() == object.metadata.generation;
        let version = object.resource_version().unwrap_or_default();
        Self {
            at: Timestamp::now(),
            version,
            gone: false,
            ready: current && is_true("Ready") && is_true("Synced"),
            conditions,
        }
    }

    /// The reason for which Azure equals the spec, or does not.
    pub fn synced(&self) -> &str {
        let synced = self.conditions.iter().find(|[type_, ..]| type_ == "Synced");
        synced.map_or("", |[_, _, reason, _]| reason.as_str())
    }

    /// Whether it waits because faults of several objects at once look like an ARM that is down.
    pub fn is_held_back(&self) -> bool {
        self.conditions.iter().any(|[.., message]| message.contains("ARM has not answered properly since"))
    }

    pub fn is_stalled(&self) -> bool {
        self.conditions.iter().any(|[type_, status, ..]| type_ == "Stalled" && status == "True")
    }

    /// Messages about the resource that do not name it.
    pub fn nameless(&self, name: &str) -> Option<String> {
        let nameless = |[type_, _, _, message]: &&[String; 4]| type_ != "ReferencesResolved" && !message.contains(name);
        self.conditions.iter().find(nameless).map(|condition| condition.join(" "))
    }
}

/// The reasons that were told of how Azure stands to the spec.
pub fn reasons<'a>(seen: impl IntoIterator<Item = &'a Seen>) -> BTreeSet<String> {
    seen.into_iter().map(|seen| seen.synced().to_owned()).filter(|reason| !reason.is_empty()).collect()
}

/// A watch on every object of a kind in a namespace. It ends when it is dropped.
pub struct Histories {
    by_name: Arc<Mutex<HashMap<String, Vec<Seen>>>>,
    watch: JoinHandle<()>,
}

impl Histories {
    pub fn begin(api: Api<DynamicObject>) -> Self {
        let by_name: Arc<Mutex<HashMap<String, Vec<Seen>>>> = Arc::default();
        let told = Arc::clone(&by_name);
        let watch = tokio::spawn(async move {
            let mut events = std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff());
            while let Some(event) = events.next().await {
                let (name, seen) = match event {
                    Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                        (object.name_any(), Seen::of(&object))
                    }
                    Ok(watcher::Event::Delete(object)) => {
                        (object.name_any(), Seen { gone: true, ready: false, ..Seen::of(&object) })
                    }
                    _ => continue,
                };
                told.lock().unwrap().entry(name).or_default().push(seen);
            }
        });
        Self { by_name, watch }
    }

    /// What was seen of an object, from the first state on that is not among `known`.
    pub fn of(&self, name: &str, known: usize) -> Vec<Seen> {
        let by_name = self.by_name.lock().unwrap();
        by_name.get(name).and_then(|seen| seen.get(known..)).unwrap_or_default().to_vec()
    }
}

impl Drop for Histories {
    fn drop(&mut self) {
        self.watch.abort();
    }
}
