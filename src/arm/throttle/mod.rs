//! The gate before every call to ARM: slows down before ARM says 429, shares fairly what it lets through, and holds back
//! while it does not answer at all. Decisions are in the pure modules below; here is the waiting.

pub mod breaker;
pub mod bucket;
pub mod gauges;
pub mod lane;
pub mod queue;
mod refusal;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::header::HeaderMap;
use tokio::sync::{Notify, oneshot};

use super::ArmError;
use breaker::{Breaker, Passage};
use bucket::{Bucket, Remaining, Ticket};
pub use lane::{CallKind, Lane};
use queue::Queue;
pub use queue::{Caller, Priority};

/// Longest wait for a turn that is taken on: a reconcile has to end in time, and comes back later.
const PATIENCE: Duration = Duration::from_secs(45);

/// The gate of one ARM endpoint and one identity.
#[derive(Debug, Default)]
pub struct Throttle {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    lanes: BTreeMap<Lane, Traffic>,
    breaker: Breaker,
}

/// What goes on in one lane.
#[derive(Debug)]
struct Traffic {
    bucket: Bucket,
    queue: Queue<oneshot::Sender<Permit>>,
    /// Somebody lets those through who wait.
    conducted: bool,
    changed: Arc<Notify>,
}

/// The right to make one call. It has to be told what became of it.
#[derive(Debug)]
pub struct Permit {
    throttle: Arc<Throttle>,
    lane: Lane,
    ticket: Option<Ticket>,
    probe: bool,
}

/// What became of a call.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// It was answered.
    Answered {
        /// HTTP status.
        status: u16,
        /// The headers of the answer.
        headers: &'a HeaderMap,
        /// How long ARM asks to wait.
        retry_after: Option<Duration>,
    },
    /// There was no answer.
    Unanswered(&'a ArmError),
    /// It never got as far as ARM: there was no token for it.
    NotSent,
}

/// How things stand, for metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Each lane in which calls were made.
    pub lanes: Vec<LaneSnapshot>,
    /// Calls are held back because ARM does not answer.
    pub holding_back: bool,
}

/// How things stand in one lane.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneSnapshot {
    /// Which.
    pub lane: Lane,
    /// Calls that ARM would take at once, as far as is known.
    pub tokens: f64,
    /// Calls a second that ARM would take for long, as far as is known.
    pub rate: f64,
    /// Calls that wait for their turn, by priority: interactive, following, periodic.
    pub waiting: [usize; 3],
}

impl Throttle {
    /// Waits for the right to make a call.
    ///
    /// # Errors
    /// [`ArmError`] that says so of itself ([`ArmError::was_held_back`]) where ARM does not answer anybody, or where more
    /// calls wait than can be made in good time. It comes at once.
    pub async fn admit(self: &Arc<Self>, caller: &Caller, lane: &Lane) -> Result<Permit, ArmError> {
        let waiting = {
            let mut state = self.locked();
            let now = Instant::now();
            if let Passage::Held(outage) = state.breaker.look(now) {
                return Err(ArmError::not_answering(&outage));
            }
            let traffic = state.lanes.entry(lane.clone()).or_insert_with(|| Traffic::new(lane.kind, now));
            if traffic.queue.is_empty() && traffic.bucket.wait_for(1, now) == Some(Duration::ZERO) {
                let ticket = Some(traffic.bucket.take(now));
                let permit = Permit { throttle: self.clone(), lane: lane.clone(), ticket, probe: false };
                drop(state);
                return permit.past_the_breaker();
            }
            let expected = traffic.bucket.wait_for(traffic.queue.ahead_of(caller) + 1, now).unwrap_or_default();
            if expected > PATIENCE {
                return Err(ArmError::too_many_waiting(lane, expected));
            }
            let (permit, granted) = oneshot::channel();
            traffic.queue.push(caller, permit);
            if !std::mem::replace(&mut traffic.conducted, true) {
                tokio::spawn(self.clone().conduct(lane.clone(), traffic.changed.clone()));
            }
            granted
        };
        let since = Instant::now();
        let permit = waiting.await.map_err(|_| ArmError::unavailable("the operator stops"))?;
        let waited = since.elapsed().as_millis();
        tracing::debug!(waited, kind = lane.kind.word(), share = %caller.share, priority = ?caller.priority, "ARM call had to wait for its turn");
        permit.past_the_breaker()
    }

    /// How things stand.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let (state, now) = (self.locked(), Instant::now());
        let lane = |(lane, traffic): (&Lane, &Traffic)| LaneSnapshot {
            lane: lane.clone(),
            tokens: traffic.bucket.tokens_at(now).max(0.0),
            rate: traffic.bucket.rate(),
            waiting: traffic.queue.waiting(),
        };
        let holding_back = state.breaker.look(now) != Passage::Free;
        Snapshot { lanes: state.lanes.iter().map(lane).collect(), holding_back }
    }

    /// Lets those through who wait in a lane, until nobody does.
    async fn conduct(self: Arc<Self>, lane: Lane, changed: Arc<Notify>) {
        while let Some(pause) = self.let_through(&lane) {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = changed.notified() => {}
            }
        }
    }

    /// How long until the next can go; `None` where nobody waits.
    fn let_through(self: &Arc<Self>, lane: &Lane) -> Option<Duration> {
        let mut state = self.locked();
        let traffic = state.lanes.get_mut(lane)?;
        let now = Instant::now();
        loop {
            if traffic.queue.is_empty() {
                traffic.conducted = false;
                return None;
            }
            match traffic.bucket.wait_for(1, now) {
                Some(Duration::ZERO) => {}
                // An answer will tell.
                None => return Some(PATIENCE),
                Some(pause) => return Some(pause.max(Duration::from_millis(1))),
            }
            let Some(waiting) = traffic.queue.pop().filter(|waiting| !waiting.is_closed()) else { continue };
            let ticket = Some(traffic.bucket.take(now));
            let permit = Permit { throttle: self.clone(), lane: lane.clone(), ticket, probe: false };
            if let Err(mut unwanted) = waiting.send(permit)
                && let Some(ticket) = unwanted.ticket.take()
            {
                traffic.bucket.give_back(&ticket, now);
            }
        }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves counts that the next answers put right.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Traffic {
    fn new(kind: CallKind, now: Instant) -> Self {
        Self { bucket: Bucket::new(kind, now), queue: Queue::default(), conducted: false, changed: Arc::default() }
    }
}

impl Permit {
    /// Tells what became of the call to `path`.
    pub fn settle(mut self, path: &str, outcome: &Outcome<'_>) {
        let Some(ticket) = self.ticket.take() else { return };
        let probe = std::mem::take(&mut self.probe);
        let mut state = self.throttle.locked();
        let State { lanes, breaker } = &mut *state;
        let Some(traffic) = lanes.get_mut(&self.lane) else { return };
        let now = Instant::now();
        match outcome {
            Outcome::Answered { status: 429, headers, retry_after } => {
                traffic.bucket.refused(&ticket, remaining(headers, self.lane.kind), *retry_after, now);
            }
            Outcome::Answered { status, headers, .. } => match remaining(headers, self.lane.kind) {
                // What answers before the bucket is asked, such as the check of the token, says nothing of it.
                None if *status >= 300 => traffic.bucket.unanswered(&ticket),
                remaining => traffic.bucket.answered(&ticket, remaining, now),
            },
            Outcome::Unanswered(_) => traffic.bucket.unanswered(&ticket),
            Outcome::NotSent => traffic.bucket.give_back(&ticket, now),
        }
        traffic.changed.notify_one();
        let failure = match outcome {
            Outcome::NotSent if probe => return breaker.probe_lost(),
            Outcome::NotSent => return,
            // What says how much is left came through ARM: who failed is a resource provider.
            Outcome::Answered { status, headers, .. }
                if *status < 500 || remaining(headers, self.lane.kind).is_some() =>
            {
                None
            }
            Outcome::Answered { status, .. } => Some(format!("HTTP {status}")),
            Outcome::Unanswered(error) => Some(error.message.clone()),
        };
        let Some(failure) = failure else {
            if breaker.succeeded() {
                tracing::info!("ARM answers again");
            }
            return;
        };
        if breaker.failed(path, &failure, Timestamp::now(), now, fastrand::f64()) {
            tracing::warn!(failure, "ARM does not answer; calls are held back but for one at a time");
        }
    }

    /// What waits in line must not rush on at an ARM that has failed meanwhile.
    fn past_the_breaker(mut self) -> Result<Self, ArmError> {
        let passage = self.throttle.locked().breaker.enter(Instant::now());
        match passage {
            Passage::Free => {}
            Passage::Probe => self.probe = true,
            Passage::Held(outage) => {
                self.settle("", &Outcome::NotSent);
                return Err(ArmError::not_answering(&outage));
            }
        }
        Ok(self)
    }
}

impl Drop for Permit {
    /// Whoever made the call has given up on it.
    fn drop(&mut self) {
        let Some(ticket) = self.ticket.take() else { return };
        let mut state = self.throttle.locked();
        if self.probe {
            state.breaker.probe_lost();
        }
        if let Some(traffic) = state.lanes.get_mut(&self.lane) {
            traffic.bucket.unanswered(&ticket);
            traffic.changed.notify_one();
        }
    }
}

/// FACT: each answer says what is left (ARM reference, section 7).
fn remaining(headers: &HeaderMap, kind: CallKind) -> Option<Remaining> {
    let number = |scope: &str| {
        let name = format!("x-ms-ratelimit-remaining-subscription-{scope}{}", kind.word());
        headers.get(name)?.to_str().ok()?.trim().parse::<u32>().ok().map(f64::from)
    };
    Some(Remaining { own: number("")?, shared: number("global-") })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: CallKind = CallKind::Read;

    fn lane() -> Lane {
        Lane { subscription: "s".to_owned(), kind: KIND }
    }

    fn caller(priority: Priority) -> Caller {
        Caller { share: "hub".into(), priority }
    }

    fn left(count: u32) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-ms-ratelimit-remaining-subscription-reads", count.into());
        headers
    }

    fn answered(headers: &HeaderMap) -> Outcome<'_> {
        Outcome::Answered { status: 200, headers, retry_after: None }
    }

    /// A throttle at which ARM has said that so many reads are left.
    async fn knowing(count: u32) -> Arc<Throttle> {
        let throttle = Arc::<Throttle>::default();
        let permit = throttle.admit(&caller(Priority::Interactive), &lane()).await.unwrap();
        permit.settle("/a", &answered(&left(count)));
        throttle
    }

    #[tokio::test]
    async fn who_has_to_wait_is_let_through_when_the_bucket_has_refilled() {
        let throttle = knowing(0).await;
        let permit = throttle.admit(&caller(Priority::Periodic), &lane()).await.unwrap();
        permit.settle("/a", &answered(&left(0)));
        assert_eq!(throttle.snapshot().lanes[0].waiting, [0, 0, 0]);
    }

    #[tokio::test]
    async fn until_arm_has_said_what_is_left_only_a_few_calls_go() {
        let throttle = Arc::<Throttle>::default();
        let mut scouts = Vec::new();
        for _ in 0..4 {
            scouts.push(throttle.admit(&caller(Priority::Interactive), &lane()).await.unwrap());
        }
        let (caller, lane) = (caller(Priority::Interactive), lane());
        let mut fifth = std::pin::pin!(throttle.admit(&caller, &lane));
        let early = tokio::time::timeout(Duration::from_millis(20), &mut fifth).await;
        assert!(early.is_err(), "sent into the unknown");
        scouts.remove(0).settle("/a", &answered(&left(200)));
        fifth.await.unwrap().settle("/a", &answered(&left(199)));
    }

    #[tokio::test]
    async fn a_wait_that_would_be_too_long_is_refused_at_once() {
        let throttle = knowing(10).await;
        let permit = throttle.admit(&caller(Priority::Interactive), &lane()).await.unwrap();
        let asked = Some(Duration::from_mins(5));
        permit.settle("/a", &Outcome::Answered { status: 429, headers: &left(0), retry_after: asked });
        let error = throttle.admit(&caller(Priority::Interactive), &lane()).await.unwrap_err();
        assert!(error.was_held_back());
        assert!(error.retry_after > Some(Duration::from_mins(4)), "{error:?}");
    }

    #[tokio::test]
    async fn who_gives_up_waiting_takes_nobodys_turn() {
        let throttle = knowing(0).await;
        let (caller, lane) = (caller(Priority::Interactive), lane());
        let impatient = throttle.admit(&caller, &lane);
        assert!(tokio::time::timeout(Duration::from_millis(1), impatient).await.is_err());
        let permit = throttle.admit(&caller, &lane).await.unwrap();
        permit.settle("/a", &answered(&left(0)));
    }

    #[tokio::test]
    async fn while_arm_does_not_answer_nobody_waits_for_it() {
        let throttle = knowing(200).await;
        for path in ["/a", "/b", "/c", "/d", "/e"] {
            let permit = throttle.admit(&caller(Priority::Interactive), &lane()).await.unwrap();
            permit.settle(path, &Outcome::Unanswered(&ArmError::unavailable("connection refused")));
        }
        assert!(throttle.snapshot().holding_back);
        let error = throttle.admit(&caller(Priority::Interactive), &lane()).await.unwrap_err();
        assert!(error.was_held_back() && error.to_string().contains("connection refused"), "{error}");
        assert!(error.retry_after <= Some(Duration::from_secs(2)));
    }

    #[tokio::test]
    async fn a_sign_in_that_fails_is_no_failure_of_arms() {
        let throttle = knowing(200).await;
        for path in ["/a", "/b", "/c", "/d", "/e", "/f"] {
            let permit = throttle.admit(&caller(Priority::Interactive), &lane()).await.unwrap();
            permit.settle(path, &Outcome::NotSent);
        }
        assert!(!throttle.snapshot().holding_back);
        assert!(throttle.snapshot().lanes[0].tokens > 199.0);
    }
}
