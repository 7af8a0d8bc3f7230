//! The I/O of one reconcile: takes the steps that the plan decides, one after the other, until it rests.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::driver::{Context, Error};
use super::kind::{Kind, Unresolved, Wanted};
use super::plan::{self, Farewell, Situation, Step, Update, plan};
use super::secrets::{self, FillError};
use super::sight::{Sight, Sights, Target};
use super::verdict::{Rest, State, Wake, conditions};
use super::{body, events};
use crate::api::conditions::{ConditionType, Reason, find};
use crate::api::status::{Applied, Operation, OperationKind, OwnedResource};
use crate::api::{FINALIZER, RECONCILE_AT};
use crate::arm::resource_type::{self, UpdateBy, label};
use crate::arm::{ArmError, ArmId, Body, Cause, Class, Progress, Written, retry};

/// Field manager of what the operator writes to objects.
const FIELD_MANAGER: &str = "foundry-operator";
/// More steps than any reconcile needs.
const STEP_LIMIT: usize = 64;
/// How long a write waits for another one on the same workspace before its object is looked at again later.
const GATE_PATIENCE: Duration = Duration::from_secs(10);
/// When an object whose workspace is taken is looked at again.
const TAKEN: Duration = Duration::from_secs(2);
/// Longest pause between two polls of an operation.
const LONGEST_POLL: Duration = Duration::from_secs(30);

pub(super) struct Session<'c, K: Kind> {
    context: &'c Context<K>,
    api: Api<K>,
    object: K,
    status: K::Status,
    sights: Sights,
    /// Sights from before the last write do not count.
    fresh_from: Timestamp,
    /// The object is as the API server has it, not as a cache had it.
    confirmed: bool,
}

/// What a step led to.
enum Next {
    Plan,
    Rest(Rest),
    Gone,
}

impl<'c, K: Kind> Session<'c, K> {
    pub(super) fn new(context: &'c Context<K>, object: K) -> Self {
        let namespace = object.namespace().unwrap_or_default();
        Self {
            context,
            api: Api::namespaced(context.client.clone(), &namespace),
            status: object.status().cloned().unwrap_or_default(),
            object,
            sights: Sights::default(),
            fresh_from: Timestamp::now(),
            confirmed: false,
        }
    }

    pub(super) async fn run(mut self) -> Result<Action, Error> {
        for _ in 0..STEP_LIMIT {
            let resolved = self.object.resolve(&self.context.world);
            let step = self.plan(&resolved);
            tracing::debug!(?step, "planned");
            match self.take(step).await? {
                Next::Plan => {}
                Next::Rest(rest) => return self.rest(rest, resolved.as_deref().ok()).await,
                Next::Gone => {
                    self.context.gate.leave(&self.holder());
                    self.context.failures.forget(&self.holder());
                    return Ok(Action::await_change());
                }
            }
        }
        Err(Error::Endless(STEP_LIMIT))
    }

    fn plan(&mut self, resolved: &Result<Vec<Wanted>, Unresolved>) -> Step {
        let held_by = self.object.held_by(&self.context.world);
        let (mark, retry_token) = (self.object.mark(&self.context.world), self.retry_token());
        plan(&Situation {
            deleting: self.deleting(),
            finalizer: self.object.finalizers().iter().any(|finalizer| finalizer == FINALIZER),
            policies: self.object.policies(),
            memory: &K::engine(&mut self.status).clone(),
            wanted: resolved.as_deref(),
            held_by: held_by.as_deref(),
            mark: &mark,
            retry_token: &retry_token,
            reads: K::reads(),
            sights: &self.sights,
            fresh_from: self.fresh_from,
        })
    }

    async fn take(&mut self, step: Step) -> Result<Next, Error> {
        match step {
            Step::Observe(target) => Ok(self.observe(target).await),
            Step::Poll(operation) => Ok(self.poll(operation).await),
            Step::AddFinalizer => {
                let mut finalizers = self.object.finalizers().to_vec();
                finalizers.push(FINALIZER.to_owned());
                self.set_finalizers(&finalizers).await?;
                Ok(Next::Plan)
            }
            Step::Release => {
                let mut finalizers = self.object.finalizers().to_vec();
                finalizers.retain(|finalizer| finalizer != FINALIZER);
                self.set_finalizers(&finalizers).await?;
                Ok(Next::Gone)
            }
            Step::Record(wanted) => self.record(&wanted).await,
            Step::Confirm(resource) => {
                self.remember(resource);
                Ok(Next::Plan)
            }
            Step::Forget(id, farewell) => {
                self.forget(&id, farewell).await;
                Ok(Next::Plan)
            }
            Step::Create(wanted) => self.create(wanted).await,
            Step::Update(update) => self.update(update).await,
            Step::Delete(id) => self.delete(id).await,
            Step::Rest(rest) => Ok(Next::Rest(rest)),
        }
    }

    async fn observe(&mut self, target: Target) -> Next {
        let at = Timestamp::now();
        let (id, seen) = match &target {
            Target::Resource(id) => {
                let version = api_version(id);
                (
                    id,
                    self.context
                        .arm
                        .get(id, version)
                        .await
                        .map(|found| found.map_or(Sight::Absent, Sight::Present)),
                )
            }
            Target::Collection(id, collection) => {
                let listed = self.context.arm.list(id, collection, api_version(id)).await;
                (id, listed.map(|items| Sight::Items(items.unwrap_or_default())))
            }
            Target::Operation(_) => return Next::Plan,
        };
        match seen {
            Ok(sight) => {
                self.sights.insert(target, at, sight);
                Next::Plan
            }
            Err(error) => Next::Rest(self.set_back("read", id, &error)),
        }
    }

    async fn poll(&mut self, operation: Operation) -> Next {
        let Ok(id) = ArmId::parse(&operation.resource_id) else {
            K::engine(&mut self.status).operation = None;
            return Next::Plan;
        };
        self.context.gate.hold_for_operation(&id, &self.holder());
        let progress = match self.context.arm.poll(&operation.url).await {
            Ok(progress) => progress,
            Err(error) => return Next::Rest(self.set_back("follow the operation on", &id, &error)),
        };
        if let Progress::Running { .. } = progress {
            self.sights
                .insert(Target::Operation(operation.url), Timestamp::now(), Sight::Running);
            return Next::Plan;
        }
        K::engine(&mut self.status).operation = None;
        self.context.gate.leave(&self.holder());
        match progress {
            Progress::Failed(error) => {
                tracing::warn!(resource = %id, %error, "operation on {id} failed");
                // Only a change is remembered as refused: a deletion is always tried again.
                if error.class == Class::Lasting && operation.kind != OperationKind::Delete {
                    K::engine(&mut self.status).refused.clone_from(&operation.attempt);
                }
                let verb = match operation.kind {
                    OperationKind::Create => "create",
                    OperationKind::Update => "update",
                    OperationKind::Delete => "delete",
                };
                Next::Rest(self.set_back(verb, &id, &error))
            }
            Progress::Succeeded => {
                if let Some(applied) = operation.sent {
                    self.written(&id, applied);
                }
                if operation.kind == OperationKind::Create {
                    self.tell(Reason::Created, &format!("made {}", label(&id))).await;
                }
                Next::Plan
            }
            Progress::Running { .. } | Progress::Forgotten => Next::Plan,
        }
    }

    /// The inventory names the resource before ARM hears of it, so that nothing that is made can be lost.
    async fn record(&mut self, wanted: &Wanted) -> Result<Next, Error> {
        self.remember(OwnedResource {
            id: wanted.id.to_string(),
            ..OwnedResource::default()
        });
        let message = format!("about to make {}", label(&wanted.id));
        self.publish_rest(
            &Rest::new(State::Working, Reason::Creating, message, Wake::Event),
            Some(std::slice::from_ref(wanted)),
            true,
        )
        .await?;
        Ok(Next::Plan)
    }

    async fn create(&mut self, wanted: Wanted) -> Result<Next, Error> {
        if !self.is_current().await? {
            return Ok(Next::Plan);
        }
        let known = K::engine(&mut self.status)
            .resources
            .iter()
            .any(|owned| same(owned, &wanted.id) && owned.applied.is_some());
        if known {
            self.warn(
                Reason::Recreating,
                &format!("{} was gone from Azure, or failed there; it is made again", wanted.id),
            )
            .await;
        }
        let body = wanted.body.clone();
        self.send(wanted, OperationKind::Create, UpdateBy::Put, body, Reason::Created)
            .await
    }

    async fn update(&mut self, update: Update) -> Result<Next, Error> {
        if !self.is_current().await? {
            return Ok(Next::Plan);
        }
        let Update {
            wanted,
            differences,
            formerly,
            reason,
        } = update;
        let observed = self.sights.resource(&wanted.id).cloned().unwrap_or_default();
        let by = wanted.type_.update;
        let body = match by {
            UpdateBy::Patch => body::patch(&wanted.body, &observed, &differences, &formerly, wanted.type_),
            UpdateBy::Put => body::replacement(&wanted.body, &observed, &formerly, wanted.type_),
        };
        let what = if differences.is_empty() {
            "its credentials".to_owned()
        } else {
            plan::listed(&differences)
        };
        let id = wanted.id.clone();
        let next = self.send(wanted, OperationKind::Update, by, body, reason).await?;
        if !matches!(&next, Next::Rest(rest) if rest.state != State::Working) {
            self.tell(reason, &format!("{}: wrote {what}", label(&id))).await;
        }
        Ok(next)
    }

    /// The one place that writes a resource to Azure.
    async fn send(
        &mut self,
        wanted: Wanted,
        kind: OperationKind,
        by: UpdateBy,
        mut body: Value,
        reason: Reason,
    ) -> Result<Next, Error> {
        if by == UpdateBy::Put {
            body::overlay(&mut body, &wanted.write_only);
            let namespace = self.object.namespace().unwrap_or_default();
            match secrets::fill(&self.context.client, &namespace, &wanted.secrets, &mut body).await {
                Ok(()) => {}
                Err(FillError::Unresolved(unresolved)) => {
                    let Unresolved { reason, message } = unresolved;
                    return Ok(Next::Rest(Rest::new(State::Unresolved, reason, message, Wake::Event)));
                }
                Err(FillError::Kubernetes(error)) => return Err(error.into()),
            }
        }
        if self
            .context
            .gate
            .enter(&wanted.id, &self.holder(), GATE_PATIENCE)
            .await
            .is_err()
        {
            return Ok(Next::Rest(busy(&wanted.id)));
        }
        let (arm, version) = (&self.context.arm, wanted.type_.api_version);
        let written = match by {
            UpdateBy::Put => arm.put(&wanted.id, version, Body::new(&body)).await,
            UpdateBy::Patch => arm.patch(&wanted.id, version, Body::new(&body)).await,
        };
        self.fresh_from = Timestamp::now();
        let attempt = plan::attempt(&wanted, &self.retry_token());
        match written {
            Ok(Written::Accepted { url, retry_after }) => {
                tracing::info!(resource = %wanted.id, ?kind, "Azure accepted to write {}", wanted.id);
                let operation = self.operation(kind, &wanted.id, url, Some(plan::applied(&wanted)), Some(attempt));
                Ok(self.begin(operation, &wanted.id, retry_after))
            }
            Ok(Written::Done(answer)) => {
                tracing::info!(resource = %wanted.id, ?kind, "wrote {}", wanted.id);
                self.context.gate.leave(&self.holder());
                self.written(&wanted.id, plan::applied(&wanted));
                if let Some(resource) = answer {
                    self.sights.insert(
                        Target::Resource(wanted.id.clone()),
                        Timestamp::now(),
                        Sight::Present(resource),
                    );
                }
                if reason == Reason::Created {
                    self.tell(reason, &format!("made {}", label(&wanted.id))).await;
                }
                Ok(Next::Plan)
            }
            Err(error) => {
                self.context.gate.leave(&self.holder());
                if error.class == Class::Lasting {
                    K::engine(&mut self.status).refused = Some(attempt);
                }
                let verb = if kind == OperationKind::Create {
                    "create"
                } else {
                    "update"
                };
                Ok(Next::Rest(self.set_back(verb, &wanted.id, &error)))
            }
        }
    }

    async fn delete(&mut self, id: ArmId) -> Result<Next, Error> {
        if !self.is_current().await? {
            return Ok(Next::Plan);
        }
        if self
            .context
            .gate
            .enter(&id, &self.holder(), GATE_PATIENCE)
            .await
            .is_err()
        {
            return Ok(Next::Rest(busy(&id)));
        }
        let deleted = self.context.arm.delete(&id, api_version(&id)).await;
        self.fresh_from = Timestamp::now();
        match deleted {
            Ok(Written::Accepted { url, retry_after }) => {
                tracing::info!(resource = %id, "Azure accepted to delete {id}");
                let operation = self.operation(OperationKind::Delete, &id, url, None, None);
                Ok(self.begin(operation, &id, retry_after))
            }
            Ok(Written::Done(_)) => {
                self.context.gate.leave(&self.holder());
                self.sights
                    .insert(Target::Resource(id), Timestamp::now(), Sight::Absent);
                Ok(Next::Plan)
            }
            Err(error) => {
                self.context.gate.leave(&self.holder());
                Ok(Next::Rest(self.set_back("delete", &id, &error)))
            }
        }
    }

    fn operation(
        &self,
        kind: OperationKind,
        id: &ArmId,
        url: String,
        sent: Option<Applied>,
        attempt: Option<String>,
    ) -> Operation {
        Operation {
            kind,
            resource_id: id.to_string(),
            url,
            started_at: self.fresh_from.to_string(),
            sent,
            attempt,
        }
    }

    fn begin(&mut self, operation: Operation, id: &ArmId, retry_after: Option<Duration>) -> Next {
        self.context.gate.hold_for_operation(id, &self.holder());
        let (reason, work) = match operation.kind {
            OperationKind::Create => (Reason::Creating, "creating"),
            OperationKind::Update => (Reason::Updating, "updating"),
            OperationKind::Delete => (Reason::Deleting, "deleting"),
        };
        K::engine(&mut self.status).operation = Some(operation);
        Next::Rest(Rest::new(
            State::Working,
            reason,
            format!("Azure is {work} {}", label(id)),
            Wake::Poll { retry_after },
        ))
    }

    async fn forget(&mut self, id: &ArmId, farewell: Farewell) {
        let engine = K::engine(&mut self.status);
        engine.resources.retain(|owned| !same(owned, id));
        if farewell == Farewell::Orphaned {
            engine.operation = None;
        }
        match farewell {
            Farewell::Gone => {
                self.tell(Reason::Deleted, &format!("{} is gone from Azure", label(id)))
                    .await
            }
            Farewell::NotOurs => {
                self.warn(
                    Reason::LeftInPlace,
                    &format!(
                        "{} stays in Azure: it does not carry this object's owner mark",
                        label(id)
                    ),
                )
                .await;
            }
            Farewell::Orphaned => {
                self.tell(
                    Reason::Orphaned,
                    &format!("{} stays in Azure, as the object's policies say", label(id)),
                )
                .await;
            }
        }
    }

    /// Judges an error and tells it.
    fn set_back(&mut self, verb: &str, id: &ArmId, error: &ArmError) -> Rest {
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
        let refused_for_good =
            error.class == Class::Lasting && !deleting && K::engine(&mut self.status).refused.is_some();
        if refused_for_good {
            return Rest::new(State::Stalled, Reason::Refused, message, Wake::Resync);
        }
        let wake = Wake::Backoff {
            class: error.class,
            retry_after: error.retry_after,
        };
        // Waiting for one's turn is no failure.
        let state = if error.cause == Cause::Busy {
            State::Working
        } else {
            State::Waiting
        };
        Rest::new(state, reason_of(error.cause), message, wake)
    }

    /// Publishes where the object came to rest, and says when to look again.
    async fn rest(mut self, rest: Rest, wanted: Option<&[Wanted]>) -> Result<Action, Error> {
        if K::engine(&mut self.status).operation.is_none() {
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
    async fn publish_rest(
        &mut self,
        rest: &Rest,
        wanted: Option<&[Wanted]>,
        only_if_unchanged: bool,
    ) -> Result<bool, Error> {
        let generation = self.object.meta().generation.unwrap_or_default();
        let deleting = self.deleting();
        if let Some(primary) = wanted.and_then(<[Wanted]>::first) {
            self.object
                .publish(&self.context.world, primary, &self.sights, &mut self.status);
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
        match self
            .api
            .patch_status(&self.object.name_any(), &parameters, &Patch::Apply(&patch))
            .await
        {
            Ok(object) => self.object = object,
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        self.confirmed |= only_if_unchanged;
        Ok(news)
    }

    async fn announce(&self, rest: &Rest) {
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

    fn wake(&mut self, wake: Wake) -> Action {
        let uid = self.holder();
        if !matches!(wake, Wake::Backoff { .. }) {
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

    /// Before Azure is changed, the object is known to be as the API server has it: a cache may be behind, and a write on
    /// behalf of an object that is gone makes an orphan.
    async fn is_current(&mut self) -> Result<bool, Error> {
        if self.confirmed {
            return Ok(true);
        }
        let name = self.object.name_any();
        let current = self
            .api
            .get_opt(&name)
            .await?
            .filter(|current| current.uid() == self.object.uid());
        self.confirmed = true;
        match current {
            Some(current) if current.resource_version() == self.object.resource_version() => Ok(true),
            Some(current) => {
                tracing::debug!("the cache was behind; planning again");
                self.status = current.status().cloned().unwrap_or_default();
                self.object = current;
                Ok(false)
            }
            None => Err(Error::Superseded),
        }
    }

    async fn set_finalizers(&mut self, finalizers: &[String]) -> Result<(), Error> {
        let patch = json!({"metadata": {"resourceVersion": self.object.resource_version(), "finalizers": finalizers}});
        match self
            .api
            .patch(&self.object.name_any(), &PatchParams::default(), &Patch::Merge(&patch))
            .await
        {
            Ok(object) => {
                self.object = object;
                self.confirmed = true;
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.is_not_found() && self.deleting() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn remember(&mut self, resource: OwnedResource) {
        let resources = &mut K::engine(&mut self.status).resources;
        match resources
            .iter_mut()
            .find(|owned| owned.id.eq_ignore_ascii_case(&resource.id))
        {
            Some(owned) => *owned = resource,
            None => resources.push(resource),
        }
    }

    fn written(&mut self, id: &ArmId, applied: Applied) {
        let engine = K::engine(&mut self.status);
        engine.refused = None;
        if let Some(owned) = engine.resources.iter_mut().find(|owned| same(owned, id)) {
            owned.applied = Some(applied);
        }
    }

    async fn tell(&self, reason: Reason, note: &str) {
        tracing::info!(reason = reason.as_str(), "{note}");
        events::tell(&self.context.recorder, &self.reference(), reason, note).await;
    }

    async fn warn(&self, reason: Reason, note: &str) {
        events::warn(&self.context.recorder, &self.reference(), reason, note).await;
    }

    fn reference(&self) -> ObjectReference {
        self.object.object_ref(&())
    }

    fn deleting(&self) -> bool {
        self.object.meta().deletion_timestamp.is_some()
    }

    fn holder(&self) -> String {
        self.object.uid().unwrap_or_default()
    }

    fn retry_token(&self) -> String {
        let asked = self.object.annotations().get(RECONCILE_AT).map_or("", String::as_str);
        format!("{}/{asked}", env!("CARGO_PKG_VERSION"))
    }
}

fn same(owned: &OwnedResource, id: &ArmId) -> bool {
    owned.id.eq_ignore_ascii_case(id.as_str())
}

fn api_version(id: &ArmId) -> &'static str {
    resource_type::of(id).unwrap_or(&resource_type::WORKSPACE).api_version
}

fn busy(id: &ArmId) -> Rest {
    let message = format!(
        "{} is being written to on behalf of another object; waiting for that to end",
        label(&id.top_level())
    );
    Rest::new(State::Working, Reason::Busy, message, Wake::After(TAKEN))
}

/// FACT: a hub's `associatedWorkspaces` lists its project ids (ARM reference, section 3).
fn associated(hub: &Value) -> String {
    let ids = hub["properties"]["associatedWorkspaces"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    ids.map(|id| id.rsplit('/').next().unwrap_or(id))
        .collect::<Vec<_>>()
        .join(", ")
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
fn told(conditions: &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition]) -> Vec<Option<(&str, &str)>> {
    [
        ConditionType::Ready,
        ConditionType::Synced,
        ConditionType::ReferencesResolved,
    ]
    .into_iter()
    .map(|type_| find(conditions, type_).map(|condition| (condition.reason.as_str(), condition.message.as_str())))
    .collect()
}
