//! The plan, driven through troubled lives: whatever happens in whatever order, it comes to rest, keeps its hands off what
//! is others', and leaves nothing behind.

use crate::api::status::Refusal;
use crate::engine::body;
use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use serde_json::Value;

use super::super::*;
use super::azure::{Answer, Azure, Progress, REFUSED, STUBBORN, is_ours, mark_of};
use super::scene::{MARK, OTHER_MARK, TOKEN, circumstances, connection, network, rule, second, workspace};
use crate::arm::Class;
use crate::arm::resource_type::UpdateBy;
use crate::engine::verdict::{Circumstances, conditions};

const LIVES: u64 = 100;
const EVENTS: usize = 60;
/// More steps than any reconcile takes.
const STEPS: usize = 40;
/// More reconciles than it takes to finish what was begun, at one step of Azure's for each step of ours.
const RECONCILES: usize = 60;

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Life {
    rng: Rng,
    azure: Azure,
    now: i64,
    /// No more faults, and nothing happens any more.
    quiet: bool,
    deleting: bool,
    finalizer: bool,
    policies: Policies,
    resolved: bool,
    friendly_name: &'static str,
    members: Vec<&'static str>,
    rules: Vec<&'static str>,
    provision_now: bool,
    secret_version: u32,
    /// What a crash leaves of what was remembered.
    published: EngineStatus,
    /// The births of what we made or were allowed to take over.
    ours: BTreeSet<String>,
}

/// What one reconcile knows, all of which a crash takes away.
struct Reconcile {
    memory: EngineStatus,
    sights: Sights,
    fresh_from: Timestamp,
    just_done: Option<(OperationKind, ArmId)>,
    writes: BTreeMap<String, u32>,
}

enum Outcome {
    Rested(Rest),
    Crashed,
    Gone,
}

impl Life {
    fn new(seed: u64) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            azure: Azure::default(),
            now: 0,
            quiet: false,
            deleting: false,
            finalizer: false,
            policies: Policies::default(),
            resolved: true,
            friendly_name: "Churn",
            members: vec!["a"],
            rules: vec!["pypi"],
            provision_now: false,
            secret_version: 1,
            published: EngineStatus::default(),
            ours: BTreeSet::new(),
        }
    }

    fn wanted(&self) -> Vec<Wanted> {
        let mut first = workspace();
        body::set(&mut first.body, "/properties/friendlyName", self.friendly_name.into());
        let members = self.members.iter().map(|name| {
            let mut member = connection(name);
            member.secrets[0].version = self.secret_version.to_string();
            if self.secret_version.is_multiple_of(3) {
                body::set(&mut member.body, "/properties/target", STUBBORN.into());
            }
            member
        });
        first.provision = self.provision_now.then(network);
        let rules = self.rules.iter().map(|name| rule(name));
        std::iter::once(first).chain(rules).chain(members).collect()
    }

    fn one_in(&mut self, chances: u8) -> bool {
        !self.quiet && self.rng.u8(..chances) == 0
    }

    fn pause_between_two_steps(&mut self) -> Timestamp {
        self.now += 1;
        self.azure.tick();
        second(self.now)
    }

    /// Something happens while nobody reconciles.
    fn happen(&mut self) {
        let everything = [workspace().id, connection("a").id, connection("b").id, rule("pypi").id];
        let somewhere = everything[self.rng.usize(..everything.len())].clone();
        match self.rng.u8(..24) {
            0 | 1 => self.friendly_name = ["Churn", "Other", REFUSED, STUBBORN][self.rng.usize(..4)],
            2 | 3 => self.members = [vec![], vec!["a"], vec!["b"], vec!["a", "b"]][self.rng.usize(..4)].clone(),
            4 => self.secret_version += 1,
            5 => self.azure.remove(&somewhere),
            6 => self.azure.mark(&somewhere, Value::Null),
            7 => self.azure.mark(&somewhere, OTHER_MARK.into()),
            8 => self.azure.drift(&somewhere),
            9 => {
                let body = self.wanted()[0].body.clone();
                let marked = self.rng.bool();
                self.azure.made_by_others(&somewhere, &body, marked);
            }
            10 => self.policies.adoption = [AdoptionPolicy::Fail, AdoptionPolicy::Adopt][self.rng.usize(..2)],
            11 | 12 => {
                let all = [ManagementPolicy::Manage, ManagementPolicy::Observe, ManagementPolicy::Pause];
                self.policies.management = all[self.rng.usize(..3)];
            }
            13 | 14 => self.resolved = self.rng.bool(),
            15 => self.azure.forget_ended_operations(),
            17 => self.provision_now = self.rng.bool(),
            18 | 19 => self.rules = [vec![], vec!["pypi"], vec!["conda"]][self.rng.usize(..3)].clone(),
            16 if self.rng.u8(..8) == 0 => self.deleting = true,
            _ => {}
        }
    }

    fn reconcile(&mut self) -> Outcome {
        if self.deleting && !self.finalizer {
            self.check_release();
            return Outcome::Gone;
        }
        let mut session = Reconcile {
            memory: self.published.clone(),
            sights: Sights::default(),
            fresh_from: second(self.now),
            just_done: None,
            writes: BTreeMap::new(),
        };
        for _ in 0..STEPS {
            self.pause_between_two_steps();
            let step = self.plan(&session);
            if step == Step::Release {
                self.check_release();
                return Outcome::Gone;
            }
            let rest = self.take(step, &mut session);
            if self.one_in(20) {
                return Outcome::Crashed;
            }
            if let Some(rest) = rest {
                if rest.state == State::Settled {
                    session.memory.resources.iter_mut().for_each(|owned| owned.refused = None);
                }
                self.publish(&rest, &session.memory);
                return Outcome::Rested(rest);
            }
        }
        panic!("no rest within {STEPS} steps");
    }

    fn plan(&self, session: &Reconcile) -> Step {
        let unresolved = Unresolved::new(Reason::NotAllowedByHub, "consent was withdrawn");
        let wanted = self.wanted();
        plan(&Situation {
            deleting: self.deleting,
            finalizer: self.finalizer,
            policies: self.policies,
            memory: &session.memory,
            wanted: if self.resolved { Ok(&wanted) } else { Err(&unresolved) },
            held_by: None,
            mark: MARK,
            retry_token: TOKEN,
            reads: &[],
            sights: &session.sights,
            fresh_from: session.fresh_from,
            just_done: session.just_done.as_ref().map(|(kind, id)| (*kind, id)),
        })
    }

    fn take(&mut self, step: Step, session: &mut Reconcile) -> Option<Rest> {
        match step {
            Step::Observe(_) if self.one_in(10) => return Some(trouble("read")),
            Step::Observe(Target::Resource(id)) => {
                let sight = self.azure.get(&id).cloned().map_or(Sight::Absent, Sight::Present);
                session.sights.insert(Target::Resource(id), second(self.now), sight);
            }
            Step::Observe(Target::Collection(id, collection)) => {
                let sight = Sight::Items(self.azure.parts(&id));
                session.sights.insert(Target::Collection(id, collection), second(self.now), sight);
            }
            Step::Poll(operation) => return self.poll(operation, session),
            Step::AddFinalizer => self.finalizer = true,
            Step::Record(wanted) => {
                self.check_write(session);
                inventory::remember(&mut session.memory.resources, super::scene::recorded(&wanted));
                self.publish(&trouble("recorded"), &session.memory);
            }
            Step::Confirm(owned) => inventory::remember(&mut session.memory.resources, owned),
            Step::Forget(id, _) => {
                inventory::forget(&mut session.memory.resources, &id);
            }
            Step::LetGo(id) => {
                inventory::forget(&mut session.memory.resources, &id);
                session.memory.operation = None;
            }
            Step::Create(wanted) => {
                assert!(!self.deleting, "made after the deletion began");
                let there = self.azure.get(&wanted.id);
                let absent = there.is_none_or(|there| there["properties"]["provisioningState"] == "Failed");
                assert!(absent, "made twice without an absence between");
                let body = wanted.body.clone();
                return self.send(OperationKind::Create, UpdateBy::Put, &wanted, &body, session);
            }
            Step::Update(update) => {
                assert!(!self.deleting, "changed after the deletion began");
                let Update { wanted, differences, formerly, .. } = update;
                let there = session.sights.resource(&wanted.id).cloned().unwrap();
                let by = wanted.type_.update;
                let body = match by {
                    UpdateBy::Patch => body::patch(&wanted.body, &there, &differences, &formerly, wanted.type_),
                    UpdateBy::Put => body::replacement(&wanted.body, &there, &formerly, wanted.type_),
                };
                return self.send(OperationKind::Update, by, &wanted, &body, session);
            }
            Step::Delete(id) => return self.delete(&id, session),
            Step::Provision(id, provision) => return Some(self.provision(&id, &provision, session)),
            Step::Rest(rest) => return Some(rest),
            Step::Observe(_) | Step::Release => panic!("unexpected: {step:?}"),
        }
        None
    }

    fn poll(&mut self, operation: Operation, session: &mut Reconcile) -> Option<Rest> {
        let id = ArmId::parse(&operation.resource_id).unwrap();
        let progress = self.azure.poll(&operation.url);
        if progress == Progress::Running {
            let target = Target::Operation(operation.url);
            session.sights.insert(target, second(self.now), Sight::Running(None));
            return None;
        }
        session.memory.operation = None;
        match progress {
            Progress::Succeeded => {
                session.just_done = Some((operation.kind, id.clone()));
                if let Some(applied) = operation.sent {
                    inventory::written(&mut session.memory.resources, &id, applied);
                }
                None
            }
            Progress::Lasting => {
                refuse(session, &id, operation.attempt);
                Some(refusal())
            }
            Progress::Passing => Some(trouble("finish")),
            Progress::Forgotten | Progress::Running => None,
        }
    }

    fn send(
        &mut self,
        kind: OperationKind,
        by: UpdateBy,
        wanted: &Wanted,
        body: &Value,
        session: &mut Reconcile,
    ) -> Option<Rest> {
        self.check_write(session);
        self.check_owner(&wanted.id, self.policies.adoption == AdoptionPolicy::Adopt);
        let writes = session.writes.entry(wanted.id.to_string()).or_default();
        *writes += 1;
        assert_eq!(*writes, 1, "written twice in one reconcile");
        let attempt = attempt(wanted, TOKEN);
        check_refusal(session, &wanted.id, &attempt);
        let inventory = &self.published.resources;
        assert!(inventory.iter().any(|owned| owned.is(wanted.id.as_str())), "written unrecorded");

        let answer = match by {
            UpdateBy::Put => self.azure.put(&wanted.id, body, &mut self.rng),
            UpdateBy::Patch => self.azure.patch(&wanted.id, body, &mut self.rng),
        };
        let born = self.azure.birth(&wanted.id).map(str::to_owned);
        session.fresh_from = self.pause_between_two_steps();
        match answer {
            Answer::Passing => return Some(trouble("write")),
            Answer::Lasting => {
                refuse(session, &wanted.id, Some(attempt));
                return Some(refusal());
            }
            Answer::Done | Answer::Accepted(_) => self.ours.extend(born),
        }
        if let Answer::Accepted(url) = answer {
            session.memory.operation = Some(Operation {
                kind,
                resource_id: wanted.id.to_string(),
                url,
                started_at: session.fresh_from.to_string(),
                sent: Some(applied(wanted)),
                attempt: Some(attempt),
            });
            return Some(working());
        }
        session.just_done = Some((kind, wanted.id.clone()));
        inventory::written(&mut session.memory.resources, &wanted.id, applied(wanted));
        let there = self.azure.get(&wanted.id).cloned().unwrap();
        let target = Target::Resource(wanted.id.clone());
        session.sights.insert(target, second(self.now), Sight::Present(there));
        None
    }

    fn provision(&mut self, id: &ArmId, provision: &Provision, session: &mut Reconcile) -> Rest {
        assert!(!self.deleting, "set up after the deletion began");
        self.check_write(session);
        self.check_owner(id, false);
        let attempt = call(provision, TOKEN);
        check_refusal(session, id, &attempt);
        let answer = self.azure.provision(id, &mut self.rng);
        session.fresh_from = self.pause_between_two_steps();
        let Answer::Accepted(url) = answer else { return trouble("set up") };
        session.memory.operation = Some(Operation {
            kind: OperationKind::Provision,
            resource_id: id.to_string(),
            url,
            started_at: session.fresh_from.to_string(),
            sent: None,
            attempt: Some(attempt),
        });
        working()
    }

    fn delete(&mut self, id: &ArmId, session: &mut Reconcile) -> Option<Rest> {
        self.check_write(session);
        self.check_owner(id, false);
        let answer = self.azure.delete(id, &mut self.rng);
        session.fresh_from = self.pause_between_two_steps();
        match answer {
            Answer::Accepted(url) => {
                session.memory.operation = Some(Operation {
                    kind: OperationKind::Delete,
                    resource_id: id.to_string(),
                    url,
                    started_at: session.fresh_from.to_string(),
                    sent: None,
                    attempt: None,
                });
                Some(working())
            }
            Answer::Done => {
                session.just_done = Some((OperationKind::Delete, id.clone()));
                let target = Target::Resource(id.clone());
                session.sights.insert(target, second(self.now), Sight::Absent);
                None
            }
            Answer::Passing | Answer::Lasting => Some(trouble("delete")),
        }
    }

    fn publish(&mut self, rest: &Rest, memory: &EngineStatus) {
        let conditions =
            conditions(&memory.conditions, rest, Circumstances { deleting: self.deleting, ..circumstances() });
        self.published = EngineStatus { conditions, ..memory.clone() };
    }

    fn check_write(&self, session: &Reconcile) {
        assert_eq!(self.policies.management, ManagementPolicy::Manage, "written unasked");
        assert!(self.finalizer, "written without a finalizer");
        assert!(self.deleting || self.resolved, "written without consent");
        assert_eq!(session.memory.operation, None, "written while an operation runs");
    }

    fn check_owner(&self, id: &ArmId, adopts: bool) {
        // A part is whose the whole is.
        let id = &if resource_type::of(id).unwrap().is_part() { id.top_level() } else { id.clone() };
        if let Some(there) = self.azure.get(id) {
            assert_ne!(mark_of(id, there), Some(OTHER_MARK), "touched what is another's");
            let ours = is_ours(id, there) || self.azure.birth(id).is_some_and(|born| self.ours.contains(born));
            assert!(ours || adopts, "touched what is nobody's");
        }
    }

    fn check_release(&self) {
        if self.policies.management == ManagementPolicy::Manage {
            assert_eq!(self.azure.marked(MARK), Vec::<&ArmId>::new(), "left behind");
        }
    }

    /// Nothing happens any more: the object finds its place and stays there.
    fn calm_down(&mut self) -> Option<Rest> {
        for _ in 0..RECONCILES {
            let before = self.published.clone();
            match self.reconcile() {
                Outcome::Gone => return None,
                Outcome::Rested(rest) if matches!(rest.wake, Wake::Event | Wake::Resync) => {
                    if before == self.published {
                        return Some(rest);
                    }
                }
                Outcome::Rested(_) | Outcome::Crashed => {}
            }
        }
        panic!("no peace within {RECONCILES} reconciles: {:?}", self.published);
    }

    fn has_strangers(&self) -> bool {
        let whole = |wanted: &Wanted| !wanted.type_.is_part();
        let strange = |wanted: &Wanted| self.azure.get(&wanted.id).is_some_and(|there| !is_ours(&wanted.id, there));
        self.wanted().iter().filter(|wanted| whole(wanted)).any(strange)
    }
}

fn check_refusal(session: &Reconcile, id: &ArmId, attempt: &str) {
    let owned = session.memory.resources.iter().find(|owned| owned.is(id.as_str()));
    let refused = owned.and_then(|owned| owned.refused.as_ref()).map(|refusal| refusal.attempt.as_str());
    assert_ne!(refused, Some(attempt), "a refusal was tried again");
}

fn refuse(session: &mut Reconcile, id: &ArmId, attempt: Option<String>) {
    if let Some(attempt) = attempt {
        let refusal = Refusal { attempt, message: "Azure said no".to_owned() };
        inventory::refused(&mut session.memory.resources, id, refusal);
    }
}

fn trouble(what: &str) -> Rest {
    let wake = Wake::Backoff { class: Class::Fast, retry_after: None };
    Rest::new(State::Waiting, Reason::AzureUnavailable, what, wake)
}

fn refusal() -> Rest {
    Rest::new(State::Stalled, Reason::Refused, "Azure said no", Wake::Resync)
}

fn working() -> Rest {
    let wake = Wake::Poll { retry_after: None };
    Rest::new(State::Working, Reason::Creating, "Azure is at work", wake)
}

fn live(seed: u64) {
    let mut life = Life::new(seed);
    for _ in 0..EVENTS {
        life.happen();
        if matches!(life.reconcile(), Outcome::Gone) {
            return;
        }
    }
    life.quiet = true;
    life.resolved = true;
    life.policies.management = ManagementPolicy::Manage;
    life.friendly_name = "Calm";
    life.secret_version = 1;
    if !life.deleting {
        let rest = life.calm_down().unwrap();
        assert!(rest.state == State::Settled || life.has_strangers(), "unsettled: {rest:?}");
    }
    life.deleting = true;
    assert_eq!(life.calm_down(), None);
}

#[test]
#[expect(clippy::print_stdout, reason = "shown only where the test fails")]
fn whatever_happens_it_comes_to_rest_and_leaves_nothing_behind() {
    for seed in 0..LIVES {
        // The seed of a life that went wrong is the last one told.
        println!("life {seed}");
        live(seed);
    }
}
