//! How the objects stand, as metrics: counted from the caches when they are asked for, so that nothing has to be kept in step.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt as _;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, Opts};

use crate::api::conditions::{ConditionType, Reason, find};
use crate::api::policies::ManagementPolicy;
use crate::api::status::{EngineStatus, OperationKind};
use crate::api::{FoundryConnection, FoundryHub, FoundryProject};
use crate::engine::Kind;
use crate::engine::observed::Observed;
use crate::kinds::{Catalog, World};

const CONDITIONS: [ConditionType; 4] =
    [ConditionType::Ready, ConditionType::Synced, ConditionType::ReferencesResolved, ConditionType::Stalled];
const OPERATIONS: [(OperationKind, &str); 4] = [
    (OperationKind::Create, "create"),
    (OperationKind::Update, "update"),
    (OperationKind::Delete, "delete"),
    (OperationKind::Provision, "provision"),
];
const STATUSES: [&str; 3] = ["True", "False", "Unknown"];
/// The reason of an object that nobody has reconciled yet.
const NEW: &str = "New";
/// A reason that is none of the operator's: somebody edited the status, or another version wrote it.
const FOREIGN: &str = "Other";

/// How many there are, and for how many seconds the one has been so that has been so the longest.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Many {
    count: u32,
    oldest: f64,
}

impl Many {
    fn add(&mut self, age: f64) {
        self.count += 1;
        self.oldest = self.oldest.max(age);
    }
}

/// Condition, status, reason.
type Standing = (&'static str, &'static str, &'static str);

/// How the objects of a kind stand.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    conditions: BTreeMap<Standing, Many>,
    /// In the order of [`OPERATIONS`].
    operations: [Many; 4],
}

impl Tally {
    fn add(&mut self, created: Option<Timestamp>, engine: Option<&EngineStatus>, now: Timestamp) {
        let conditions = engine.map(|engine| engine.conditions.as_slice()).unwrap_or_default();
        if find(conditions, ConditionType::Ready).is_none() {
            self.condition((ConditionType::Ready.as_str(), "Unknown", NEW), created, now);
        }
        for type_ in CONDITIONS {
            let Some(condition) = find(conditions, type_) else { continue };
            let status = STATUSES.into_iter().find(|status| *status == condition.status).unwrap_or("Unknown");
            let reason = Reason::ALL.iter().map(|reason| reason.as_str()).find(|reason| *reason == condition.reason);
            let standing = (type_.as_str(), status, reason.unwrap_or(FOREIGN));
            self.condition(standing, Some(condition.last_transition_time.0), now);
        }
        if let Some(operation) = engine.and_then(|engine| engine.operation.as_ref()) {
            let begun = operation.started_at.parse().ok();
            for (many, (kind, _)) in self.operations.iter_mut().zip(OPERATIONS) {
                if kind == operation.kind {
                    many.add(begun.map_or(0.0, |begun| seconds(begun, now)));
                }
            }
        }
    }

    fn condition(&mut self, standing: Standing, since: Option<Timestamp>, now: Timestamp) {
        self.conditions.entry(standing).or_default().add(since.map_or(0.0, |since| seconds(since, now)));
    }
}

/// Clocks differ: what is in the future began just now.
fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

/// Whether Azure has to be read for an object each `--resync`: it has a resource there, and may ask for it.
fn is_observed(management: ManagementPolicy, engine: Option<&EngineStatus>) -> bool {
    let Some(engine) = engine else { return false };
    let references = find(&engine.conditions, ConditionType::ReferencesResolved);
    management != ManagementPolicy::Pause
        && engine.resource_id.is_some()
        && references.is_none_or(|condition| condition.status != "False")
}

/// The metrics, for one look at them.
struct Shown {
    objects: GaugeVec,
    condition_age: GaugeVec,
    operations: GaugeVec,
    operation_age: GaugeVec,
    observation_age: GaugeVec,
}

impl Shown {
    fn new() -> Result<Self, prometheus::Error> {
        let standing = ["kind", "condition", "status", "reason"];
        let gauge = |name: &str, help: &str, labels: &[&str]| GaugeVec::new(Opts::new(name, help), labels);
        Ok(Self {
            objects: gauge(
                "foundry_objects",
                "Objects by kind, and the status and reason of each of their conditions.",
                &standing,
            )?,
            condition_age: gauge(
                "foundry_condition_age_seconds",
                "How long a condition has had its status, of the object where that is longest.",
                &standing,
            )?,
            operations: gauge(
                "foundry_operations",
                "Long-running operations that Azure is carrying out.",
                &["kind", "operation"],
            )?,
            operation_age: gauge(
                "foundry_operation_age_seconds",
                "How long the oldest of these operations has run.",
                &["kind", "operation"],
            )?,
            observation_age: gauge(
                "foundry_observation_age_seconds",
                "How long ago the resource in Azure was seen, of the object where that is longest.",
                &["kind"],
            )?,
        })
    }

    fn show(&self, kind: &str, tally: &Tally) {
        for ((condition, status, reason), many) in &tally.conditions {
            self.objects.with_label_values(&[kind, condition, status, reason]).set(many.count.into());
            self.condition_age.with_label_values(&[kind, condition, status, reason]).set(many.oldest);
        }
        for (many, (_, operation)) in tally.operations.iter().zip(OPERATIONS) {
            self.operations.with_label_values(&[kind, operation]).set(many.count.into());
            self.operation_age.with_label_values(&[kind, operation]).set(many.oldest);
        }
    }

    fn all(&self) -> [&GaugeVec; 5] {
        [&self.objects, &self.condition_age, &self.operations, &self.operation_age, &self.observation_age]
    }
}

/// Metrics of all objects in the caches.
pub(super) struct Objects {
    world: Arc<World>,
    connections: Catalog<FoundryConnection>,
    observed: Arc<Observed>,
    described: Shown,
}

impl Objects {
    /// Of these caches; `observed` says when the resource of each object was last seen.
    pub(super) fn new(
        world: Arc<World>,
        connections: Catalog<FoundryConnection>,
        observed: Arc<Observed>,
    ) -> Result<Self, prometheus::Error> {
        Ok(Self { world, connections, observed, described: Shown::new()? })
    }

    fn count<K: Kind>(&self, shown: &Shown, all: &Catalog<K>, engine: fn(&K) -> Option<&EngineStatus>, now: Timestamp) {
        let (kind, objects, mut tally) = (K::kind(&()), all.filter(|_| true), Tally::default());
        for object in &objects {
            tally.add(object.creation_timestamp().map(|time| time.0), engine(object), now);
        }
        shown.show(&kind, &tally);
        let observed = objects.iter().filter(|object| is_observed(object.policies().management, engine(object)));
        let last = self.observed.longest_ago(observed.filter_map(|object| object.meta().uid.as_deref()));
        let age = last.map_or(0.0, |last| seconds(last, now));
        shown.observation_age.with_label_values(&[&kind]).set(age);
    }
}

impl Collector for Objects {
    fn desc(&self) -> Vec<&Desc> {
        self.described.all().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // Made anew each time: a reason that no object has any more is not told.
        let Ok(shown) = Shown::new() else { return Vec::new() };
        let now = Timestamp::now();
        self.count::<FoundryHub>(&shown, &self.world.hubs, |hub| hub.status.as_ref().map(|it| &it.engine), now);
        self.count::<FoundryProject>(&shown, &self.world.projects, |it| it.status.as_ref().map(|it| &it.engine), now);
        self.count(&shown, &self.connections, |it| it.status.as_ref().map(|it| &it.engine), now);
        shown.all().into_iter().flat_map(Collector::collect).collect()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

    use super::*;
    use crate::api::status::Operation;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn with(type_: &str, status: &str, reason: &str, since: i64) -> EngineStatus {
        let condition = Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: String::new(),
            last_transition_time: Time(at(since)),
            observed_generation: None,
        };
        EngineStatus { conditions: vec![condition], resource_id: Some("/x".to_owned()), ..EngineStatus::default() }
    }

    fn tally(statuses: &[EngineStatus]) -> Tally {
        let mut tally = Tally::default();
        for status in statuses {
            tally.add(None, Some(status), at(1000));
        }
        tally
    }

    #[test]
    fn objects_are_counted_by_reason_and_the_oldest_tells_the_age() {
        let tally = tally(&[with("Ready", "False", "Forbidden", 900), with("Ready", "False", "Forbidden", 400)]);
        let expected = BTreeMap::from([(("Ready", "False", "Forbidden"), Many { count: 2, oldest: 600.0 })]);
        assert_eq!(tally.conditions, expected);
    }

    #[test]
    fn what_somebody_put_into_a_status_makes_no_labels() {
        let tally = tally(&[with("Ready", "Perhaps", "x-1234", 2000)]);
        let expected = BTreeMap::from([(("Ready", "Unknown", FOREIGN), Many { count: 1, oldest: 0.0 })]);
        assert_eq!(tally.conditions, expected);
    }

    #[test]
    fn an_object_that_nobody_has_looked_at_is_counted_too() {
        let mut tally = Tally::default();
        tally.add(Some(at(990)), None, at(1000));
        let expected = BTreeMap::from([(("Ready", "Unknown", NEW), Many { count: 1, oldest: 10.0 })]);
        assert_eq!(tally.conditions, expected);
    }

    #[test]
    fn an_operation_counts_with_its_age() {
        let operation = Operation {
            kind: OperationKind::Delete,
            resource_id: String::new(),
            url: String::new(),
            started_at: at(940).to_string(),
            sent: None,
            attempt: None,
        };
        let status = EngineStatus { operation: Some(operation), ..with("Ready", "False", "Deleting", 940) };
        assert_eq!(
            tally(&[status]).operations.map(|many| (many.count, many.oldest)),
            [(0, 0.0), (0, 0.0), (1, 60.0), (0, 0.0)]
        );
    }

    #[test]
    fn who_is_paused_or_lacks_its_hub_need_not_be_observed() {
        let status = with("ReferencesResolved", "False", "HubNotFound", 0);
        assert!(!is_observed(ManagementPolicy::Manage, Some(&status)));
        let status = with("ReferencesResolved", "True", "Resolved", 0);
        assert!(is_observed(ManagementPolicy::Observe, Some(&status)));
        assert!(!is_observed(ManagementPolicy::Pause, Some(&status)));
        assert!(!is_observed(ManagementPolicy::Manage, Some(&EngineStatus::default())));
    }
}
