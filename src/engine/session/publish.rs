//! Telling what happened: the status, events, the log; and when to look again.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use serde_json::{Value, json};

use super::{Session, same};
use crate::api::conditions::{ConditionType, Reason, find};
use crate::arm::resource_type::label;
use crate::arm::{ArmError, ArmId, Cause, Class, retry};
use crate::engine::context::Error;
use crate::engine::events;
use crate::engine::kind::{Kind, Wanted};
use crate::engine::verdict::{Rest, State, Wake, conditions};

/// Field manager of what the operator writes to objects.
const FIELD_MANAGER: &str = "foundry-operator";
/// Longest pause between two polls of an operation.
const LONGEST_POLL: Duration = Duration::from_secs(30);

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
            return Rest::new(State::Stalled, Reason::Refused, message, Wake::Resync);
        }
        let wake = Wake::Backoff { class: error.class, retry_after: error.retry_after };
        // Waiting for one's turn is no failure.
        let state = if error.cause == Cause::Busy { State::Working } else { State::Waiting };
        Rest::new(state, reason_of(error.cause), message, wake)
    }

    /// Publishes where the object came to rest, and says when to look again.
    pub(super) async fn rest(mut self, rest: Rest, wanted: Option<&[Wanted]>) -> Result<Action, Error> {
        // Who is paused writes nothing, whatever Azure is still doing for it.
        if K::engine(&mut self.status).operation.is_none() || rest.state == State::Paused {
            self.context.gate.leave(&self.holder());
        }
        if rest.state == State::Settled {
            K::engine(&mut self.status).refused = None;
        }
        if self.publish_rest(&rest, wanted, false).await? {
            self.announce(&rest).await;
        }
        Ok(self.wake(rest.wake))
    }

    /// Writes the status where it changed; true where the reason for being so is new.
    pub(super) async fn publish_rest(
        &mut self,
        rest: &Rest,
        wanted: Option<&[Wanted]>,
        only_if_unchanged: bool,
    ) -> Result<bool, Error> {
        let generation = self.object.meta().generation.unwrap_or_default();
        let deleting = self.deleting();
        if let Some(primary) = wanted.and_then(<[Wanted]>::first) {
            self.object.publish(&self.context.world, primary, &self.sights, &mut self.status);
            let engine = K::engine(&mut self.status);
            engine.azure_name = Some(primary.id.name().to_owned());
            let owned = engine.resources.iter().any(|owned| same(owned, &primary.id));
            let seen = self.sights.resource(&primary.id).is_some();
            engine.resource_id = (owned || seen).then(|| primary.id.to_string());
        }
        let engine = K::engine(&mut self.status);
        let before = engine.conditions.clone();
        engine.observed_generation = Some(generation);
        engine.conditions = conditions(&before, rest, generation, deleting, Timestamp::now());
        let news = told(&before) != told(&engine.conditions);
        if self.object.status() == Some(&self.status) {
            return Ok(news);
        }
        let mut metadata = json!({"name": self.object.name_any(), "uid": self.object.uid()});
        if only_if_unchanged {
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
            Ok(object) => self.object = object,
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        self.confirmed |= only_if_unchanged;
        Ok(news)
    }

    pub(super) async fn announce(&self, rest: &Rest) {
        match rest.state {
            State::Settled | State::Working | State::Paused => {
                tracing::info!(reason = rest.reason.as_str(), "{}", rest.message);
            }
            // What is not there yet is no fault.
            State::Unresolved if matches!(rest.reason, Reason::HubNotReady | Reason::ProjectNotReady) => {
                self.tell(rest.reason, &rest.message).await;
            }
            State::Waiting | State::Unresolved | State::Stalled | State::Drifted | State::Missing => {
                tracing::warn!(reason = rest.reason.as_str(), "{}", rest.message);
                self.warn(rest.reason, &rest.message).await;
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
                let started = K::engine(&mut self.status)
                    .operation
                    .as_ref()
                    .and_then(|op| op.started_at.parse::<Timestamp>().ok());
                let age = started.map_or(0, |started| Timestamp::now().duration_since(started).as_millis());
                let age = Duration::from_millis(u64::try_from(age).unwrap_or_default());
                // Half the age: few polls of what takes long, quick news of what does not.
                let pause = (age / 2).clamp(self.context.poll, LONGEST_POLL.max(self.context.poll));
                Action::requeue(retry_after.map_or(pause, |asked| asked.max(pause)))
            }
            Wake::Backoff { class, retry_after } => {
                let failures = self.context.failures.count(&uid);
                Action::requeue(retry::pause(class, failures, retry_after, fastrand::f64()))
            }
        }
    }

    pub(super) async fn tell(&self, reason: Reason, note: &str) {
        tracing::info!(reason = reason.as_str(), "{note}");
        events::tell(&self.context.recorder, &self.reference(), reason, note).await;
    }

    pub(super) async fn warn(&self, reason: Reason, note: &str) {
        events::warn(&self.context.recorder, &self.reference(), reason, note).await;
    }
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
    }
}

/// What an event would tell of the conditions: the same failure again is not news.
fn told(conditions: &[Condition]) -> Vec<Option<(&str, &str)>> {
    [ConditionType::Ready, ConditionType::Synced, ConditionType::ReferencesResolved]
        .into_iter()
        .map(|type_| find(conditions, type_).map(|condition| (condition.reason.as_str(), condition.message.as_str())))
        .collect()
}
