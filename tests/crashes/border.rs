//! Where the operator's requests pass, one after the other, and where it is stopped.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use tokio::sync::Notify;

use crate::memory::{Answer, Asked, Memory};

/// Whom a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    Kubernetes,
    Azure,
}

/// A request about the object whose life is followed, without what differs from one life to the next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    pub side: Side,
    pub method: String,
    /// The end of its path, with `*` for the object's name.
    pub path: String,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

impl Call {
    /// The call that a request is; `None` for what is not about the object alone: lists, watches, other objects.
    pub fn of(side: Side, method: &str, path: &str, query: &str, body: &[u8], name: &str) -> Option<Self> {
        let call = |method: &str, path: &str| Some(Self { side, method: method.to_owned(), path: path.to_owned() });
        match side {
            Side::Kubernetes if query.contains("watch=") => None,
            Side::Kubernetes if path.contains("/events") => {
                let is_about = String::from_utf8_lossy(body).contains(&format!("\"{name}\""));
                // Whether an event is new or counted up depends on what was told since the last crash.
                is_about.then(|| call("POST", "events"))?
            }
            Side::Azure if path.contains("/workspaceOperationsStatus/") => call(method, "(operation)"),
            _ => {
                let (before, after) = path.split_once(&format!("/{name}"))?;
                let collection = before.rsplit('/').next()?;
                call(method, &format!("{collection}/*{after}"))
            }
        }
    }

    /// Whether it changes something where it goes.
    pub fn writes(&self) -> bool {
        self.method != "GET" && self.path != "events"
    }
}

/// On which side of a call the operator is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The call is never made.
    Before,
    /// It took effect, and its answer never came.
    After,
}

/// Where the operator is to be stopped in a step.
#[derive(Clone, Debug)]
pub struct Boundary {
    pub call: Call,
    /// How many calls like it come before it.
    pub skip: usize,
    pub moment: Moment,
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = if self.moment == Moment::Before { "before" } else { "after" };
        write!(f, "{moment} {} {}", self.call, self.skip + 1)
    }
}

/// Both sides of each of these calls, in order. Of the same call the second, the third, … are told apart.
pub fn boundaries(calls: &[Call]) -> Vec<Boundary> {
    let mut skips: HashMap<&Call, usize> = HashMap::new();
    let mut found = Vec::new();
    for call in calls {
        let skip = skips.entry(call).or_default();
        found.extend([Moment::Before, Moment::After].map(|moment| Boundary {
            call: call.clone(),
            skip: *skip,
            moment,
        }));
        *skip += 1;
    }
    found
}

/// What a step meets.
#[derive(Clone, Debug)]
pub enum Disturbance {
    /// The operator is killed there and started again.
    Crash(Boundary),
    /// The operator is killed there, and what it lists when it is started again is from before the step.
    OldList(Boundary),
    /// The first look at the object is answered as it was before the step; or each first one at its resource after a write
    /// as if it had not been written.
    OldReads(Side),
    /// Each event about the object that the operator watches is followed by the one before it, and then comes again.
    OldEvents,
}

impl Disturbance {
    /// Whether the world is there as at the boundary before: a read has changed nothing.
    pub fn is_after_a_read(&self) -> bool {
        matches!(self, Self::Crash(at) if at.moment == Moment::After && at.call.method == "GET")
    }
}

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash(boundary) => boundary.fmt(f),
            Self::OldList(boundary) => write!(f, "{boundary}, then an old list"),
            Self::OldReads(Side::Kubernetes) => f.write_str("old reads of the object"),
            Self::OldReads(Side::Azure) => f.write_str("old reads of Azure"),
            Self::OldEvents => f.write_str("old events come again"),
        }
    }
}

/// What the API server had before a step.
pub struct Before {
    pub name: String,
    /// The path of the list of such objects.
    pub list_path: String,
    pub list: Option<Bytes>,
    /// The object, where it was there.
    pub object: Option<Bytes>,
}

impl Before {
    fn object_path(&self) -> String {
        format!("{}/{}", self.list_path, self.name)
    }
}

/// What passes, and the trap that is set for one of the calls.
pub struct Border {
    state: Mutex<State>,
    caught: Notify,
}

struct State {
    name: String,
    passed: Vec<Call>,
    disturbance: Option<Disturbance>,
    before: Option<Before>,
    memory: Memory,
    /// How often the disturbance was met.
    met: usize,
    under_way: usize,
    last: Instant,
}

impl Border {
    pub fn new() -> Self {
        let (name, passed, last) = (String::new(), Vec::new(), Instant::now());
        let (disturbance, before, memory) = (None, None, Memory::default());
        let state = State { name, passed, disturbance, before, memory, met: 0, under_way: 0, last };
        Self { state: Mutex::new(state), caught: Notify::new() }
    }

    /// From now on follows the object of this name, and disturbs the operator.
    pub fn follow(&self, name: &str, disturbance: Option<Disturbance>, before: Before) {
        let mut state = self.state();
        name.clone_into(&mut state.name);
        state.passed.clear();
        state.disturbance = disturbance;
        state.before = Some(before);
        state.memory = Memory::default();
        state.met = 0;
        state.last = Instant::now();
    }

    /// The calls about the object, in order.
    pub fn passed(&self) -> Vec<Call> {
        self.state().passed.clone()
    }

    pub fn name(&self) -> String {
        self.state().name.clone()
    }

    /// Whether no call about the object is or was under way for so long.
    pub fn is_quiet_for(&self, time: Duration) -> bool {
        let state = self.state();
        state.under_way == 0 && state.last.elapsed() >= time
    }

    /// Waits until the operator is held.
    pub async fn caught(&self) {
        self.caught.notified().await;
    }

    /// A call comes: on which side of it its caller is to be held.
    pub fn enter(&self, call: &Call) -> (Passing<'_>, Option<Moment>) {
        let mut state = self.state();
        let before = state.passed.iter().filter(|passed| *passed == call).count();
        state.passed.push(call.clone());
        state.under_way += 1;
        state.last = Instant::now();
        let held = match &state.disturbance {
            Some(Disturbance::Crash(at) | Disturbance::OldList(at))
                if state.met == 0 && at.call == *call && at.skip == before =>
            {
                Some(at.moment)
            }
            _ => None,
        };
        state.met += usize::from(held.is_some());
        (Passing(self), held)
    }

    /// Whether this event of a watch, a line of JSON, is to be followed by the one before it.
    pub fn repeats(&self, event: &str) -> bool {
        let mut state = self.state();
        let repeats = matches!(state.disturbance, Some(Disturbance::OldEvents))
            && event.contains(&format!("\"name\":\"{}\"", state.name));
        if repeats {
            state.met += 1;
            state.last = Instant::now();
        }
        repeats
    }

    /// What a list is answered with after the crash, where that is to be old: once.
    pub fn old_list(&self, path: &str) -> Option<Bytes> {
        let mut state = self.state();
        let applies = matches!(state.disturbance, Some(Disturbance::OldList(_))) && state.met > 0;
        let before = state.before.as_mut().filter(|before| applies && before.list_path == path);
        before.and_then(|before| before.list.take())
    }

    /// What the first look at the object is answered with, where that is to be old.
    pub fn old_object(&self, path: &str) -> Option<Bytes> {
        let mut state = self.state();
        let applies = matches!(state.disturbance, Some(Disturbance::OldReads(Side::Kubernetes)));
        let before = state.before.as_mut().filter(|before| applies && before.object_path() == path);
        let old = before.and_then(|before| before.object.take());
        state.met += usize::from(old.is_some());
        old
    }

    /// A read of the resource comes: what it is answered with, where that is to be old.
    pub fn reads(&self, path: &str, asked: Asked) -> Option<Answer> {
        let mut state = self.state();
        let old = state.memory.reads(path, asked);
        state.met += usize::from(old.is_some());
        old
    }

    /// A write to the resource comes: what it makes old, and whether that has to be read before.
    pub fn concerned(&self, path: &str) -> (Vec<(String, Asked)>, bool) {
        let state = self.state();
        let is_to_be_old = matches!(&state.disturbance, Some(Disturbance::OldReads(Side::Azure)));
        (state.memory.concerned(path), is_to_be_old)
    }

    pub fn was_before(&self, path: String, answer: Answer) {
        self.state().memory.was_before(path, answer);
    }

    /// A write took effect.
    pub fn wrote(&self, concerned: Vec<String>) {
        self.state().memory.wrote(concerned);
    }

    /// Whether a look at the resource came after a write, and could have been old.
    pub fn could_read_old(&self) -> bool {
        self.state().memory.read_after_write()
    }

    /// Whether the disturbance was met.
    pub fn was_disturbed(&self) -> bool {
        self.state().met > 0
    }

    /// Tells that the caller is held, and holds it until it is killed.
    pub async fn hold(&self) -> ! {
        self.caught.notify_one();
        std::future::pending().await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that is under way. It also ends with the connection that it came by.
pub struct Passing<'a>(&'a Border);

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.under_way -= 1;
        state.last = Instant::now();
    }
}
