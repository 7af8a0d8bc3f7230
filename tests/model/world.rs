//! A state of the model: the object as the API server has it, Azure, the reconciles in progress, and what may yet disturb them.

use foundry_operator::api::policies::{AdoptionPolicy, DeletionPolicy};
use foundry_operator::api::status::OperationKind;
use foundry_operator::engine::plan;

use crate::azure::{Azure, Hub, Mark, Phase};
use crate::planner::{Planner, StatusId, Which, birth, hub_id, number_of, rule_id, wanted};
use crate::session::Session;

/// The object, as the API server has it or once had it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Object {
    /// Its resourceVersion: compared, and nothing else.
    pub version: u8,
    pub spec: u8,
    pub deleting: bool,
    pub finalizer: bool,
    pub status: StatusId,
}

/// How often each thing may yet happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Disturbances {
    /// Somebody meddles with what is in Azure.
    pub outside: u8,
    /// The user changes the spec.
    pub changes: u8,
    /// The user deletes the object.
    pub deletions: u8,
    /// A process dies, or loses the lease, which is the same: nothing leaves it any more.
    pub crashes: u8,
    /// A reconcile begins with what the cache had before.
    pub stale: u8,
    /// A call to Azure or an operation there goes wrong.
    pub failures: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub object: Option<Object>,
    /// What a cache that is behind still has.
    pub previous: Option<Object>,
    pub azure: Azure,
    pub sessions: [Option<Session>; 2],
    pub left: Disturbances,
    /// Two replicas write, as if there were no lease.
    pub both_at_once: bool,
    /// The hub whose time of creation a status has told of: without its mark it is still known.
    pub known: Option<u8>,
}

impl World {
    pub fn new(status: StatusId, both_at_once: bool, left: Disturbances) -> Self {
        let object = Object { version: 0, spec: 0, deleting: false, finalizer: false, status };
        Self {
            object: Some(object),
            previous: None,
            azure: Azure::default(),
            sessions: [None, None],
            left,
            both_at_once,
            known: None,
        }
    }

    /// The API server takes a change of the object. One that is being deleted goes with its last finalizer.
    pub fn store(&mut self, changed: &Object) {
        let versions = self.objects().map(|object| object.version).max();
        self.previous = self.object.take();
        if changed.finalizer || !changed.deleting {
            self.object = Some(Object { version: versions.map_or(0, |newest| newest + 1), ..changed.clone() });
        }
    }

    fn objects(&self) -> impl Iterator<Item = &Object> {
        let sessions = self.sessions.iter().flatten().map(|session| &session.object);
        self.object.iter().chain(&self.previous).chain(sessions)
    }

    fn statuses(&self) -> impl Iterator<Item = StatusId> {
        let sessions = self.sessions.iter().flatten().map(|session| session.status);
        self.objects().map(|object| object.status).chain(sessions)
    }

    /// What means the same is made the same: versions that nobody has are forgotten, and operations that nobody knows.
    pub fn tidy(&mut self, planner: &Planner) {
        if self.left.stale == 0 || self.object.is_none() {
            self.previous = None;
        }
        let mut versions: Vec<u8> = self.objects().map(|object| object.version).collect();
        versions.sort_unstable();
        versions.dedup();
        let place = |version: u8| u8::try_from(versions.binary_search(&version).unwrap()).unwrap();
        let sessions = self.sessions.iter_mut().flatten().map(|session| &mut session.object);
        for object in self.object.iter_mut().chain(&mut self.previous).chain(sessions) {
            object.version = place(object.version);
        }
        let known: Vec<u8> = self.operations(planner).collect();
        self.azure.ended.retain(|number, _| known.contains(number));
        self.azure.astray &= self.azure.rule;
        self.known = self.known.filter(|known| self.azure.hub.is_some_and(|hub| hub.birth == *known));
    }

    /// The numbers of the operations that a status tells of.
    fn operations(&self, planner: &Planner) -> impl Iterator<Item = u8> {
        self.statuses().filter_map(|status| Some(number_of(&planner.status(status).engine.operation.as_ref()?.url)))
    }

    pub fn free_number(&self, planner: &Planner) -> u8 {
        let taken: Vec<u8> = self.operations(planner).chain(self.azure.ended.keys().copied()).collect();
        (0..=u8::MAX).find(|number| !taken.contains(number)).unwrap()
    }

    pub fn free_birth(&self, planner: &Planner) -> u8 {
        let told = |at: u8| {
            let of = |status: StatusId| {
                planner.status(status).engine.resources.iter().any(|owned| owned.created_at == Some(birth(at)))
            };
            self.statuses().any(of)
        };
        let seen = |at: u8| {
            let of = |session: &Session| session.seen.hub.flatten().is_some_and(|hub| hub.birth == at);
            self.sessions.iter().flatten().any(of)
        };
        (0..=u8::MAX).find(|at| !told(*at) && !seen(*at)).unwrap()
    }

    /// What was published of the hub's time of creation.
    pub fn learn(&mut self, planner: &Planner) {
        let (Some(object), Some(hub)) = (&self.object, self.azure.hub) else { return };
        let status = planner.status(object.status);
        let created_at = Some(birth(hub.birth));
        if status.engine.resources.iter().any(|owned| owned.is(hub_id().as_str()) && owned.created_at == created_at) {
            self.known = Some(hub.birth);
        }
    }

    /// What holds of every write, as far as the reconcile could know.
    ///
    /// # Errors
    /// What must never happen, and does.
    pub fn check_write(session: &Session, kind: OperationKind, which: Which, planner: &Planner) -> Result<(), String> {
        let adopts = planner.policies.adoption == AdoptionPolicy::Adopt;
        let rule = |holds: bool, broken: &str| if holds { Ok(()) } else { Err(broken.to_owned()) };
        let published = planner.status(session.object.status);
        let id = if which == Which::Hub { hub_id() } else { rule_id() };
        rule(session.object.finalizer, "written without a finalizer")?;
        rule(published.engine.resources.iter().any(|owned| owned.is(id.as_str())), "written unrecorded")?;
        rule(planner.status(session.status).engine.operation.is_none(), "written while an operation runs")?;
        rule(kind == OperationKind::Delete || !session.confirmed_deleting, "made or changed after the deletion began")?;
        let now = planner.status(session.status);
        let owned = now.engine.resources.iter().find(|owned| owned.is(id.as_str()));
        let applied = wanted(session.object.spec).iter().find(|wanted| wanted.id == id).map(plan::applied);
        let same = kind == OperationKind::Delete || owned.is_some_and(|owned| owned.applied == applied);
        // What lost its mark meanwhile is written once more, with the mark.
        let marked = session.seen.hub.flatten().is_none_or(|hub| hub.mark == Mark::Ours);
        let again = same && marked && session.just_done == Some((kind, which));
        rule(!again, "the same is written again at once")?;
        let seen = session.seen.hub.ok_or("written without a look at the hub")?;
        let is_anothers = seen.is_some_and(|hub| hub.mark == Mark::Others);
        rule(!is_anothers, "touched what carries another's mark")?;
        let ours = seen.is_none_or(|hub| hub.touched);
        match kind {
            OperationKind::Delete => rule(ours, "deleted what is not ours"),
            OperationKind::Create if which == Which::Hub => {
                let failed = seen.is_none_or(|hub| hub.phase == Phase::Failed);
                rule(failed && ours, "made what was there")
            }
            _ => rule(ours || adopts, "changed what is nobody's"),
        }
    }

    /// What holds when Azure takes up a write to the hub.
    ///
    /// # Errors
    /// What must never happen, and does.
    pub fn check_begin(&self, kind: OperationKind) -> Result<(), String> {
        let twice = kind == OperationKind::Create && self.azure.hub.is_some_and(|hub| hub.phase != Phase::Failed);
        if twice && !self.both_at_once { Err("made twice without an absence between".to_owned()) } else { Ok(()) }
    }

    /// What holds when the finalizer is taken off.
    ///
    /// # Errors
    /// What must never happen, and does.
    pub fn check_release(&self, planner: &Planner) -> Result<(), String> {
        let left = self.azure.hub.filter(|hub| self.is_left_behind(*hub, planner));
        left.map_or(Ok(()), |hub| Err(format!("the finalizer goes and leaves {hub:?} behind")))
    }

    /// Whether the hub is one that the object should not go without.
    pub fn is_left_behind(&self, hub: Hub, planner: &Planner) -> bool {
        let known = hub.mark == Mark::Ours || (hub.mark == Mark::None && self.known == Some(hub.birth));
        planner.policies.deletion == DeletionPolicy::Delete && hub.touched && known
    }
}
