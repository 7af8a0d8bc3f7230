//! Who may write to which workspace. At most one write at a time for each workspace and what is below it: ARM refuses a second
//! one with 409 while an operation runs (ARM reference, section 3), so the operator does not send it. And for a hub and its
//! projects together, as many operations as ARM turns out to take. Who has to wait is called when it is its turn.

mod ends;
mod slots;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::ArmId;
use ends::Ends;
pub use ends::Moment;
use slots::Slots;

/// Calls the holder back, for whom its workspace is kept from then on.
pub type Call = Arc<dyn Fn() + Send + Sync>;

/// What somebody is about to write to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    holder: String,
    target: ArmId,
    workspace: ArmId,
    family: Arc<str>,
    /// Connections and the like occupy their workspace, but nothing of the family's room for operations.
    takes_room: bool,
    leads: bool,
}

impl Turn {
    /// That of `holder` to write to `target`. What may conflict with it beyond its own workspace has the same `family`: a hub
    /// and its projects. The hub `leads`: nobody else of the family writes a workspace while an operation runs on it.
    #[must_use]
    pub fn new(holder: String, target: &ArmId, family: &str, leads: bool) -> Self {
        let workspace = target.top_level();
        let (takes_room, target) = (*target == workspace, target.clone());
        Self { holder, target, workspace, family: family.into(), takes_room, leads }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Kept for somebody who has been called.
    Kept,
    /// A call to ARM is being made.
    Writing,
    /// An operation runs, beyond the call.
    Operation,
}

#[derive(Debug)]
struct Hold {
    turn: Turn,
    stage: Stage,
}

/// Somebody who waits.
struct Ticket {
    turn: Turn,
    /// Waits on the spot, and is told here rather than called.
    present: Option<Arc<Notify>>,
    call: Call,
}

/// A hub and its projects: how many of their workspaces are held, and how.
#[derive(Debug, Default)]
struct Family {
    slots: Slots,
    held: usize,
    in_operation: usize,
    /// An operation runs on the hub itself.
    led: bool,
    /// Whose write was refused last.
    refused: Option<String>,
}

#[derive(Default)]
struct State {
    /// By workspace.
    holds: HashMap<ArmId, Hold>,
    families: HashMap<Arc<str>, Family>,
    waiting: VecDeque<Ticket>,
    ends: Ends,
}

/// Hands out the right to write to a workspace or its children.
#[derive(Default)]
pub struct WriteGate {
    state: Mutex<State>,
}

/// It is not one's turn yet; one will be called.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken;

impl WriteGate {
    /// Takes the workspace of the turn's target, which its holder may have already. Waits while short writes go on, but not
    /// for an operation.
    ///
    /// # Errors
    /// [`Taken`] where operations are in the way, or the wait grew longer than `patience`: the place in the line is kept, and
    /// `call` is made when it is the holder's turn.
    pub async fn enter(&self, turn: &Turn, patience: Duration, call: Call) -> Result<(), Taken> {
        let told = self.line_up(turn, &call);
        let _present = Present { gate: self, turn, call };
        let waiting = async {
            loop {
                let taken = self.locked().take(turn);
                match taken {
                    Some(taken) => return taken,
                    None => told.notified().await,
                }
            }
        };
        tokio::time::timeout(patience, waiting).await.unwrap_or(Err(Taken))
    }

    /// Now.
    pub fn now(&self) -> Moment {
        self.locked().ends.now()
    }

    /// Whether somebody else has ended a write to the turn's target since then, so that it has to be looked at again.
    pub fn was_written_since(&self, turn: &Turn, then: Moment) -> bool {
        self.locked().ends.by_another_since(turn, then)
    }

    /// Keeps the workspace until [`Self::leave`]: an operation runs.
    pub fn hold_for_operation(&self, turn: &Turn) {
        let mut state = self.locked();
        let before = state.put(turn.clone(), Stage::Operation);
        if before == Some(Stage::Writing) && turn.takes_room {
            let family = state.family(turn);
            family.slots.accepted(family.held);
            family.refused.take_if(|holder| *holder == turn.holder);
        }
        Self::go_on(state);
    }

    /// ARM refused the write with 409. True where that was because of others of ours, so that the holder keeps a place in the
    /// line and is called; otherwise it has to come again by itself.
    pub fn refused(&self, turn: &Turn, call: Call) -> bool {
        let mut state = self.locked();
        state.take_out(&turn.holder);
        let family = state.family(turn);
        let others = family.held;
        let waits = turn.takes_room && others > 0;
        let again = family.refused.replace(turn.holder.clone()).as_ref() == Some(&turn.holder);
        let ticket = Ticket { turn: turn.clone(), present: None, call };
        if waits && again {
            // It is its own workspace that is busy: that says nothing of the others, and they go first.
            state.waiting.push_back(ticket);
        } else if waits {
            family.slots.refused(others);
            state.waiting.push_front(ticket);
        }
        Self::go_on(state);
        waits
    }

    /// Gives back whatever `holder` holds or waits for.
    pub fn leave(&self, holder: &str) {
        let mut state = self.locked();
        state.waiting.retain(|ticket| ticket.turn.holder != holder);
        if state.take_out(holder) {
            Self::go_on(state);
        }
    }

    fn line_up(&self, turn: &Turn, call: &Call) -> Arc<Notify> {
        let told = Arc::<Notify>::default();
        let mut state = self.locked();
        if let Some(ticket) = state.waiting.iter_mut().find(|ticket| ticket.turn == *turn) {
            ticket.present = Some(told.clone());
        } else if state.holds.get(&turn.workspace).is_none_or(|hold| hold.turn.holder != turn.holder) {
            state.waiting.retain(|ticket| ticket.turn.holder != turn.holder);
            state.waiting.push_back(Ticket { turn: turn.clone(), present: Some(told.clone()), call: call.clone() });
            Self::go_on(state);
        }
        told
    }

    /// Lets those in whose turn it is, and tells them.
    fn go_on(mut state: MutexGuard<'_, State>) {
        let calls = state.let_in();
        drop(state);
        for call in calls {
            call();
        }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves maps that are as good as before.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody waits on the spot. Once it does not any more, it has to be called.
struct Present<'a> {
    gate: &'a WriteGate,
    turn: &'a Turn,
    call: Call,
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.locked();
        if let Some(ticket) = state.waiting.iter_mut().find(|ticket| ticket.turn == *self.turn) {
            ticket.present = None;
        }
        let kept = state.holds.get(&self.turn.workspace);
        let let_in_too_late = kept.is_some_and(|hold| hold.turn == *self.turn && hold.stage == Stage::Kept);
        drop(state);
        if let_in_too_late {
            (self.call)();
        }
    }
}

impl State {
    fn family(&mut self, turn: &Turn) -> &mut Family {
        self.families.entry(turn.family.clone()).or_default()
    }

    /// Has a workspace held so, and gives how it was before.
    fn put(&mut self, turn: Turn, stage: Stage) -> Option<Stage> {
        let before = self.holds.remove(&turn.workspace);
        if let Some(before) = &before {
            self.count(before, false);
        }
        let hold = Hold { turn, stage };
        self.count(&hold, true);
        self.holds.insert(hold.turn.workspace.clone(), hold);
        before.map(|before| before.stage)
    }

    /// Whether the holder had anything.
    fn take_out(&mut self, holder: &str) -> bool {
        let given_back: Vec<Hold> =
            self.holds.extract_if(|_, hold| hold.turn.holder == holder).map(|(_, hold)| hold).collect();
        let had_any = !given_back.is_empty();
        for hold in given_back {
            self.count(&hold, false);
            if hold.stage != Stage::Kept {
                self.ends.push(hold.turn);
            }
        }
        had_any
    }

    fn count(&mut self, hold: &Hold, comes: bool) {
        if !hold.turn.takes_room {
            return;
        }
        let family = self.family(&hold.turn);
        let step = |count: usize| if comes { count + 1 } else { count.saturating_sub(1) };
        family.held = step(family.held);
        if hold.stage == Stage::Operation {
            family.in_operation = step(family.in_operation);
            family.led = if hold.turn.leads { comes } else { family.led };
        }
    }

    /// `None` where it is worth waiting on the spot.
    fn take(&mut self, turn: &Turn) -> Option<Result<(), Taken>> {
        if let Some(hold) = self.holds.get_mut(&turn.workspace).filter(|hold| hold.turn.holder == turn.holder) {
            if hold.stage == Stage::Kept {
                hold.stage = Stage::Writing;
            }
            hold.turn.target.clone_from(&turn.target);
            return Some(Ok(()));
        }
        self.is_hopeless(turn).then_some(Err(Taken))
    }

    /// Whether only the end of an operation can make room.
    fn is_hopeless(&self, turn: &Turn) -> bool {
        match self.holds.get(&turn.workspace) {
            Some(hold) => hold.stage == Stage::Operation,
            // As long as a write is not answered, there may turn out to be more room.
            None => {
                self.families.get(&turn.family).is_some_and(|family| family.led || family.held == family.in_operation)
            }
        }
    }

    fn is_free_for(&self, turn: &Turn) -> bool {
        let family = self.families.get(&turn.family);
        let has_room = family.is_none_or(|family| !family.led && family.held < family.slots.allowed());
        (has_room || !turn.takes_room) && !self.holds.contains_key(&turn.workspace)
    }

    /// Keeps what is free for those who wait for it, first come first served, tells who waits on the spot, and gives those who
    /// have to be called.
    fn let_in(&mut self) -> Vec<Call> {
        let mut calls = Vec::new();
        for ticket in std::mem::take(&mut self.waiting) {
            if self.is_free_for(&ticket.turn) {
                self.put(ticket.turn, Stage::Kept);
                match ticket.present {
                    Some(told) => told.notify_one(),
                    None => calls.push(ticket.call),
                }
                continue;
            }
            if let Some(told) = ticket.present.as_ref().filter(|_| self.is_hopeless(&ticket.turn)) {
                told.notify_one();
            }
            self.waiting.push_back(ticket);
        }
        calls
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const NOT_LONG: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(10);

    fn workspace(name: &str) -> ArmId {
        ArmId::workspace("00000001-0000-4000-8000-000000000001", "rg", name).unwrap()
    }

    fn turn(holder: &str, target: &ArmId) -> Turn {
        Turn::new(holder.to_owned(), target, "family", false)
    }

    fn project(name: &str) -> Turn {
        turn(name, &workspace(name))
    }

    fn hub() -> Turn {
        Turn::new("hub".to_owned(), &workspace("hub"), "family", true)
    }

    fn nobody() -> Call {
        Arc::new(|| panic!("called"))
    }

    /// Counts how often it is called.
    fn counter() -> (Call, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        (Arc::new(move || _ = counted.fetch_add(1, Ordering::Relaxed)), count)
    }

    /// One operation after another, until somebody is refused.
    async fn run(gate: &WriteGate, names: &[&str]) {
        for name in names {
            gate.enter(&project(name), NOT_LONG, nobody()).await.unwrap();
            gate.hold_for_operation(&project(name));
        }
    }

    #[tokio::test]
    async fn a_child_waits_for_the_workspace_and_goes_on_when_it_is_free() {
        let gate = WriteGate::default();
        gate.enter(&hub(), NOT_LONG, nobody()).await.unwrap();
        let child = turn("connection", &workspace("hub").child("connections", "c").unwrap());
        let entering = gate.enter(&child, LONG, nobody());
        let (entered, ()) = tokio::join!(entering, async { gate.leave("hub") });
        assert_eq!(entered, Ok(()));
    }

    #[tokio::test]
    async fn who_waits_for_an_operation_is_called_once_and_finds_the_workspace_kept() {
        let gate = WriteGate::default();
        gate.hold_for_operation(&hub());
        let connection = turn("connection", &workspace("hub").child("connections", "c").unwrap());
        let (call, calls) = counter();
        assert_eq!(gate.enter(&connection, LONG, call.clone()).await, Err(Taken));
        assert_eq!(gate.enter(&connection, LONG, call.clone()).await, Err(Taken));
        gate.leave("hub");
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        assert_eq!(gate.enter(&hub(), NOT_LONG, counter().0).await, Err(Taken));
        assert_eq!(gate.enter(&connection, NOT_LONG, call).await, Ok(()));
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn patience_ends_and_the_place_in_the_line_is_kept() {
        let gate = WriteGate::default();
        gate.enter(&project("a"), NOT_LONG, nobody()).await.unwrap();
        let (call, calls) = counter();
        let other = turn("b", &workspace("a"));
        assert_eq!(gate.enter(&other, NOT_LONG, call).await, Err(Taken));
        gate.leave("a");
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn while_azure_takes_them_there_is_always_room_for_one_more() {
        let gate = WriteGate::default();
        run(&gate, &["a", "b", "c", "d", "e", "f", "g", "h"]).await;
    }

    #[tokio::test]
    async fn once_azure_refused_one_the_others_of_the_family_take_turns_in_their_order() {
        let gate = WriteGate::default();
        run(&gate, &["a"]).await;
        gate.enter(&project("b"), NOT_LONG, nobody()).await.unwrap();
        let (b, b_called) = counter();
        assert!(gate.refused(&project("b"), b));
        let (c, c_called) = counter();
        assert_eq!(gate.enter(&project("c"), LONG, c).await, Err(Taken));
        gate.leave("a");
        let called = || (b_called.load(Ordering::Relaxed), c_called.load(Ordering::Relaxed));
        assert_eq!(called(), (1, 0));
        gate.enter(&project("b"), NOT_LONG, nobody()).await.unwrap();
        gate.hold_for_operation(&project("b"));
        assert_eq!(called(), (1, 0));
        gate.leave("b");
        assert_eq!(called(), (1, 1));
        let stranger = Turn::new("x".to_owned(), &workspace("x"), "other", false);
        assert_eq!(gate.enter(&stranger, NOT_LONG, nobody()).await, Ok(()));
    }

    #[tokio::test]
    async fn a_refusal_that_is_nobodys_of_ours_costs_no_room_and_promises_nothing() {
        let gate = WriteGate::default();
        gate.enter(&project("a"), NOT_LONG, nobody()).await.unwrap();
        assert!(!gate.refused(&project("a"), nobody()));
        run(&gate, &["a", "b", "c"]).await;
    }

    #[tokio::test]
    async fn projects_wait_for_their_hub() {
        let gate = WriteGate::default();
        gate.hold_for_operation(&hub());
        let (call, calls) = counter();
        assert_eq!(gate.enter(&project("a"), LONG, call).await, Err(Taken));
        gate.leave("hub");
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn who_leaves_is_not_called() {
        let gate = WriteGate::default();
        gate.hold_for_operation(&hub());
        assert_eq!(gate.enter(&project("a"), LONG, nobody()).await, Err(Taken));
        gate.leave("a");
        gate.leave("hub");
        assert_eq!(gate.enter(&project("b"), NOT_LONG, nobody()).await, Ok(()));
    }
}
