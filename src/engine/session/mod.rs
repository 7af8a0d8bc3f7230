//! The I/O of one reconcile: takes the steps that the plan decides, one after the other, until it rests.

mod orphan;
mod publish;
mod read;
mod registering;
mod write;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::runtime::events::EventType;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt as _};

use super::context::{Context, Error};
use super::inventory;
use super::kind::{Kind, Unresolved, Wanted};
use super::metrics::Outcome;
use super::plan::{Farewell, Situation, Step, plan};
use super::sight::Sights;
use super::urgency::priority;
use super::verdict::{Rest, State, Wake};
use crate::api::conditions::Reason;
use crate::api::status::{OperationKind, OwnedResource};
use crate::api::{FINALIZER, RECONCILE_AT};
use crate::arm::gate::{Call, Moment};
use crate::arm::resource_type::{self, label};
use crate::arm::{self, ArmId, Caller, CorrelationId, Priority, Turn};

/// Most steps that one reconcile takes.
const STEP_LIMIT: usize = 64;
/// When a reconcile goes on that took as many.
const GOING_ON: Duration = Duration::from_millis(200);

#[expect(clippy::struct_excessive_bools, reason = "four facts that have nothing to do with each other")]
pub(super) struct Session<'c, K: Kind> {
    context: &'c Context<K>,
    api: Api<K>,
    object: K,
    status: K::Status,
    sights: Sights,
    /// Sights from before the last write do not count.
    fresh_from: Timestamp,
    /// What others wrote after this may not have been seen.
    looked_from: Moment,
    /// The last write that was made, or whose end was seen.
    just_done: Option<(OperationKind, ArmId)>,
    /// A person has asked for the object since it was last looked at.
    asked: bool,
    /// The object is as the API server has it, not as a cache had it.
    confirmed: bool,
    /// Azure was told something that the status has to keep.
    wrote: bool,
    /// A place in the line for a write is kept.
    queued: bool,
    correlation: CorrelationId,
    /// Events that wait until the status is safe.
    notes: Vec<(EventType, Reason, String)>,
}

/// What a step led to.
enum Next {
    Plan,
    Rest(Rest),
    Gone,
}

impl<'c, K: Kind> Session<'c, K> {
    /// `correlation` is by what the log, Azure and a trace name this reconcile.
    pub(super) fn new(context: &'c Context<K>, object: K, correlation: CorrelationId) -> Self {
        let namespace = object.namespace().unwrap_or_default();
        let asked = object.annotations().get(RECONCILE_AT).map_or("", String::as_str);
        let asked = context.asked.anew(&object.uid().unwrap_or_default(), asked);
        Self {
            context,
            api: Api::namespaced(context.client.clone(), &namespace),
            status: object.status().cloned().unwrap_or_default(),
            object,
            sights: Sights::default(),
            fresh_from: Timestamp::now(),
            looked_from: context.gate.now(),
            just_done: None,
            confirmed: false,
            wrote: false,
            queued: false,
            asked,
            correlation,
            notes: Vec::new(),
        }
    }

    /// Ends with when to look again.
    pub(super) async fn run(mut self) -> Result<(Action, Outcome), Error> {
        for _ in 0..STEP_LIMIT {
            let resolved = self.object.resolve(&self.context.world);
            let step = self.plan(&resolved);
            tracing::debug!(?step, "planned");
            match self.take(step).await? {
                Next::Plan => {}
                Next::Rest(rest) => return Box::pin(self.rest(rest, &resolved)).await,
                Next::Gone => {
                    self.flush().await;
                    self.context.forget(&self.holder());
                    return Ok((Action::await_change(), Outcome::Released));
                }
            }
        }
        // A large set may need more: what was found out so far is kept.
        let message = format!("more than {STEP_LIMIT} steps to take; going on with the rest");
        let resolved = self.object.resolve(&self.context.world);
        let rest = Rest::new(State::Working, Reason::InProgress, message, Wake::After(GOING_ON));
        Box::pin(self.rest(rest, &resolved)).await
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
            reads: self.object.reads(),
            sights: &self.sights,
            fresh_from: self.fresh_from,
            just_done: self.just_done.as_ref().map(|(kind, id)| (*kind, id)),
        })
    }

    /// Boxed: a thousand sessions may wait at once, and each would have the room of the largest step otherwise.
    async fn take(&mut self, step: Step) -> Result<Next, Error> {
        match step {
            Step::Observe(target) => Ok(Box::pin(self.observe(target)).await),
            Step::Poll(operation) => Ok(Box::pin(self.poll(operation)).await),
            Step::AddFinalizer => {
                let mut finalizers = self.object.finalizers().to_vec();
                finalizers.push(FINALIZER.to_owned());
                Box::pin(self.set_finalizers(&finalizers)).await?;
                Ok(Next::Plan)
            }
            Step::Release => {
                let mut finalizers = self.object.finalizers().to_vec();
                finalizers.retain(|finalizer| finalizer != FINALIZER);
                Box::pin(self.set_finalizers(&finalizers)).await?;
                Ok(Next::Gone)
            }
            Step::Record(wanted) => Box::pin(self.record(&wanted)).await,
            Step::Confirm(resource) => {
                self.remember(resource);
                Ok(Next::Plan)
            }
            Step::LetGo(id) => {
                Box::pin(self.let_go(&id)).await?;
                Ok(Next::Plan)
            }
            Step::Forget(id, farewell) => {
                self.forget(&id, farewell);
                Ok(Next::Plan)
            }
            Step::Create(wanted) => Box::pin(self.create(wanted)).await,
            Step::Update(update) => Box::pin(self.update(update)).await,
            Step::Delete(id) => Box::pin(self.delete(id)).await,
            Step::Provision(id, provision) => Box::pin(self.provision(id, provision)).await,
            Step::Rest(rest) => Ok(Next::Rest(rest)),
        }
    }

    fn remember(&mut self, resource: OwnedResource) {
        inventory::remember(&mut K::engine(&mut self.status).resources, resource);
    }

    fn forget(&mut self, id: &ArmId, farewell: Farewell) {
        inventory::forget(&mut K::engine(&mut self.status).resources, id);
        match farewell {
            Farewell::Gone => {
                self.tell(Reason::Deleted, &format!("{} is gone from Azure", label(id)));
            }
            Farewell::NotOurs => {
                self.warn(
                    Reason::LeftInPlace,
                    &format!("{} stays in Azure: it does not carry this object's owner mark", label(id)),
                );
            }
        }
    }

    fn deleting(&self) -> bool {
        self.object.meta().deletion_timestamp.is_some()
    }

    /// ARM, as this object may ask it now.
    fn arm(&mut self) -> arm::Client {
        let priority = self.priority();
        let caller = Caller { share: self.object.share(&self.context.world).into(), priority };
        self.context.arm.on_behalf_of(caller, self.correlation.clone())
    }

    fn priority(&mut self) -> Priority {
        let (generation, wanted) = (self.object.meta().generation, self.asked || self.deleting());
        priority(K::engine(&mut self.status), generation, wanted)
    }

    /// Whether all was well, nobody waits for anything, and nothing has been found out yet.
    fn is_routine(&mut self) -> bool {
        self.priority() == Priority::Periodic && self.object.status() == Some(&self.status)
    }

    /// The right to write to a resource, as this object asks for it.
    fn turn(&self, target: &ArmId) -> Turn {
        Turn::new(self.holder(), target, &self.object.share(&self.context.world), K::leads_share())
    }

    /// How this object is called when it is its turn.
    fn call(&self) -> Call {
        let (callbacks, object) = (self.context.callbacks.clone(), ObjectRef::from_obj(&self.object));
        Arc::new(move || callbacks.call(&object))
    }

    fn holder(&self) -> String {
        self.object.uid().unwrap_or_default()
    }

    fn retry_token(&self) -> String {
        let asked = self.object.annotations().get(RECONCILE_AT).map_or("", String::as_str);
        let generation = self.object.meta().generation.unwrap_or_default();
        format!("{}/{generation}/{asked}", env!("CARGO_PKG_VERSION"))
    }
}

fn api_version(id: &ArmId) -> &'static str {
    resource_type::of(id).unwrap_or(&resource_type::WORKSPACE).api_version
}
