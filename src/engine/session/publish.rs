//! Telling what happened: the status, events, the log; and when to look again.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::runtime::events::EventType;
use serde_json::{Value, json};

use super::Session;
use super::write::QUEUED;
use crate::api::RECONCILE_AT;
use crate::api::conditions::{ConditionType, Reason, find};
use crate::api::policies::ManagementPolicy;
use crate::api::status::{Operation, OperationKind};
use crate::arm::resource_type::label;
use crate::arm::{ArmError, ArmId, Cause, Class, retry};
use crate::engine::context::Error;
use crate::engine::kind::{Kind, Unresolved, Wanted};
use crate::engine::metrics::Outcome;
use crate::engine::sight::{Sight, Target};
use crate::engine::verdict::{Circumstances, Rest, State, Wake, conditions};
use crate::engine::{events, inventory, ownership, pace};

/// Field manager of what the operator writes to objects.
const FIELD_MANAGER: &str = "foundry-operator";
/// When an object is looked at again whose status holds what Azure did not say itself.
const PROVISIONAL: Duration = Duration::from_mins(1);

impl<K: Kind> Session<'_, K> {
    /// Judges an error and tells it.
    pub(super) fn set_back(&mut self, verb: &str, id: &ArmId, error: &ArmError) -> Rest {
        let deleting = self.deleting();
        let mut message = format!("could not {verb} {}: {error}", label(id));
        if error.cause == Cause::HasProjects {
            let projects = self.sights.resource(id).map(associated).unwrap_or_default();
            if !projects.is_empty() {
                message = format!("{message}; its projects in Azure: {projects}");
            }
        }
        if deleting {
            message.push_str("; deletionPolicy: Orphan releases the object and leaves Azure as it is");
        }
        if error.class == Class::Lasting && !deleting {
            message = format!(
                "{message}; if the fault was in Azure and is mended, change the annotation {RECONCILE_AT} to try again"
            );
            return Rest::new(State::Stalled, Reason::Refused, message, Wake::Resync);
        }
        let asked = error.retry_after.unwrap_or_default();
        let wake = if self.queued {
            Wake::After(asked.max(QUEUED))
        } else if error.was_held_back() {
            Wake::After(asked.mul_f64(1.0 + fastrand::f64() / 4.0))
        } else {
            Wake::Backoff { class: error.class, retry_after: error.retry_after }
        };
        // Waiting for one's turn is no failure.
        let in_line = error.cause == Cause::Throttled && error.was_held_back();
        let state = if error.cause == Cause::Busy || in_line { State::Working } else { State::Waiting };
        Rest::new(state, reason_of(error.cause), message, wake)
    }

    /// Publishes where the object came to rest, tells of it, and says when to look again.
    pub(super) async fn rest(
        mut self,
        rest: Rest,
        resolved: &Result<Vec<Wanted>, Unresolved>,
    ) -> Result<(Action, Outcome), Error> {
        // Who is paused writes nothing, whatever Azure is still doing for it.
        let waits = self.queued || K::engine(&mut self.status).operation.is_some();
        if !waits || rest.state == State::Paused {
            self.context.gate.leave(&self.holder());
        }
        if rest.state == State::Settled {
            for owned in &mut K::engine(&mut self.status).resources {
                owned.refused = None;
            }
        }
        if self.is_routine() && rest.is_in_line() {
            // Nothing is known that was not known before: nobody is alarmed, and nothing is written.
            tracing::debug!(reason = rest.reason.as_str(), "a routine look was put off: {}", rest.message);
            self.flush().await;
            return Ok((self.wake(rest.wake), Outcome::Rested(rest.state)));
        }
        let primary = resolved.as_deref().ok().and_then(<[Wanted]>::first);
        self.publish_facts(&rest, primary);
        if self.publish(&rest, resolved.as_ref().err()).await? {
            self.announce(&rest);
        }
        self.flush().await;
        let soon = rest.state == State::Settled && K::is_provisional(&self.status);
        let wake = if soon { Wake::After(PROVISIONAL) } else { rest.wake };
        Ok((self.wake(wake), Outcome::Rested(rest.state)))
    }

    /// Puts what was seen of the primary into the status, if it is this object's to tell: others build on it.
    fn publish_facts(&mut self, rest: &Rest, primary: Option<&Wanted>) {
        let Some(primary) = primary else { return };
        let there = self.sights.resource(&primary.id);
        let created_at = there.and_then(ownership::created_at).map(str::to_owned);
        let gone = matches!(self.sights.get(&Target::Resource(primary.id.clone())), Some((_, Sight::Absent)));
        let observed = self.object.policies().management == ManagementPolicy::Observe && there.is_some();
        let usable = matches!(rest.state, State::Settled | State::Working | State::Waiting | State::Drifted);
        let engine = K::engine(&mut self.status);
        let owned = inventory::entry(&engine.resources, &primary.id);
        let confirmed = owned.is_some_and(|owned| owned.created_at.is_some() && owned.created_at == created_at);
        engine.azure_name = Some(primary.id.name().to_owned());
        let taken = rest.is_of_another();
        if taken || (gone && owned.is_none()) {
            engine.resource_id = None;
        } else if owned.is_some() || (observed && usable) {
            engine.resource_id = Some(primary.id.to_string());
        }
        if gone || taken {
            let engine = std::mem::take(engine);
            self.status = K::Status::default();
            *K::engine(&mut self.status) = engine;
        } else if confirmed || (usable && observed) {
            let before = K::lost_with(&self.status);
            self.object.publish(&self.context.world, primary, &self.sights, &mut self.status);
            if let Some(lost) = before.filter(|before| K::lost_with(&self.status).is_some_and(|now| now != *before)) {
                self.warn(Reason::Replaced, &format!("{} was made anew by somebody: {lost}", label(&primary.id)));
            }
        }
    }

    /// Writes the status where it changed; true where the reason for being so is new.
    pub(super) async fn publish(&mut self, rest: &Rest, unresolved: Option<&Unresolved>) -> Result<bool, Error> {
        let circumstances = Circumstances {
            generation: self.object.meta().generation.unwrap_or_default(),
            deleting: self.deleting(),
            absent: self.is_absent(),
            unresolved,
            now: Timestamp::now(),
        };
        let engine = K::engine(&mut self.status);
        let before = engine.conditions.clone();
        engine.observed_generation = Some(circumstances.generation);
        engine.conditions = conditions(&before, rest, circumstances);
        let news = told(&before) != told(&engine.conditions);
        if self.object.status() == Some(&self.status) {
            return Ok(news);
        }
        let mut metadata = json!({"name": self.object.name_any(), "uid": self.object.uid()});
        // A status made from what a cache said must not undo a newer one. What Azure has just been told must be kept,
        // whatever else changed meanwhile.
        if !self.wrote {
            metadata["resourceVersion"] = json!(self.object.resource_version());
        }
        let patch = json!({
            "apiVersion": K::api_version(&()),
            "kind": K::kind(&()),
            "metadata": metadata,
            "status": self.status,
        });
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        match self.api.patch_status(&self.object.name_any(), &parameters, &Patch::Apply(&patch)).await {
            Ok(object) => self.object = self.rid_of_strangers(object).await?,
            Err(kube::Error::Api(status)) if status.is_not_found() => {
                // Nothing is held for an object that has gone, whatever it began, and nothing more is made on its behalf.
                self.confirmed = false;
                self.context.gate.leave(&self.holder());
                return Ok(false);
            }
            Err(kube::Error::Api(status)) if self.wrote && status.is_conflict() => {
                // It may be about the uid: then another object has taken this one's place, and holds nothing.
                self.context.gate.leave(&self.holder());
                return Err(kube::Error::Api(status).into());
            }
            Err(error) => return Err(error.into()),
        }
        self.confirmed |= !self.wrote;
        Ok(news)
    }

    /// What somebody else put into the status is no memory of ours, and applying leaves it: it would be believed for good.
    async fn rid_of_strangers(&self, object: K) -> Result<K, Error> {
        let fields = |status| match serde_json::to_value(status) {
            Ok(Value::Object(fields)) => fields,
            _ => serde_json::Map::new(),
        };
        let ours = fields(Some(&self.status));
        let mut strangers = fields(object.status());
        strangers.retain(|field, _| !ours.contains_key(field));
        if strangers.is_empty() {
            return Ok(object);
        }
        strangers.values_mut().for_each(|value| *value = Value::Null);
        let patch = json!({"metadata": {"resourceVersion": object.resource_version()}, "status": strangers});
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        Ok(self.api.patch_status(&object.name_any(), &parameters, &Patch::Merge(&patch)).await?)
    }

    /// Whether the resource is known not to be there: seen so, or only now being made.
    fn is_absent(&mut self) -> bool {
        let engine = K::engine(&mut self.status);
        let first = engine.resources.first();
        let made = engine.operation.as_ref().filter(|operation| operation.kind == OperationKind::Create);
        let making = made.is_some_and(|operation| first.is_some_and(|first| first.is(&operation.resource_id)));
        let id = first.and_then(|owned| ArmId::parse(&owned.id).ok());
        let sight = id.and_then(|id| self.sights.get(&Target::Resource(id)));
        making || sight.is_some_and(|(_, sight)| *sight == Sight::Absent)
    }

    fn announce(&mut self, rest: &Rest) {
        match rest.state {
            State::Settled | State::Working | State::Paused => {
                tracing::info!(reason = rest.reason.as_str(), "{}", rest.message);
            }
            // What is not there yet is no fault.
            State::Unresolved if matches!(rest.reason, Reason::HubNotReady | Reason::ProjectNotReady) => {
                self.tell(rest.reason, &rest.message);
            }
            State::Waiting | State::Unresolved | State::Stalled | State::Drifted | State::Missing => {
                self.warn(rest.reason, &rest.message);
            }
        }
    }

    pub(super) fn wake(&mut self, wake: Wake) -> Action {
        let uid = self.holder();
        // An operation that runs may yet fail, and then for the second time.
        if !matches!(wake, Wake::Backoff { .. } | Wake::Poll { .. }) {
            self.context.failures.forget(&uid);
        }
        match wake {
            Wake::Event => Action::await_change(),
            Wake::Resync => Action::requeue(self.context.resync.mul_f64(0.9 + fastrand::f64() / 5.0)),
            Wake::After(pause) => Action::requeue(pause),
            Wake::Poll { retry_after } => {
                let operation = K::engine(&mut self.status).operation.as_ref();
                let typical = operation.and_then(|of| self.context.pace.typical(K::leads_share(), of.kind));
                let age = operation.map(age).unwrap_or_default();
                let pause = pace::pause(age, typical, self.context.poll, fastrand::f64());
                Action::requeue(retry_after.map_or(pause, |asked| asked.max(pause)))
            }
            Wake::Backoff { class, retry_after } => {
                let failures = self.context.failures.count(&uid);
                Action::requeue(retry::pause(class, failures, retry_after, fastrand::f64()))
            }
        }
    }

    /// Tells of something that went as it should, in the log now and as an event when the status is safe.
    pub(super) fn tell(&mut self, reason: Reason, note: &str) {
        tracing::info!(reason = reason.as_str(), "{note}");
        self.context.metrics.told(&K::kind(&()), reason);
        self.notes.push((EventType::Normal, reason, note.to_owned()));
    }

    /// The same for something that a person may have to look at.
    pub(super) fn warn(&mut self, reason: Reason, note: &str) {
        tracing::warn!(reason = reason.as_str(), "{note}");
        self.context.metrics.told(&K::kind(&()), reason);
        self.notes.push((EventType::Warning, reason, note.to_owned()));
    }

    /// Publishes the events that have gathered.
    pub(super) async fn flush(&mut self) {
        // With the version of the object, no event would be the repetition of another.
        let about = ObjectReference { resource_version: None, ..self.object.object_ref(&()) };
        for (type_, reason, note) in std::mem::take(&mut self.notes) {
            events::publish(&self.context.recorder, &about, type_, reason, &note).await;
        }
    }
}

/// How long ago the operation began.
pub(super) fn age(operation: &Operation) -> Duration {
    let started = operation.started_at.parse::<Timestamp>();
    started.map_or(Duration::ZERO, |started| Timestamp::now().duration_since(started).unsigned_abs())
}

/// FACT: a hub's `associatedWorkspaces` lists its project ids (ARM reference, section 3).
fn associated(hub: &Value) -> String {
    let ids = hub["properties"]["associatedWorkspaces"].as_array().into_iter().flatten().filter_map(Value::as_str);
    ids.map(|id| id.rsplit('/').next().unwrap_or(id)).collect::<Vec<_>>().join(", ")
}

fn reason_of(cause: Cause) -> Reason {
    match cause {
        Cause::NotFound | Cause::DependencyMissing => Reason::DependencyMissing,
        Cause::Throttled => Reason::Throttled,
        Cause::Busy => Reason::Busy,
        Cause::Unavailable => Reason::AzureUnavailable,
        Cause::SignIn => Reason::SignInFailed,
        Cause::Forbidden => Reason::Forbidden,
        Cause::HasProjects => Reason::HubHasProjects,
        Cause::Refused => Reason::Refused,
        Cause::Misconfigured => Reason::Misconfigured,
    }
}

/// What an event would tell of the conditions: the same failure again is not news.
fn told(conditions: &[Condition]) -> Vec<Option<(&str, &str)>> {
    [ConditionType::Ready, ConditionType::Synced, ConditionType::ReferencesResolved]
        .into_iter()
        .map(|type_| find(conditions, type_).map(|condition| (condition.reason.as_str(), condition.message.as_str())))
        .collect()
}
