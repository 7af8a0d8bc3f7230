//! Token buckets: one per subscription, caller and kind of request, and a larger one that all callers of a subscription
//! share (ARM reference, section 7).

use std::collections::HashMap;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use jiff::Timestamp;

use crate::clock::Clock;
use crate::config::{Bucket, Limits};
use crate::errors::ArmError;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Reads,
    Writes,
    Deletes,
}

impl Kind {
    pub(crate) const fn of(method: &Method) -> Self {
        match *method {
            Method::GET | Method::HEAD => Self::Reads,
            Method::DELETE => Self::Deletes,
            _ => Self::Writes,
        }
    }

    const fn headers(self) -> (&'static str, &'static str) {
        match self {
            Self::Reads => {
                ("x-ms-ratelimit-remaining-subscription-reads", "x-ms-ratelimit-remaining-subscription-global-reads")
            }
            Self::Writes => {
                ("x-ms-ratelimit-remaining-subscription-writes", "x-ms-ratelimit-remaining-subscription-global-writes")
            }
            Self::Deletes => (
                "x-ms-ratelimit-remaining-subscription-deletes",
                "x-ms-ratelimit-remaining-subscription-global-deletes",
            ),
        }
    }
}

/// How full a bucket was when it was last used.
#[derive(Clone, Copy, Debug)]
struct Level {
    tokens: f64,
    at: Timestamp,
}

impl Level {
    fn refilled(self, bucket: Bucket, now: Timestamp) -> Self {
        let seconds = now.duration_since(self.at).as_secs_f64().max(0.0);
        let tokens = (self.tokens + seconds * bucket.refill_per_second).min(f64::from(bucket.capacity));
        Self { tokens, at: now }
    }
}

/// The headers that tell what is left.
pub(crate) type Remaining = [(&'static str, String); 2];

#[derive(Debug, Default)]
pub(crate) struct Throttle {
    levels: HashMap<(String, Option<String>, Kind), Level>,
}

impl Throttle {
    /// Takes one request out of the caller's bucket and the common one, or refuses it.
    pub(crate) fn take(
        &mut self,
        limits: &Limits,
        (subscription, caller, kind): (&str, &str, Kind),
        now: Timestamp,
        clock: Clock,
    ) -> Result<Remaining, ArmError> {
        let own = match kind {
            Kind::Reads => limits.reads,
            Kind::Writes => limits.writes,
            Kind::Deletes => limits.deletes,
        };
        let common = Bucket {
            capacity: own.capacity.saturating_mul(limits.global_factor),
            refill_per_second: own.refill_per_second * f64::from(limits.global_factor),
        };
        let subscription = subscription.to_lowercase();
        let keys = [((subscription.clone(), Some(caller.to_owned()), kind), own), ((subscription, None, kind), common)];
        let mut levels = [0.0; 2];
        for (place, (key, bucket)) in keys.iter().enumerate() {
            let full = Level { tokens: f64::from(bucket.capacity), at: now };
            let level = self.levels.entry(key.clone()).or_insert(full);
            *level = level.refilled(*bucket, now);
            if level.tokens < 1.0 {
                return Err(refusal(*bucket, level.tokens, clock));
            }
            levels[place] = level.tokens - 1.0;
        }
        for ((key, _), tokens) in keys.into_iter().zip(levels) {
            self.levels.insert(key, Level { tokens, at: now });
        }
        let (own, common) = kind.headers();
        Ok([(own, format!("{:.0}", levels[0].floor())), (common, format!("{:.0}", levels[1].floor()))])
    }
}

fn refusal(bucket: Bucket, tokens: f64, clock: Clock) -> ArmError {
    let wait = Duration::try_from_secs_f64((1.0 - tokens) / bucket.refill_per_second).unwrap_or(Duration::MAX);
    // Whole seconds of the caller's clock, as the header has them, and never none.
    let seconds = clock.real_seconds(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1).to_string();
    ArmError::gateway(
        StatusCode::TOO_MANY_REQUESTS,
        "SubscriptionRequestsThrottled",
        format!(
            "Number of requests for the subscription exceeded the limit. Please try again after '{seconds}' seconds."
        ),
    )
    .with_header("retry-after", seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn clock() -> Clock {
        Clock::new(1, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn the_first_read_leaves_the_recorded_numbers() {
        let mut throttle = Throttle::default();
        let remaining = throttle
            .take(&Limits::default(), ("s", "caller", Kind::Reads), Timestamp::UNIX_EPOCH, clock())
            .expect("room");
        assert_eq!(remaining[0].1, "249");
        assert_eq!(remaining[1].1, "3749");
    }

    #[test]
    fn an_empty_bucket_refuses_until_it_is_refilled() {
        let limits = Limits { writes: Bucket { capacity: 2, refill_per_second: 0.5 }, ..Limits::default() };
        let mut throttle = Throttle::default();
        let start = Timestamp::UNIX_EPOCH;
        let mut take = |at| throttle.take(&limits, ("s", "caller", Kind::Writes), at, clock()).is_ok();
        assert!(take(start) && take(start));
        assert!(!take(start));
        assert!(take(start + SignedDuration::from_secs(2)));
    }

    #[test]
    fn another_caller_has_a_bucket_of_its_own() {
        let limits = Limits { deletes: Bucket { capacity: 1, refill_per_second: 0.1 }, ..Limits::default() };
        let mut throttle = Throttle::default();
        let mut take =
            |caller| throttle.take(&limits, ("s", caller, Kind::Deletes), Timestamp::UNIX_EPOCH, clock()).is_ok();
        assert!(take("one"));
        assert!(!take("one"));
        assert!(take("two"));
    }
}
