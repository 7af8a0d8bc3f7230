//! Changing Azure, and the object's finalizers.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{Next, Session, api_version};
use crate::api::conditions::Reason;
use crate::api::status::{Applied, Operation, OperationKind, OwnedResource, Refusal};
use crate::arm::resource_type::{UpdateBy, label};
use crate::arm::{ArmError, ArmId, Body, Cause, Class, Written};
use crate::engine::body;
use crate::engine::context::Error;
use crate::engine::inventory;
use crate::engine::kind::{Kind, Provision, Unresolved, Wanted};
use crate::engine::plan::{self, Update};
use crate::engine::secrets::{self, FillError};
use crate::engine::sight::{Sight, Target};
use crate::engine::verdict::{Rest, State, Wake};

/// How long a write waits for another one on the same workspace before its object is looked at again later.
const GATE_PATIENCE: Duration = Duration::from_secs(10);
/// When an object that waits for its turn looks again, should nobody have called it.
pub(super) const QUEUED: Duration = Duration::from_mins(10);

/// An operation that has begun.
struct Begun {
    kind: OperationKind,
    sent: Option<Applied>,
    attempt: Option<String>,
}

/// A write on its way to Azure.
struct Outgoing {
    wanted: Wanted,
    kind: OperationKind,
    by: UpdateBy,
    body: Value,
    /// What an event tells once Azure has taken it.
    note: Option<(Reason, String)>,
}

impl<K: Kind> Session<'_, K> {
    /// The inventory names the resource before ARM hears of it, so that nothing that is made can be lost.
    pub(super) async fn record(&mut self, wanted: &Wanted) -> Result<Next, Error> {
        let gone = self.sights.resource(&wanted.id).is_none();
        let owned = inventory::entry(&K::engine(&mut self.status).resources, &wanted.id);
        if gone && owned.is_some_and(|owned| owned.applied.is_some()) {
            let lost = K::lost_with(&self.status).map(|lost| format!(": {lost}")).unwrap_or_default();
            self.warn(
                Reason::Recreating,
                &format!("{} was gone from Azure; it is made again{lost}", label(&wanted.id)),
            );
        }
        self.remember(OwnedResource { id: wanted.id.to_string(), ..OwnedResource::default() });
        let message = format!("about to write {}", label(&wanted.id));
        self.publish(&Rest::new(State::Working, Reason::Creating, message, Wake::Event), None).await?;
        Ok(Next::Plan)
    }

    pub(super) async fn create(&mut self, wanted: Wanted) -> Result<Next, Error> {
        if !self.is_current().await? {
            return Ok(Next::Plan);
        }
        // What failed on the way is there already, with what others put on it.
        let mut body = match self.sights.resource(&wanted.id) {
            Some(there) => body::replacement(&wanted.body, there, &[], wanted.type_),
            None => wanted.body.clone(),
        };
        body::underlay(&mut body, &wanted.defaults);
        self.send(Outgoing { wanted, kind: OperationKind::Create, by: UpdateBy::Put, body, note: None }).await
    }

    pub(super) async fn update(&mut self, update: Update) -> Result<Next, Error> {
        if !self.is_current().await? {
            return Ok(Next::Plan);
        }
        let Update { wanted, differences, formerly, reason } = update;
        let observed = self.sights.resource(&wanted.id).cloned().unwrap_or_default();
        let by = wanted.type_.update;
        let body = match by {
            UpdateBy::Patch => body::patch(&wanted.body, &observed, &differences, &formerly, wanted.type_),
            UpdateBy::Put => body::replacement(&wanted.body, &observed, &formerly, wanted.type_),
        };
        let what = if differences.is_empty() { "its credentials".to_owned() } else { plan::listed(&differences) };
        let note = Some((reason, format!("{}: wrote {what}", label(&wanted.id))));
        self.send(Outgoing { wanted, kind: OperationKind::Update, by, body, note }).await
    }

    /// The one place that writes a resource to Azure.
    async fn send(&mut self, outgoing: Outgoing) -> Result<Next, Error> {
        let Outgoing { wanted, kind, by, mut body, note } = outgoing;
        let mut filled = secrets::Filled::default();
        if by == UpdateBy::Put {
            body::overlay(&mut body, &wanted.write_only);
            let namespace = self.object.namespace().unwrap_or_default();
            let role = self.context.secret_role.as_deref();
            match secrets::fill(&self.context.client, &namespace, role, &wanted.secrets, &mut body).await {
                Ok(values) => filled = values,
                Err(FillError::Unresolved(Unresolved { reason, message })) => {
                    // Nothing tells of a Role that was given.
                    let wake = match reason {
                        Reason::SecretForbidden => Wake::Backoff { class: Class::Slow, retry_after: None },
                        _ => Wake::Event,
                    };
                    return Ok(Next::Rest(Rest::new(State::Unresolved, reason, message, wake)));
                }
                Err(FillError::Kubernetes(error)) => return Err(error.into()),
            }
        }
        if let Some(next) = self.wait_for_turn(&wanted.id).await {
            return Ok(next);
        }
        let (arm, version) = (self.arm(), wanted.type_.api_version);
        let written = match by {
            UpdateBy::Put => arm.put(&wanted.id, version, Body::new(&body)).await,
            UpdateBy::Patch => arm.patch(&wanted.id, version, Body::new(&body)).await,
        };
        self.fresh_from = Timestamp::now();
        self.wrote |= written.is_ok();
        let attempt = plan::attempt(&wanted, &self.retry_token());
        if let (Ok(_), Some((reason, note))) = (&written, &note) {
            self.tell(*reason, note);
        }
        match written {
            Ok(Written::Accepted { url, retry_after }) => {
                let begun = Begun { kind, sent: Some(plan::applied(&wanted)), attempt: Some(attempt) };
                Ok(self.begin(&wanted.id, begun, url, retry_after))
            }
            Ok(Written::Done(answer)) => {
                self.context.gate.leave(&self.holder());
                inventory::written(&mut K::engine(&mut self.status).resources, &wanted.id, plan::applied(&wanted));
                self.just_done = Some((kind, wanted.id.clone()));
                if let Some(resource) = answer {
                    let target = Target::Resource(wanted.id.clone());
                    self.sights.insert(target, Timestamp::now(), Sight::Present(resource));
                }
                self.tell_of_end(kind, &wanted.id);
                Ok(Next::Plan)
            }
            Err(mut error) => {
                // A refusal may repeat what it refuses.
                error.message = filled.redact(&error.message);
                self.step_back(&wanted.id, &error);
                Ok(self.refused(kind, &wanted.id, Some(attempt), &error).await)
            }
        }
    }

    pub(super) async fn delete(&mut self, id: ArmId) -> Result<Next, Error> {
        if !self.is_current().await? {
            return Ok(Next::Plan);
        }
        if let Some(next) = self.wait_for_turn(&id).await {
            return Ok(next);
        }
        let deleted = self.arm().delete(&id, api_version(&id)).await;
        self.fresh_from = Timestamp::now();
        self.wrote |= deleted.is_ok();
        match deleted {
            Ok(Written::Accepted { url, retry_after }) => {
                let begun = Begun { kind: OperationKind::Delete, sent: None, attempt: None };
                Ok(self.begin(&id, begun, url, retry_after))
            }
            Ok(Written::Done(_)) => {
                self.context.gate.leave(&self.holder());
                self.just_done = Some((OperationKind::Delete, id.clone()));
                self.sights.insert(Target::Resource(id), Timestamp::now(), Sight::Absent);
                Ok(Next::Plan)
            }
            Err(error) => {
                self.step_back(&id, &error);
                Ok(Next::Rest(self.judge("delete", &id, &error).await))
            }
        }
    }

    /// Waits for the right to write; where that takes longer, a place in the line is kept and this is where the object rests.
    async fn wait_for_turn(&mut self, id: &ArmId) -> Option<Next> {
        let turn = self.turn(id);
        if self.context.gate.enter(&turn, GATE_PATIENCE, self.call()).await.is_err() {
            self.queued = true;
            let message = format!("{} waits for its turn: Azure is at work on it, or on others of its hub", label(id));
            return Some(Next::Rest(Rest::new(State::Working, Reason::Busy, message, Wake::After(QUEUED))));
        }
        let then = std::mem::replace(&mut self.looked_from, self.context.gate.now());
        if self.context.gate.was_written_since(&turn, then) {
            // Another object may have made what this one was about to make: a PUT would take it from that one.
            self.fresh_from = Timestamp::now();
            return Some(Next::Plan);
        }
        None
    }

    /// A write did not go well.
    fn step_back(&mut self, id: &ArmId, error: &ArmError) {
        if error.cause == Cause::Busy {
            self.queued = self.context.gate.refused(&self.turn(id), self.call());
        } else {
            self.context.gate.leave(&self.holder());
        }
    }

    pub(super) async fn provision(&mut self, id: ArmId, provision: Provision) -> Result<Next, Error> {
        if !self.is_current().await? {
            return Ok(Next::Plan);
        }
        if let Some(next) = self.wait_for_turn(&id).await {
            return Ok(next);
        }
        let body = Body::new(&provision.body);
        let called = self.arm().post(&id, provision.action, api_version(&id), body).await;
        self.fresh_from = Timestamp::now();
        self.wrote |= called.is_ok();
        let attempt = plan::call(&provision, &self.retry_token());
        match called {
            Ok(Written::Accepted { url, retry_after }) => {
                let begun = Begun { kind: OperationKind::Provision, sent: None, attempt: Some(attempt) };
                Ok(self.begin(&id, begun, url, retry_after))
            }
            Ok(Written::Done(_)) => {
                self.context.gate.leave(&self.holder());
                self.just_done = Some((OperationKind::Provision, id.clone()));
                self.tell_of_end(OperationKind::Provision, &id);
                Ok(Next::Plan)
            }
            Err(error) => {
                self.step_back(&id, &error);
                Ok(self.refused(OperationKind::Provision, &id, Some(attempt), &error).await)
            }
        }
    }

    /// Judges a write that did not succeed, and remembers it where the same would fail each time. A deletion is always
    /// tried again.
    pub(super) async fn refused(
        &mut self,
        kind: OperationKind,
        id: &ArmId,
        attempt: Option<String>,
        error: &ArmError,
    ) -> Next {
        let rest = self.judge(verb(kind), id, error).await;
        let Some(attempt) = attempt.filter(|_| error.class == Class::Lasting) else { return Next::Rest(rest) };
        let inventory = &mut K::engine(&mut self.status).resources;
        inventory::refused(inventory, id, Refusal { attempt, message: rest.message.clone() });
        // What is refused for good holds up no other member of the set.
        if inventory.len() > 1 { Next::Plan } else { Next::Rest(rest) }
    }

    /// Tells of a write that has taken effect, where that is not told already.
    pub(super) fn tell_of_end(&mut self, kind: OperationKind, id: &ArmId) {
        match kind {
            OperationKind::Create => self.tell(Reason::Created, &format!("made {}", label(id))),
            OperationKind::Provision => {
                self.tell(Reason::Provisioned, &format!("what belongs to {} is set up", label(id)));
            }
            OperationKind::Update | OperationKind::Delete => {}
        }
    }

    /// An operation has begun: it is remembered at once, so that a restart can follow it.
    fn begin(
        &mut self,
        id: &ArmId,
        Begun { kind, sent, attempt }: Begun,
        url: String,
        retry_after: Option<Duration>,
    ) -> Next {
        tracing::info!(resource = %id, ?kind, "Azure accepted to {} {}", verb(kind), label(id));
        self.context.gate.hold_for_operation(&self.turn(id));
        self.sights.insert(Target::Operation(url.clone()), self.fresh_from, Sight::Running(retry_after));
        let started_at = self.fresh_from.to_string();
        K::engine(&mut self.status).operation =
            Some(Operation { kind, resource_id: id.to_string(), url, started_at, sent, attempt });
        Next::Plan
    }

    /// Before Azure is changed, the object is known to be as the API server has it: a cache may be behind, and a write on
    /// behalf of an object that is gone makes an orphan.
    pub(super) async fn is_current(&mut self) -> Result<bool, Error> {
        if self.confirmed {
            return Ok(true);
        }
        let name = self.object.name_any();
        let current = self.api.get_opt(&name).await?.filter(|current| current.uid() == self.object.uid());
        self.confirmed = true;
        match current {
            Some(current) if current.resource_version() == self.object.resource_version() => Ok(true),
            Some(current) if is_older(current.meta(), self.object.meta()) => Err(Error::Behind),
            Some(current) => {
                tracing::debug!("the cache was behind; planning again");
                self.status = current.status().cloned().unwrap_or_default();
                self.object = current;
                Ok(false)
            }
            None => Err(Error::Superseded),
        }
    }

    pub(super) async fn set_finalizers(&mut self, finalizers: &[String]) -> Result<(), Error> {
        let patch = json!({"metadata": {"resourceVersion": self.object.resource_version(), "finalizers": finalizers}});
        match self.api.patch(&self.object.name_any(), &PatchParams::default(), &Patch::Merge(&patch)).await {
            Ok(object) => {
                self.object = object;
                self.confirmed = true;
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.is_not_found() && self.deleting() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether the one version is older than the other: what was seen already is not to be forgotten. FACT: resourceVersions of
/// the Kubernetes API are numbers that grow.
fn is_older(one: &ObjectMeta, other: &ObjectMeta) -> bool {
    let version = |meta: &ObjectMeta| meta.resource_version.as_ref().and_then(|version| version.parse::<u128>().ok());
    matches!((version(one), version(other)), (Some(one), Some(other)) if one < other)
}

/// What an operation does, as a person says it.
fn verb(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Create => "create",
        OperationKind::Update => "update",
        OperationKind::Delete => "delete",
        OperationKind::Provision => "set up what belongs to",
    }
}
