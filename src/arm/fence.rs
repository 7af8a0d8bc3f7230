//! The right to write, which ends by itself unless it is prolonged: of several replicas, one has it at a time.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// A point in time by two clocks. One never goes back, but may stand still while the machine sleeps; the other is set right
/// after that, but may be set back. Both go on while the process is stopped.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// By the clock that never goes back.
    pub running: Instant,
    /// By the clock on the wall.
    pub wall: Timestamp,
}

impl Moment {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self { running: Instant::now(), wall: Timestamp::now() }
    }

    /// How much later it is than another, by the clock that says more.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let wall = Duration::try_from(self.wall.duration_since(earlier.wall)).unwrap_or_default();
        self.running.saturating_duration_since(earlier.running).max(wall)
    }
}

/// A right from a moment on, for so long.
#[derive(Clone, Copy, Debug)]
pub struct Term {
    /// When it began at the latest: before it was asked for.
    pub from: Moment,
    /// How long it lasts from then on.
    pub lasts: Duration,
}

#[derive(Debug)]
enum Right {
    Unlimited,
    NotYet,
    For(Term),
    Over,
}

impl Right {
    /// Whether it holds. One that has run out is over, whatever the clocks say later.
    fn holds(&mut self, now: Moment) -> bool {
        if let Self::For(term) = self
            && now.since(term.from) >= term.lasts
        {
            *self = Self::Over;
        }
        matches!(self, Self::Unlimited | Self::For(_))
    }

    /// Gives or prolongs it; false where that comes too late.
    fn give(&mut self, term: Term, now: Moment) -> bool {
        let given = now.since(term.from) < term.lasts && (matches!(self, Self::NotYet) || self.holds(now));
        if given {
            *self = Self::For(term);
        }
        given
    }
}

/// Somebody wanted to write who may not, or no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this replica does not lead, and writes nothing")]
pub struct NotLeading;

/// The right of this process to write. Copies share it.
#[derive(Clone, Debug)]
pub struct Fence(Arc<Mutex<Right>>);

impl Fence {
    /// A right that nobody else can have.
    #[must_use]
    pub fn unlimited() -> Self {
        Self(Arc::new(Mutex::new(Right::Unlimited)))
    }

    /// A right that has to be won first.
    #[must_use]
    pub fn closed() -> Self {
        Self(Arc::new(Mutex::new(Right::NotYet)))
    }

    /// Whether there may be writes now.
    #[must_use]
    pub fn may_write(&self) -> bool {
        self.with(|right| right.holds(Moment::now()))
    }

    /// Gives the right, or prolongs it. False where it has run out meanwhile: then it stays so.
    #[must_use]
    pub fn give(&self, term: Term) -> bool {
        self.with(|right| right.give(term, Moment::now()))
    }

    /// Ends the right for good.
    pub fn end(&self) {
        self.with(|right| *right = Right::Over);
    }

    /// Makes a write as long as it may be made. That is asked anew each time it goes on, because a process that was stopped
    /// goes on wherever it stood: with a connection just opened, or a pause before another attempt just over.
    ///
    /// # Errors
    /// [`NotLeading`] where the write was not made, or was given up before its answer.
    pub async fn guard<F: Future>(&self, write: F) -> Result<F::Output, NotLeading> {
        let mut write = pin!(write);
        std::future::poll_fn(|context| {
            if self.may_write() { write.as_mut().poll(context).map(Ok) } else { Poll::Ready(Err(NotLeading)) }
        })
        .await
    }

    fn with<T>(&self, act: impl FnOnce(&mut Right) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LASTS: Duration = Duration::from_secs(10);

    /// A moment so many seconds after another, by either clock.
    fn after(start: Moment, running: u64, wall: i64) -> Moment {
        Moment {
            running: start.running + Duration::from_secs(running),
            wall: start.wall + jiff::SignedDuration::from_secs(wall),
        }
    }

    fn given(from: Moment) -> Right {
        let mut right = Right::NotYet;
        assert!(right.give(Term { from, lasts: LASTS }, from));
        right
    }

    #[test]
    fn a_right_holds_from_when_it_is_given_until_it_runs_out() {
        let start = Moment::now();
        assert!(!Right::NotYet.holds(start));
        assert!(given(start).holds(after(start, 9, 9)));
        assert!(!given(start).holds(after(start, 10, 10)));
        assert!(Right::Unlimited.holds(after(start, 1_000_000, 1_000_000)));
    }

    #[test]
    fn a_right_runs_out_when_either_clock_says_so() {
        let start = Moment::now();
        assert!(!given(start).holds(after(start, 0, 10)), "the machine slept");
        assert!(!given(start).holds(after(start, 10, -60)), "the clock on the wall was set back");
    }

    #[test]
    fn a_right_that_ran_out_stays_so() {
        let start = Moment::now();
        let mut right = given(start);
        assert!(!right.holds(after(start, 0, 11)));
        assert!(!right.holds(start), "the clock on the wall was set back");
        assert!(!right.give(Term { from: start, lasts: LASTS }, start));
    }

    #[test]
    fn a_right_is_prolonged_from_when_that_was_asked_for() {
        let start = Moment::now();
        let mut right = given(start);
        let asked = after(start, 5, 5);
        assert!(right.give(Term { from: asked, lasts: LASTS }, after(start, 9, 9)));
        assert!(right.holds(after(start, 14, 14)));
        assert!(!right.holds(after(start, 15, 15)));
    }

    #[test]
    fn an_answer_that_comes_too_late_prolongs_nothing() {
        let start = Moment::now();
        assert!(!given(start).give(Term { from: after(start, 9, 9), lasts: LASTS }, after(start, 10, 10)));
        let mut right = Right::NotYet;
        assert!(!right.give(Term { from: start, lasts: LASTS }, after(start, 10, 10)));
        let asked = after(start, 11, 11);
        assert!(right.give(Term { from: asked, lasts: LASTS }, asked), "it was not lost, but never had");
    }

    #[tokio::test]
    async fn a_write_under_way_goes_no_further_once_the_right_has_ended() {
        let fence = Fence::unlimited();
        let (mut begun, mut ended) = (false, false);
        let write = async {
            begun = true;
            fence.end();
            tokio::task::yield_now().await;
            ended = true;
        };
        assert_eq!(fence.guard(write).await, Err(NotLeading));
        assert!(begun && !ended);
        assert_eq!(fence.guard(async {}).await, Err(NotLeading));
    }
}
