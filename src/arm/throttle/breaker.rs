//! Holding back while ARM as a whole does not answer, so that a thousand objects do not find out one by one. Pure: time
//! and chance are passed in.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Failures in a row, across all callers, that make ARM count as failing.
const FAILURES: u32 = 5;
/// On so many resources at least: one that always fails says nothing of the others.
const RESOURCES: usize = 3;
/// The first pause between two probes, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// Whether a call may be sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Passage {
    /// As usual.
    Free,
    /// To find out whether ARM answers again.
    Probe,
    /// Not now.
    Held(Outage),
}

/// What is known of ARM's not answering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// When the first of the failures was.
    pub since: Timestamp,
    /// What the last failure was.
    pub failure: String,
    /// How long until ARM is asked again.
    pub retry_after: Duration,
}

#[derive(Debug)]
struct Open {
    pause: Duration,
    next: Instant,
    probing: bool,
}

/// Counts failures, and once there are enough of them lets one call through at a time.
#[derive(Debug, Default)]
pub struct Breaker {
    failures: u32,
    paths: Vec<String>,
    since: Option<Timestamp>,
    last: String,
    open: Option<Open>,
}

impl Breaker {
    /// What a call would meet now.
    #[must_use]
    pub fn look(&self, now: Instant) -> Passage {
        match &self.open {
            None => Passage::Free,
            Some(open) if now >= open.next && !open.probing => Passage::Probe,
            Some(open) => {
                let until = open.next.saturating_duration_since(now);
                let retry_after = if open.probing { open.pause } else { until };
                let since = self.since.unwrap_or_default();
                Passage::Held(Outage { since, failure: self.last.clone(), retry_after })
            }
        }
    }

    /// Lets a call through or not; a probe has to end with one of the methods below.
    pub fn enter(&mut self, now: Instant) -> Passage {
        let passage = self.look(now);
        if let (Passage::Probe, Some(open)) = (&passage, &mut self.open) {
            open.probing = true;
        }
        passage
    }

    /// ARM answered, and not with a fault of its own. True where it had been failing.
    pub fn succeeded(&mut self) -> bool {
        std::mem::take(self).open.is_some()
    }

    /// ARM did not answer, or with a fault of its own (5xx). True where it counts as failing from now on. `chance` is in 0..1.
    pub fn failed(&mut self, path: &str, failure: &str, at: Timestamp, now: Instant, chance: f64) -> bool {
        self.failures = self.failures.saturating_add(1);
        if self.paths.len() < RESOURCES && !self.paths.iter().any(|known| known == path) {
            self.paths.push(path.to_owned());
        }
        self.since.get_or_insert(at);
        failure.clone_into(&mut self.last);
        let jitter = |pause: Duration| pause.mul_f64(1.0 + chance.clamp(0.0, 1.0) / 4.0);
        match &mut self.open {
            Some(open) if open.probing => {
                open.pause = (open.pause * 2).min(PAUSES.1);
                open.next = now + jitter(open.pause);
                open.probing = false;
                false
            }
            None if self.failures >= FAILURES && self.paths.len() >= RESOURCES => {
                self.open = Some(Open { pause: PAUSES.0, next: now + jitter(PAUSES.0), probing: false });
                true
            }
            // Not enough yet; or one that was under way when the others failed.
            _ => false,
        }
    }

    /// The probe told nothing: it was never sent, or nobody waited for its answer.
    pub fn probe_lost(&mut self) {
        if let Some(open) = &mut self.open {
            open.probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &mut Breaker, path: &str, now: Instant) -> bool {
        breaker.failed(path, "HTTP 503", Timestamp::UNIX_EPOCH, now, 0.0)
    }

    fn open_at(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        let opened: Vec<bool> =
            ["/a", "/b", "/c", "/a", "/b"].iter().map(|path| fail(&mut breaker, path, now)).collect();
        assert_eq!(opened, [false, false, false, false, true]);
        breaker
    }

    #[test]
    fn while_arm_fails_one_at_a_time_finds_out_with_growing_pauses() {
        let mut now = Instant::now();
        let mut breaker = open_at(now);
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            let Passage::Held(outage) = breaker.enter(now) else { panic!("not held") };
            assert_eq!(outage.retry_after, Duration::from_secs(pause));
            assert_eq!((outage.since, outage.failure.as_str()), (Timestamp::UNIX_EPOCH, "HTTP 503"));
            now += Duration::from_secs(pause);
            assert_eq!(breaker.enter(now), Passage::Probe);
            assert!(matches!(breaker.enter(now), Passage::Held(_)), "a second probe");
            fail(&mut breaker, "/a", now);
        }
    }

    #[test]
    fn the_first_answer_lets_everybody_through() {
        let now = Instant::now();
        let mut breaker = open_at(now);
        assert!(breaker.succeeded());
        assert_eq!(breaker.enter(now), Passage::Free);
        assert!(!fail(&mut breaker, "/a", now), "the count begins anew");
    }

    #[test]
    fn a_single_resource_that_fails_holds_nobody_up() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        (0..50).for_each(|_| assert!(!fail(&mut breaker, "/a", now)));
        assert_eq!(breaker.enter(now), Passage::Free);
    }

    #[test]
    fn answers_between_the_failures_keep_it_closed() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for path in ["/a", "/b", "/c", "/d", "/e", "/f", "/g"] {
            assert!(!fail(&mut breaker, path, now));
            assert!(!breaker.succeeded());
        }
    }

    #[test]
    fn a_probe_that_tells_nothing_is_followed_by_another() {
        let now = Instant::now();
        let mut breaker = open_at(now);
        let later = now + Duration::from_secs(1);
        assert_eq!(breaker.enter(later), Passage::Probe);
        breaker.probe_lost();
        assert_eq!(breaker.enter(later), Passage::Probe);
    }
}
