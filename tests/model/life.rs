//! What can happen next in a state of the model, what it leads to, and how it has to end.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use foundry_operator::api::conditions::Reason;
use foundry_operator::api::policies::Policies;
use foundry_operator::api::status::EngineStatus;
use foundry_operator::engine::verdict::State;

use crate::azure::{End, Mark, Outside, Phase};
use crate::planner::{Planner, Status};
use crate::search::Model;
use crate::session::{self, Fate, Session};
use crate::world::{Disturbances, Object, World};

/// More reconciles than it takes to finish anything, with an end of Azure's work between any two.
const PATIENCE: usize = 20;

#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// A reconcile begins: something changed, or a timer or a needless event called it. A cache may be behind.
    Begins { replica: usize, stale: bool },
    /// It takes a step.
    Steps { replica: usize, fate: Fate },
    /// Its process dies.
    Crashes { replica: usize },
    /// The operation that runs in Azure ends.
    Ends(End),
    /// The user changes the spec.
    Changes,
    /// The user deletes the object.
    Deletes,
    /// Somebody meddles with Azure.
    Meddles(Outside),
}

pub struct Life {
    planner: Planner,
    /// Two replicas write, as if there were no lease.
    both_at_once: bool,
    left: Disturbances,
    fingerprints: RandomState,
    /// States from which it is known to end well.
    well: HashSet<u64>,
}

impl Life {
    pub fn new(policies: Policies, both_at_once: bool, left: Disturbances) -> Self {
        let mut planner = Planner::new(policies);
        planner.number(Status { engine: EngineStatus::default(), told: None });
        Self { planner, both_at_once, left, fingerprints: RandomState::new(), well: HashSet::new() }
    }

    fn steps(&mut self, world: &World, replica: usize, actions: &mut Vec<Action>) {
        let Some(session) = &world.sessions[replica] else { return };
        let mut step = |fate| actions.push(Action::Steps { replica, fate });
        step(Fate::Well);
        if world.left.failures > 0 && session.is_about_to_write(&mut self.planner) {
            [Fate::Fails, Fate::Refused, Fate::Unanswered].into_iter().for_each(step);
        }
    }

    /// One action of a life that nothing disturbs any more; `None` where it has come to rest.
    fn calm_action(world: &World, rested: &mut bool) -> Option<Action> {
        let lingers = (0..2).find(|replica| world.sessions[*replica].is_some());
        match lingers {
            Some(replica) => Some(Action::Steps { replica, fate: Fate::Well }),
            None if world.azure.running.is_some() => Some(Action::Ends(End::Well)),
            None if world.object.is_none() || *rested => None,
            None => {
                *rested = true;
                Some(Action::Begins { replica: 0, stale: false })
            }
        }
    }

    fn check_end(&self, world: &World) -> Result<(), String> {
        let hub = world.azure.hub;
        let Some(object) = &world.object else {
            let left = hub.filter(|hub| !self.both_at_once && world.is_left_behind(*hub, &self.planner));
            return left.map_or(Ok(()), |hub| Err(format!("{hub:?} is left behind")));
        };
        let told = self.planner.status(object.status).told;
        let as_wanted = hub
            .is_some_and(|hub| hub.mark == Mark::Ours && hub.spec == object.spec && hub.phase == Phase::There)
            && (world.azure.rule == (object.spec == 0) || world.azure.astray);
        let taken = hub.is_some_and(|hub| hub.mark != Mark::Ours);
        let well = !object.deleting
            && match told {
                Some((State::Settled, _)) => as_wanted || self.both_at_once,
                Some((State::Stalled, Reason::AlreadyExists | Reason::Conflict)) => taken,
                Some((State::Stalled, Reason::Refused)) => true,
                _ => false,
            };
        if well { Ok(()) } else { Err(format!("it ends as {told:?} with {:?}: {object:?}", world.azure)) }
    }
}

impl Model for Life {
    type State = World;
    type Action = Action;

    fn initial(&self) -> World {
        World::new(0, self.both_at_once, self.left)
    }

    fn actions(&mut self, world: &World) -> Vec<Action> {
        let mut actions = Vec::new();
        let left = world.left;
        for replica in 0..2 {
            self.steps(world, replica, &mut actions);
            let idle = world.sessions[replica].is_none();
            let may_begin = self.both_at_once || world.sessions.iter().all(Option::is_none);
            if idle && may_begin && world.object.is_some() && (self.both_at_once || replica == 0) {
                actions.push(Action::Begins { replica, stale: false });
                if left.stale > 0 && world.previous.is_some() {
                    actions.push(Action::Begins { replica, stale: true });
                }
            }
            if !idle && left.crashes > 0 {
                actions.push(Action::Crashes { replica });
            }
        }
        if world.azure.running.is_some() {
            actions.push(Action::Ends(End::Well));
            if left.failures > 0 {
                actions.extend([End::InVain, End::Passing, End::Lasting].map(Action::Ends));
            }
        }
        if let Some(object) = &world.object {
            if left.changes > 0 {
                actions.push(Action::Changes);
            }
            if left.deletions > 0 && !object.deleting {
                actions.push(Action::Deletes);
            }
        }
        if left.outside > 0 {
            let everything = [
                Outside::DeletesTheHub,
                Outside::DeletesTheRule,
                Outside::TakesTheMarkOff,
                Outside::PutsAnotherMarkOn,
                Outside::ChangesAField,
                Outside::MakesANamesake { marked: false },
                Outside::MakesANamesake { marked: true },
            ];
            // Azure takes no condition with a write: another's mark that comes between the look and the write is lost.
            let looked = world.sessions.iter().flatten().any(|session| session.seen.hub.is_some());
            let in_time = |it: &Outside| !(looked && *it == Outside::PutsAnotherMarkOn);
            let possible = everything.into_iter().filter(|it| world.azure.allows(*it) && in_time(it));
            actions.extend(possible.map(Action::Meddles));
        }
        actions
    }

    fn next(&mut self, world: &World, action: Action) -> Result<World, String> {
        let mut world = world.clone();
        match action {
            Action::Begins { replica, stale } => {
                let object = if stale { &world.previous } else { &world.object };
                world.sessions[replica] = object.as_ref().map(Session::new);
                world.left.stale -= u8::from(stale);
            }
            Action::Steps { replica, fate } => {
                world.left.failures -= u8::from(matches!(fate, Fate::Fails | Fate::Refused | Fate::Unanswered));
                if let Some(session) = world.sessions[replica].take() {
                    let after = session::step(session, &mut world, &mut self.planner, fate)?;
                    world.sessions[replica] = after;
                }
            }
            Action::Crashes { replica } => {
                world.sessions[replica] = None;
                world.left.crashes -= 1;
            }
            Action::Ends(end) => {
                world.left.failures -= u8::from(end != End::Well);
                world.azure.end(end);
            }
            Action::Changes => {
                world.left.changes -= 1;
                if let Some(object) = world.object.clone() {
                    world.store(&Object { spec: 1 - object.spec, ..object });
                }
            }
            Action::Deletes => {
                world.left.deletions -= 1;
                if let Some(object) = world.object.clone() {
                    world.store(&Object { deleting: true, ..object });
                }
            }
            Action::Meddles(outside) => {
                world.left.outside -= 1;
                let birth = world.free_birth(&self.planner);
                world.azure.meet(outside, birth);
            }
        }
        world.learn(&self.planner);
        world.tidy(&self.planner);
        Ok(world)
    }

    fn calm_down(&mut self, world: &World) -> Result<(), String> {
        let mut world = World { left: Disturbances::default(), ..world.clone() };
        world.tidy(&self.planner);
        let mut passed = Vec::new();
        let mut way = Vec::new();
        let (mut rested, mut reconciles) = (false, 0);
        loop {
            let between_reconciles = world.sessions.iter().all(Option::is_none);
            if between_reconciles {
                let fingerprint = self.fingerprints.hash_one(&world);
                if !rested && self.well.contains(&fingerprint) {
                    break;
                }
                // A reconcile that changes nothing is the last one.
                if !rested || !passed.contains(&fingerprint) {
                    rested = false;
                    passed.push(fingerprint);
                }
            }
            let Some(action) = Self::calm_action(&world, &mut rested) else {
                self.check_end(&world).map_err(|why| format!("{why}\n   after, calmly, {way:?}\n   all after:"))?;
                break;
            };
            if matches!(action, Action::Begins { .. }) {
                reconciles += 1;
                if reconciles > PATIENCE {
                    return Err(format!("no rest within {PATIENCE} reconciles: {way:?}\n   after:"));
                }
            }
            way.push(action);
            world = self.next(&world, action).map_err(|why| format!("{why}, calmly after {way:?}"))?;
        }
        self.well.extend(passed);
        Ok(())
    }
}
