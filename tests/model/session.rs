//! One reconcile, as `src/engine/session` takes the steps: what it knows, what it may write and when. Each function mirrors
//! the one of its name there; the plan and the inventory are the operator's own code.
//!
//! One step is one call, to Azure or to the API server, so that anything can happen between any two. What is left out: the
//! queue for writes (one process alone has it) and waiting times (anything may take any time here).

use std::rc::Rc;

use foundry_operator::api::conditions::Reason;
use foundry_operator::api::status::{EngineStatus, Operation, OperationKind, OwnedResource, Refusal};
use foundry_operator::arm::ArmId;
use foundry_operator::arm::resource_type::UpdateBy;
use foundry_operator::engine::plan::{self, Step};
use foundry_operator::engine::verdict::State;
use foundry_operator::engine::{Target, Wanted, body, inventory};

use crate::azure::{Azure, Change, End};
use crate::planner::{
    NOW, Planner, Question, Seen, Status, StatusId, TOKEN, Which, hub_id, name, number_of, url, which,
};
use crate::world::{Object, World};

/// What one reconcile knows, all of which a crash takes away.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    /// The object, as a cache or the API server last told.
    pub object: Object,
    /// The status, as it is going to be.
    pub status: StatusId,
    /// What was seen since the last write: what was seen earlier does not count (`fresh_from`).
    pub seen: Seen,
    pub just_done: Option<(OperationKind, Which)>,
    /// The object is as the API server had it.
    pub confirmed: bool,
    /// It was being deleted when that was found. Nobody tells the planner.
    pub confirmed_deleting: bool,
    /// Azure was told something that the status has to keep.
    pub wrote: bool,
    pub steps: u8,
}

/// How a write to Azure goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    Well,
    /// Azure does nothing and says that it passes.
    Fails,
    /// Azure refuses it for good.
    Refused,
    /// Azure does it, and its answer is lost.
    Unanswered,
}

/// What a step led to.
enum Next {
    Plan,
    Rest(State, Reason),
    /// The reconcile is over without anything told: an error, or nothing left to do.
    Over,
}

/// Longest way to a rest: the limit of the operator's own sessions.
const STEP_LIMIT: u8 = 64;

impl Session {
    pub fn new(object: &Object) -> Self {
        Self {
            object: object.clone(),
            status: object.status,
            seen: Seen::default(),
            just_done: None,
            confirmed: false,
            confirmed_deleting: false,
            wrote: false,
            steps: 0,
        }
    }

    /// What it does next.
    pub fn plan(&self, planner: &mut Planner) -> Rc<Step> {
        planner.ask(Question {
            deleting: self.object.deleting,
            finalizer: self.object.finalizer,
            spec: self.object.spec,
            status: self.status,
            seen: self.seen,
            just_done: self.just_done,
        })
    }

    /// Whether the next step is a write to Azure that has passed all checks.
    pub fn is_about_to_write(&self, planner: &mut Planner) -> bool {
        let step = self.plan(planner);
        self.confirmed && matches!(*step, Step::Create(_) | Step::Update(_) | Step::Delete(_) | Step::LetGo(_))
    }

    fn engine(&self, planner: &Planner) -> EngineStatus {
        planner.status(self.status).engine.clone()
    }

    fn remember(&mut self, planner: &mut Planner, engine: EngineStatus) {
        let told = planner.status(self.status).told;
        self.status = planner.number(Status { engine, told });
    }
}

/// Takes one step; `None` where the reconcile is over.
///
/// # Errors
/// What must never happen, and does.
pub fn step(
    mut session: Session,
    world: &mut World,
    planner: &mut Planner,
    fate: Fate,
) -> Result<Option<Session>, String> {
    session.steps += 1;
    if session.steps > STEP_LIMIT {
        return Err("a reconcile without end".to_owned());
    }
    let step = session.plan(planner);
    let next = take(&mut session, &step, world, planner, fate)?;
    match next {
        Next::Plan => Ok(Some(session)),
        Next::Over => Ok(None),
        Next::Rest(state, reason) => {
            rest(&mut session, state, reason, world, planner);
            Ok(None)
        }
    }
}

fn take(
    session: &mut Session,
    step: &Step,
    world: &mut World,
    planner: &mut Planner,
    fate: Fate,
) -> Result<Next, String> {
    let mut engine = session.engine(planner);
    match step {
        Step::Observe(Target::Resource(id)) if *id == hub_id() => session.seen.hub = Some(world.azure.hub),
        Step::Observe(Target::Collection(..)) => session.seen.rules = Some(world.azure.rule),
        Step::Poll(operation) => return Ok(poll(session, operation, world, planner)),
        Step::AddFinalizer => return Ok(set_finalizer(session, true, world)),
        Step::Release => {
            let goes = world.object.as_ref().is_some_and(|object| object.version == session.object.version);
            if goes && !world.both_at_once {
                world.check_release(planner)?;
            }
            set_finalizer(session, false, world);
            return Ok(Next::Over);
        }
        Step::Record(wanted) => {
            inventory::remember(&mut engine.resources, entry(wanted));
            session.remember(planner, engine);
            let published = publish(session, State::Working, Reason::Creating, world, planner);
            return Ok(if published { Next::Plan } else { Next::Over });
        }
        Step::Confirm(owned) => {
            inventory::remember(&mut engine.resources, owned.clone());
            session.remember(planner, engine);
        }
        Step::Forget(id, _) => {
            inventory::forget(&mut engine.resources, id);
            session.remember(planner, engine);
        }
        Step::LetGo(id) => return Ok(let_go(session, id, world, planner, fate)),
        Step::Create(_) | Step::Update(_) | Step::Delete(_) if !session.confirmed => return Ok(check(session, world)),
        Step::Create(wanted) => {
            World::check_write(session, OperationKind::Create, which(&wanted.id), planner)?;
            let change = Change { spec: Some(session.object.spec), marks: true };
            return send(session, wanted, OperationKind::Create, change, world, planner, fate);
        }
        Step::Update(update) => {
            let wanted = &update.wanted;
            World::check_write(session, OperationKind::Update, which(&wanted.id), planner)?;
            let there = session.seen.hub.flatten().map(crate::planner::shown).unwrap_or_default();
            let sent = match wanted.type_.update {
                UpdateBy::Patch => {
                    body::patch(&wanted.body, &there, &update.differences, &update.formerly, wanted.type_)
                }
                UpdateBy::Put => wanted.body.clone(),
            };
            let named = sent["properties"]["friendlyName"] == name(session.object.spec);
            let change = Change { spec: named.then_some(session.object.spec), marks: sent["tags"].is_object() };
            return send(session, wanted, OperationKind::Update, change, world, planner, fate);
        }
        Step::Delete(id) => {
            World::check_write(session, OperationKind::Delete, which(id), planner)?;
            return Ok(delete(session, id, world, planner, fate));
        }
        Step::Rest(rest) => return Ok(Next::Rest(rest.state, rest.reason)),
        Step::Observe(_) | Step::Provision(..) => return Err(format!("the model has no {step:?}")),
    }
    Ok(Next::Plan)
}

/// `write::is_current`: before Azure is changed, the object is as the API server has it.
fn check(session: &mut Session, world: &World) -> Next {
    let Some(object) = &world.object else { return Next::Over };
    session.confirmed = true;
    session.confirmed_deleting = object.deleting;
    if session.object.version != object.version {
        session.object = object.clone();
        session.status = object.status;
    }
    Next::Plan
}

/// `write::set_finalizers`: guarded by the resourceVersion.
fn set_finalizer(session: &mut Session, finalizer: bool, world: &mut World) -> Next {
    let Some(object) = world.object.clone().filter(|object| object.version == session.object.version) else {
        return Next::Over;
    };
    world.store(&Object { finalizer, ..object });
    let Some(object) = &world.object else { return Next::Over };
    session.object = object.clone();
    session.confirmed = true;
    session.confirmed_deleting = object.deleting;
    Next::Plan
}

/// `publish::publish`: guarded by the resourceVersion, unless Azure was written to. False where it failed.
fn publish(session: &mut Session, state: State, reason: Reason, world: &mut World, planner: &mut Planner) -> bool {
    session.status = planner.number(Status { engine: session.engine(planner), told: Some((state, reason)) });
    if session.status == session.object.status {
        return true;
    }
    // An object that is gone is no error, but nothing is written on its behalf.
    let Some(object) = world.object.clone() else {
        session.confirmed = false;
        return true;
    };
    if !session.wrote && object.version != session.object.version {
        return false;
    }
    world.store(&Object { status: session.status, ..object });
    let Some(object) = &world.object else { return true };
    session.object = object.clone();
    if !session.wrote {
        session.confirmed = true;
        session.confirmed_deleting = object.deleting;
    }
    true
}

/// `publish::rest`.
fn rest(session: &mut Session, state: State, reason: Reason, world: &mut World, planner: &mut Planner) {
    if state == State::Settled {
        let mut engine = session.engine(planner);
        engine.resources.iter_mut().for_each(|owned| owned.refused = None);
        session.remember(planner, engine);
    }
    publish(session, state, reason, world, planner);
}

/// `read::poll`.
fn poll(session: &mut Session, operation: &Operation, world: &World, planner: &mut Planner) -> Next {
    let number = number_of(&operation.url);
    if world.azure.running.is_some_and(|running| running.number == number) {
        session.seen.running = Some(number);
        return Next::Plan;
    }
    let id = ArmId::parse(&operation.resource_id).unwrap();
    let mut engine = session.engine(planner);
    engine.operation = None;
    let next = match world.azure.ended.get(&number) {
        None => Next::Rest(State::Working, Reason::InProgress),
        Some(End::Well | End::InVain) => {
            session.just_done = Some((operation.kind, which(&id)));
            if let Some(applied) = operation.sent.clone() {
                inventory::written(&mut engine.resources, &id, applied);
            }
            Next::Plan
        }
        Some(End::Passing) => Next::Rest(State::Waiting, Reason::AzureUnavailable),
        Some(End::Lasting) => refused(session, &mut engine, &id, operation.attempt.clone()),
    };
    session.remember(planner, engine);
    next
}

/// `write::refused`, of what Azure refuses for good.
fn refused(session: &Session, engine: &mut EngineStatus, id: &ArmId, attempt: Option<String>) -> Next {
    let rest = if session.object.deleting {
        Next::Rest(State::Waiting, Reason::Refused)
    } else {
        Next::Rest(State::Stalled, Reason::Refused)
    };
    let Some(attempt) = attempt else { return rest };
    inventory::refused(&mut engine.resources, id, Refusal { attempt, message: "no".to_owned() });
    if engine.resources.len() > 1 { Next::Plan } else { rest }
}

/// `write::send`.
fn send(
    session: &mut Session,
    wanted: &Wanted,
    kind: OperationKind,
    change: Change,
    world: &mut World,
    planner: &mut Planner,
    fate: Fate,
) -> Result<Next, String> {
    let mut engine = session.engine(planner);
    let attempt = plan::attempt(wanted, TOKEN);
    let made = which(&wanted.id) == Which::Hub && kind == OperationKind::Create;
    // Azure has no way to make a workspace only where there is none: that somebody makes one between the look and the
    // write is not in the model.
    let in_time = if made { world.azure.hub.is_none_or(|hub| hub.touched) } else { world.azure.hub.is_some() };
    let busy = world.azure.running.is_some() || !in_time;
    session.seen = Seen::default();
    if fate == Fate::Refused {
        let next = refused(session, &mut engine, &wanted.id, Some(attempt));
        session.remember(planner, engine);
        return Ok(next);
    }
    if busy || fate == Fate::Fails {
        return Ok(Next::Rest(State::Waiting, Reason::AzureUnavailable));
    }
    let number = match which(&wanted.id) {
        Which::Hub => {
            let (number, birth) = (world.free_number(planner), world.free_birth(planner));
            world.check_begin(kind)?;
            world.azure.begin(number, birth, kind, change);
            Some(number)
        }
        Which::Rule => {
            world.azure.rule = true;
            world.azure.astray = world.azure.hub.is_some_and(|hub| !hub.touched);
            None
        }
    };
    if fate == Fate::Unanswered {
        return Ok(Next::Rest(State::Waiting, Reason::AzureUnavailable));
    }
    session.wrote = true;
    if let Some(number) = number {
        let (sent, attempt) = (Some(plan::applied(wanted)), Some(attempt));
        engine.operation = Some(Operation { sent, attempt, ..operation(kind, &wanted.id, number) });
        session.seen.running = Some(number);
    } else {
        inventory::written(&mut engine.resources, &wanted.id, plan::applied(wanted));
        session.just_done = Some((kind, which(&wanted.id)));
        session.seen.rule = Some(true);
    }
    session.remember(planner, engine);
    Ok(Next::Plan)
}

/// `write::delete`.
fn delete(session: &mut Session, id: &ArmId, world: &mut World, planner: &mut Planner, fate: Fate) -> Next {
    session.seen = Seen::default();
    if world.azure.running.is_some() || matches!(fate, Fate::Fails | Fate::Refused) {
        return Next::Rest(State::Waiting, Reason::AzureUnavailable);
    }
    let accepted = (which(id) == Which::Hub && world.azure.hub.is_some()).then(|| {
        let number = world.free_number(planner);
        world.azure.begin(number, 0, OperationKind::Delete, Change::default());
        number
    });
    if which(id) == Which::Rule {
        world.azure.rule = false;
    }
    if fate == Fate::Unanswered {
        return Next::Rest(State::Waiting, Reason::AzureUnavailable);
    }
    session.wrote = true;
    if let Some(number) = accepted {
        let mut engine = session.engine(planner);
        engine.operation = Some(operation(OperationKind::Delete, id, number));
        session.remember(planner, engine);
        session.seen.running = Some(number);
    } else {
        session.just_done = Some((OperationKind::Delete, which(id)));
        match which(id) {
            Which::Hub => session.seen.hub = Some(None),
            Which::Rule => session.seen.rule = Some(false),
        }
    }
    Next::Plan
}

/// `orphan::let_go`: the mark comes off where that can be done at once; nothing here holds the object up.
fn let_go(session: &mut Session, id: &ArmId, world: &mut World, planner: &mut Planner, fate: Fate) -> Next {
    if !session.confirmed {
        return check(session, world);
    }
    if fate == Fate::Well || fate == Fate::Unanswered {
        unmark(&mut world.azure);
    }
    let mut engine = session.engine(planner);
    inventory::forget(&mut engine.resources, id);
    engine.operation = None;
    session.remember(planner, engine);
    Next::Plan
}

fn unmark(azure: &mut Azure) {
    let idle = azure.running.is_none();
    if let Some(hub) = azure.hub.as_mut().filter(|hub| idle && hub.mark == crate::azure::Mark::Ours) {
        hub.mark = crate::azure::Mark::None;
    }
}

fn entry(wanted: &Wanted) -> OwnedResource {
    OwnedResource { id: wanted.id.to_string(), ..OwnedResource::default() }
}

fn operation(kind: OperationKind, id: &ArmId, number: u8) -> Operation {
    Operation {
        kind,
        resource_id: id.to_string(),
        url: url(number),
        started_at: NOW.to_string(),
        sent: None,
        attempt: None,
    }
}
