//! The one decision: from what is desired, seen and remembered to the next step. No I/O, no clock, no chance.

mod rests;
mod standing;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

pub use rests::listed;
use rests::{
    ANOTHER_NAME, absent_part, at_work, fixed_differs, foreign, gone, not_set_up, passing, refused_before,
    written_in_vain,
};
use standing::Standing;
pub use standing::{applied, attempt, call};

use super::body;
use super::inventory;
use super::kind::{Provision, Unresolved, Wanted};
use super::ownership::{self, Ownership};
use super::sight::{Sight, Sights, Target, member};
use super::verdict::{Rest, State, Wake};
use crate::api::conditions::Reason;
use crate::api::policies::{AdoptionPolicy, DeletionPolicy, ManagementPolicy, Policies};
use crate::api::status::{EngineStatus, Operation, OperationKind, OwnedResource};
use crate::arm::resource_type::{self, label};
use crate::arm::{ArmId, Class, ResourceType};

/// How soon to look again at a resource that somebody else is changing.
const FOREIGN_WORK: Duration = Duration::from_secs(10);

/// All that the plan knows.
pub struct Situation<'a> {
    /// The object is being deleted.
    pub deleting: bool,
    /// Our finalizer is on it.
    pub finalizer: bool,
    /// What may be done.
    pub policies: Policies,
    /// What was remembered.
    pub memory: &'a EngineStatus,
    /// What is wanted, or what the spec refers to in vain.
    pub wanted: Result<&'a [Wanted], &'a Unresolved>,
    /// What has to be gone before anything is deleted.
    pub held_by: Option<&'a str>,
    /// The object's owner mark.
    pub mark: &'a str,
    /// What goes into the fingerprint of a refusal besides the body: what changes when it should be tried again.
    pub retry_token: &'a str,
    /// Collections to be read for what is published.
    pub reads: &'static [&'static str],
    /// What was seen.
    pub sights: &'a Sights,
    /// What was seen earlier than this no longer counts: it was written to since.
    pub fresh_from: Timestamp,
    /// The last write that this reconcile made or saw the end of: where it did not help, the same at once does not either.
    pub just_done: Option<(OperationKind, &'a ArmId)>,
}

/// The next step. Steps that change Azure are at most one a reconcile; the others lead to a new plan.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// Look at something in Azure.
    Observe(Target),
    /// Ask how the operation goes.
    Poll(Operation),
    /// Put our finalizer on the object.
    AddFinalizer,
    /// Remember that the resource is about to be made.
    Record(Wanted),
    /// Remember what is there.
    Confirm(OwnedResource),
    /// Drop a resource from the inventory.
    Forget(ArmId, Farewell),
    /// Drop a resource from the inventory that its owner lets go, with our mark off it where that can be done at once.
    LetGo(ArmId),
    /// Make the resource, or bring one whose making failed into being.
    Create(Wanted),
    /// Change the resource.
    Update(Update),
    /// Delete the resource.
    Delete(ArmId),
    /// Have set up what belongs to the resource.
    Provision(ArmId, Provision),
    /// Take our finalizer off.
    Release,
    /// Nothing to do now.
    Rest(Rest),
}

/// Why a resource leaves the inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// It is gone.
    Gone,
    /// It is not ours.
    NotOurs,
}

/// A change to a resource that exists.
#[derive(Debug, PartialEq)]
pub struct Update {
    /// What it is to be.
    pub wanted: Wanted,
    /// JSON pointers of what differs; empty where only a secret changed.
    pub differences: Vec<String>,
    /// What was managed before.
    pub formerly: Vec<String>,
    /// Why it is changed, as an event tells it.
    pub reason: Reason,
}

/// Decides the next step.
#[must_use]
pub fn plan(situation: &Situation<'_>) -> Step {
    let s = situation;
    // Before Pause too: Orphan releases the object whatever else holds it.
    if s.deleting && s.lets_go() {
        return s.let_go();
    }
    if s.policies.management == ManagementPolicy::Pause {
        return s.paused();
    }
    if let Some(operation) = &s.memory.operation {
        return s.follow(operation);
    }
    if s.deleting {
        return s.delete_all();
    }
    let wanted = match s.wanted {
        Ok(wanted) => wanted,
        Err(unresolved) => {
            return Step::Rest(Rest::new(State::Unresolved, unresolved.reason, &unresolved.message, Wake::Resync));
        }
    };
    let manages = s.policies.management == ManagementPolicy::Manage;
    if manages && !s.finalizer {
        return Step::AddFinalizer;
    }
    // Parts leave when what they are part of has been brought about: one that cannot leave holds that up no longer.
    let leaves = |owned: &&OwnedResource| !wanted.iter().any(|wanted| owned.is(wanted.id.as_str()));
    let mut leaving = s.memory.resources.iter().rev().filter(leaves).filter(|_| manages);
    if let Some(owned) = leaving.clone().find(|owned| inventory::whole_of(owned).is_none()) {
        return s.delete_one(owned);
    }
    let first = wanted.first().and_then(|first| s.bring_about(first));
    first.or_else(|| leaving.next().map(|part| s.delete_one(part))).unwrap_or_else(|| s.bring_about_all(wanted))
}

/// Whether a part that is there is not the one that Azure refused to make.
fn was_never_made(owned: &OwnedResource, type_: &ResourceType, observed: &Value) -> bool {
    let failed = observed.pointer(type_.state).is_some_and(|state| state == "Failed");
    type_.is_part() && owned.applied.is_none() && owned.refused.is_some() && !failed
}

impl Situation<'_> {
    fn paused(&self) -> Step {
        if self.deleting && self.memory.resources.is_empty() && self.memory.operation.is_none() {
            return if self.finalizer { Step::Release } else { gone() };
        }
        let message = if self.deleting {
            "managementPolicy is Pause: nothing is deleted; set Manage to go on, or deletionPolicy: Orphan to release the object and leave Azure as it is"
        } else {
            "managementPolicy is Pause: nothing is read or written; set Manage or Observe to go on"
        };
        Step::Rest(Rest::new(State::Paused, Reason::Paused, message, Wake::Event))
    }

    /// Whether deletion leaves Azure as it is.
    fn lets_go(&self) -> bool {
        self.policies.deletion == DeletionPolicy::Orphan || self.policies.management == ManagementPolicy::Observe
    }

    fn let_go(&self) -> Step {
        match inventory::last_whole(&self.memory.resources).and_then(|owned| ArmId::parse(&owned.id).ok()) {
            Some(id) => Step::LetGo(id),
            None if self.finalizer => Step::Release,
            None => gone(),
        }
    }

    fn follow(&self, operation: &Operation) -> Step {
        let Some(Sight::Running(retry_after)) = self.sight(&Target::Operation(operation.url.clone())) else {
            return Step::Poll(operation.clone());
        };
        let resource = ArmId::parse(&operation.resource_id).map_or_else(|_| "the resource".to_owned(), |id| label(&id));
        let (reason, work) = match operation.kind {
            OperationKind::Create => (Reason::Creating, "creating"),
            OperationKind::Update => (Reason::Updating, "updating"),
            OperationKind::Delete => (Reason::Deleting, "deleting"),
            OperationKind::Provision => (Reason::Provisioning, "setting up what belongs to"),
        };
        let then = if self.deleting && operation.kind != OperationKind::Delete {
            "; it is deleted when that has ended (deletionPolicy: Orphan would release the object at once)"
        } else {
            ""
        };
        let message = format!("Azure is {work} {resource}{then}");
        Step::Rest(Rest::new(State::Working, reason, message, Wake::Poll { retry_after: *retry_after }))
    }

    fn delete_all(&self) -> Step {
        if let Some(holder) = self.held_by {
            return Step::Rest(Rest::new(State::Waiting, Reason::HubHasProjects, holder, Wake::Resync));
        }
        match inventory::last_whole(&self.memory.resources) {
            Some(owned) => self.delete_one(owned),
            None if self.finalizer => Step::Release,
            None => gone(),
        }
    }

    fn delete_one(&self, owned: &OwnedResource) -> Step {
        let Some((id, type_)) = ArmId::parse(&owned.id).ok().and_then(|id| Some((id.clone(), resource_type::of(&id)?)))
        else {
            let message = format!(
                "status.resources names {}, which this operator cannot have made: take the entry out",
                owned.id
            );
            return Step::Rest(Rest::new(State::Stalled, Reason::UnknownResource, message, Wake::Event));
        };
        match self.whole_is_ours(owned) {
            Ok(true) => {}
            Ok(false) => return Step::Forget(id, Farewell::NotOurs),
            Err(unseen) => return Step::Observe(unseen),
        }
        match self.look_at(&id, type_) {
            Err(unseen) => Step::Observe(unseen),
            Ok(None) => Step::Forget(id, Farewell::Gone),
            Ok(Some(observed)) if was_never_made(owned, type_, observed) => Step::Forget(id, Farewell::NotOurs),
            Ok(Some(observed)) => match ownership::judge(observed, type_, self.mark, Some(owned)) {
                // The mark alone is not enough here: another object of ours, of the same name, may have made a namesake.
                Ownership::Ours if ownership::is_the_one(owned, observed) => self.end(id, type_, observed),
                // It may be our own write that is under way, with the mark in it.
                Ownership::Unmarked if owned.created_at.is_none() && at_work(observed, type_).is_some() => {
                    self.end(id, type_, observed)
                }
                Ownership::Ours | Ownership::Unmarked | Ownership::Foreign(_) => Step::Forget(id, Farewell::NotOurs),
            },
        }
    }

    /// Whether what the resource is a part of, if it is one, is this object's.
    fn whole_is_ours(&self, part: &OwnedResource) -> Result<bool, Target> {
        let Some(id) = inventory::whole_of(part) else { return Ok(true) };
        let whole = self.memory.resources.iter().find(|owned| owned.is(id.as_str()));
        let (Some(whole), Some(type_)) = (whole, resource_type::of(&id)) else { return Ok(false) };
        let observed = self.look_at(&id, type_)?;
        Ok(observed.is_none_or(|observed| {
            ownership::judge(observed, type_, self.mark, Some(whole)) == Ownership::Ours
                && ownership::is_the_one(whole, observed)
        }))
    }

    fn end(&self, id: ArmId, type_: &ResourceType, observed: &Value) -> Step {
        let (why, wake) = match at_work(observed, type_) {
            Some(state) => (format!("is {state} in Azure; waiting for that to end"), Wake::After(FOREIGN_WORK)),
            None if self.just_done == Some((OperationKind::Delete, &id)) => {
                ("is still in Azure after it was deleted; it is deleted again later".to_owned(), passing(Class::Fast))
            }
            None => return Step::Delete(id),
        };
        let release = if self.deleting { " (deletionPolicy: Orphan would release the object at once)" } else { "" };
        let message = format!("{} {why}{release}", label(&id));
        Step::Rest(Rest::new(State::Working, Reason::Deleting, message, wake))
    }

    fn bring_about_all(&self, set: &[Wanted]) -> Step {
        let mut resting = None;
        for (place, wanted) in set.iter().enumerate() {
            match self.bring_about(wanted) {
                None => {}
                // A member that has to wait, or that Azure refuses, holds up no other one; but all hang on the first.
                Some(Step::Rest(rest)) if place > 0 => {
                    resting.get_or_insert(Step::Rest(rest));
                }
                Some(step) => return step,
            }
        }
        resting.unwrap_or_else(|| self.settle(set))
    }

    /// The step that brings one resource nearer to what it should be; `None` where it is.
    fn bring_about(&self, wanted: &Wanted) -> Option<Step> {
        let recorded = self.memory.resources.iter().find(|owned| owned.is(wanted.id.as_str()));
        match self.look_at(&wanted.id, wanted.type_) {
            Err(unseen) => Some(Step::Observe(unseen)),
            Ok(None) => Some(self.make(wanted, recorded)),
            Ok(Some(observed)) => self.mend(wanted, recorded, observed),
        }
    }

    /// The resource as it is now, `None` where there is none, or what to look at first.
    fn look_at(&self, id: &ArmId, type_: &ResourceType) -> Result<Option<&Value>, Target> {
        let alone = Target::Resource(id.clone());
        match (self.sight(&alone), type_.listed_in) {
            (Some(Sight::Present(observed)), _) => Ok(Some(observed)),
            (Some(Sight::Absent), _) => Ok(None),
            (_, Some(collection)) => {
                let listed = Target::Collection(id.top_level(), collection);
                match self.sight(&listed) {
                    Some(Sight::Items(items)) => Ok(member(items, id)),
                    _ => Err(listed),
                }
            }
            (_, None) => Err(alone),
        }
    }

    fn make(&self, wanted: &Wanted, recorded: Option<&OwnedResource>) -> Step {
        if self.policies.management == ManagementPolicy::Observe {
            if wanted.type_.is_part() {
                return absent_part(wanted);
            }
            let message = format!("{} does not exist; managementPolicy Observe does not make it", label(&wanted.id));
            return Step::Rest(Rest::new(State::Missing, Reason::NotFound, message, Wake::Resync));
        }
        if let Some(refused) = refused_before(recorded, &attempt(wanted, self.retry_token)) {
            return refused;
        }
        if self.just_wrote(&wanted.id) {
            let message = format!("{} was made and is not to be seen in Azure yet", label(&wanted.id));
            return Step::Rest(Rest::new(State::Working, Reason::Creating, message, passing(Class::Fast)));
        }
        // What is made now is another one than what was there: taken for that one, it would be left behind.
        if recorded.is_none_or(|recorded| recorded.created_at.is_some() || recorded.applied.is_some()) {
            return Step::Record(wanted.clone());
        }
        Step::Create(wanted.clone())
    }

    fn mend(&self, wanted: &Wanted, recorded: Option<&OwnedResource>, observed: &Value) -> Option<Step> {
        let owner = match ownership::judge(observed, wanted.type_, self.mark, recorded) {
            // A part that was there before the inventory named it was made by somebody else, unless it is just as wanted.
            Ownership::Ours if wanted.type_.is_part() && recorded.is_none() => {
                let differs = !body::differences(&wanted.body, observed, &[], wanted.type_).is_empty();
                if differs { Ownership::Unmarked } else { Ownership::Ours }
            }
            owner => owner,
        };
        let looks_only = self.policies.management == ManagementPolicy::Observe;
        match &owner {
            // Looking is not harmless: what an object publishes, others build on.
            Ownership::Foreign(owner) => return Some(foreign(wanted, owner, self.mark)),
            Ownership::Unmarked if !looks_only || wanted.adoption_forbidden.is_some() => {
                if let Some(refusal) = self.not_adopted(wanted, observed) {
                    return Some(refusal);
                }
            }
            Ownership::Unmarked | Ownership::Ours => {}
        }
        if let Some(state) = at_work(observed, wanted.type_) {
            let message = format!("{} is {state} in Azure; waiting for that to end", label(&wanted.id));
            return Some(Step::Rest(Rest::new(State::Working, Reason::InProgress, message, Wake::After(FOREIGN_WORK))));
        }
        let standing = Standing::of(wanted, &owner, recorded, observed);
        if let Some(fixed) = wanted.type_.fixed.iter().find(|fixed| standing.differences.iter().any(|at| at == *fixed))
        {
            return Some(fixed_differs(wanted, observed, fixed));
        }
        if looks_only {
            return standing.only_looked_at(wanted);
        }
        if standing.is_as_wanted(wanted) {
            let confirmed = standing.confirmed(wanted, recorded, observed);
            return (recorded != Some(&confirmed)).then_some(Step::Confirm(confirmed));
        }
        if let Some(refused) = refused_before(recorded, &attempt(wanted, self.retry_token)) {
            return Some(refused);
        }
        // The write that is to come makes it ours: what the inventory does not name, or takes for a former namesake, would
        // be left behind.
        let is_named =
            |recorded: &OwnedResource| owner != Ownership::Unmarked || ownership::is_the_one(recorded, observed);
        if !recorded.is_some_and(is_named) {
            return Some(Step::Record(wanted.clone()));
        }
        if self.just_wrote(&wanted.id) && standing.was_just_this() {
            return Some(written_in_vain(wanted, standing.failed, &standing.differences));
        }
        if standing.was_never_made(&owner) {
            return Some(Step::Create(wanted.clone()));
        }
        let (formerly, reason) = (standing.formerly(), standing.reason(wanted, &owner));
        Some(Step::Update(Update { wanted: wanted.clone(), differences: standing.to_send(wanted), formerly, reason }))
    }

    fn not_adopted(&self, wanted: &Wanted, observed: &Value) -> Option<Step> {
        let advice = match (self.policies.adoption, &wanted.adoption_forbidden) {
            (AdoptionPolicy::Adopt, None) => return None,
            (_, Some(forbidden)) => forbidden.as_str(),
            (AdoptionPolicy::Fail, None) => "set adoptionPolicy: Adopt to take it over",
        };
        let by = observed["systemData"]["createdBy"].as_str().unwrap_or("somebody");
        let at = ownership::created_at(observed).unwrap_or("an unknown time");
        let message = format!(
            "{} exists already, made by {by} at {at}, and this object does not own it: {advice}, or {ANOTHER_NAME}",
            label(&wanted.id)
        );
        Some(Step::Rest(Rest::new(State::Stalled, Reason::AlreadyExists, message, Wake::Resync)))
    }

    fn just_wrote(&self, id: &ArmId) -> bool {
        let wrote = |kind| matches!(kind, OperationKind::Create | OperationKind::Update);
        self.just_done.is_some_and(|(kind, done)| wrote(kind) && done == id)
    }

    fn settle(&self, wanted: &[Wanted]) -> Step {
        let Some(primary) = wanted.first() else {
            return Step::Rest(Rest::new(State::Settled, Reason::Reconciled, "nothing is wanted", Wake::Resync));
        };
        let unread = self
            .reads
            .iter()
            .map(|read| Target::Collection(primary.id.clone(), read))
            .find(|read| self.sight(read).is_none());
        if let Some(unread) = unread {
            return Step::Observe(unread);
        }
        if let Some(step) = wanted.iter().find_map(|wanted| self.set_up(wanted)) {
            return step;
        }
        let message = format!("{} is as the spec says", label(&primary.id));
        Step::Rest(Rest::new(State::Settled, Reason::Reconciled, message, Wake::Resync))
    }

    /// The step that has set up what belongs to a resource; `None` where it is.
    fn set_up(&self, wanted: &Wanted) -> Option<Step> {
        let provision = wanted.provision.as_ref().filter(|_| self.policies.management == ManagementPolicy::Manage)?;
        let observed = match self.look_at(&wanted.id, wanted.type_) {
            Ok(observed) => observed?,
            Err(unseen) => return Some(Step::Observe(unseen)),
        };
        if provision.is_done(observed) {
            return None;
        }
        let recorded = self.memory.resources.iter().find(|owned| owned.is(wanted.id.as_str()));
        if let Some(refused) = refused_before(recorded, &call(provision, self.retry_token)) {
            return Some(refused);
        }
        if self.just_done == Some((OperationKind::Provision, &wanted.id)) {
            return Some(not_set_up(wanted, provision));
        }
        Some(Step::Provision(wanted.id.clone(), provision.clone()))
    }

    fn sight(&self, target: &Target) -> Option<&Sight> {
        self.sights.get(target).filter(|(at, _)| *at >= self.fresh_from).map(|(_, sight)| sight)
    }
}

#[cfg(test)]
mod tests;
