//! What a replica concludes from the lease as it finds it, and what it writes there. Nothing here reads a clock.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::ResourceExt as _;

/// Longest lease, in seconds: a replica that died with a longer one would be waited for too long.
pub(super) const LONGEST: u16 = 3600;

/// Whether the lease can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Free,
    Held { by: String },
}

/// A replica that waits for the lease.
///
/// It never compares its clock with a time that another wrote: the lease is over when it has stood unchanged for as long as
/// it lasts, by this replica's own clock.
#[derive(Debug)]
pub(super) struct Candidate {
    me: String,
    seen: Option<Seen>,
}

/// The lease of somebody else, as it was last found changed.
#[derive(Debug)]
struct Seen {
    /// `None` for one that is there no more.
    version: Option<String>,
    by: String,
    at: Instant,
    lasts: Duration,
}

impl Candidate {
    pub(super) fn new(me: String) -> Self {
        Self { me, seen: None }
    }

    /// Judges the lease; `now` is after it was read. Whoever then takes it has to do so by the resourceVersion that was
    /// judged.
    pub(super) fn judge(&mut self, lease: Option<&Lease>, now: Instant) -> Verdict {
        let found = match (lease.map(|lease| (lease, holder(lease))), self.seen.take()) {
            (Some((lease, Some(by))), seen) if by != self.me => {
                let version = lease.resource_version();
                seen.filter(|seen| seen.version == version).unwrap_or_else(|| Seen {
                    version,
                    by: by.to_owned(),
                    at: now,
                    lasts: duration(lease),
                })
            }
            // Somebody deleted it. Who had it may not know that yet.
            (None, Some(Seen { version: Some(_), by, lasts, .. })) => Seen { version: None, by, at: now, lasts },
            (None, Some(seen)) => seen,
            (Some(_), _) | (None, None) => return Verdict::Free,
        };
        let over = now.saturating_duration_since(found.at) >= found.lasts;
        let by = found.by.clone();
        self.seen = Some(found);
        if over { Verdict::Free } else { Verdict::Held { by } }
    }
}

/// Who has the lease; `None` where it was given back.
pub(super) fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

/// How long the lease lasts by its holder's own word.
fn duration(lease: &Lease) -> Duration {
    let seconds = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
    let seconds = seconds.and_then(|seconds| u16::try_from(seconds).ok()).unwrap_or(LONGEST);
    Duration::from_secs(seconds.min(LONGEST).into())
}

/// The lease as `me` takes it.
pub(super) fn taken(lease: Option<Lease>, name: &str, me: &str, seconds: u16, now: Timestamp) -> Lease {
    let mut lease = lease.unwrap_or_default();
    let again = holder(&lease) == Some(me);
    lease.metadata.name = Some(name.to_owned());
    let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
    if !again {
        spec.holder_identity = Some(me.to_owned());
        spec.acquire_time = Some(MicroTime(now));
        spec.lease_transitions = Some(spec.lease_transitions.unwrap_or_default().saturating_add(1));
    }
    spec.lease_duration_seconds = Some(seconds.into());
    spec.renew_time = Some(MicroTime(now));
    lease
}

/// The lease as its holder prolongs it.
pub(super) fn renewed(mut lease: Lease, now: Timestamp) -> Lease {
    lease.spec.get_or_insert_with(LeaseSpec::default).renew_time = Some(MicroTime(now));
    lease
}

/// The lease as its holder gives it back.
pub(super) fn released(mut lease: Lease, now: Timestamp) -> Lease {
    let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
    spec.holder_identity = None;
    spec.renew_time = Some(MicroTime(now));
    lease
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS: u16 = 15;

    fn wall(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// A lease that another has taken, by a clock that is years behind.
    fn foreign(version: &str) -> Lease {
        versioned(taken(None, "lease", "other", SECONDS, wall(1)), version)
    }

    fn versioned(mut lease: Lease, version: &str) -> Lease {
        lease.metadata.resource_version = Some(version.to_owned());
        lease
    }

    fn held() -> Verdict {
        Verdict::Held { by: "other".to_owned() }
    }

    struct Waiting {
        candidate: Candidate,
        start: Instant,
    }

    impl Waiting {
        fn new() -> Self {
            Self { candidate: Candidate::new("me".to_owned()), start: Instant::now() }
        }

        fn at(&mut self, second: u64, lease: Option<&Lease>) -> Verdict {
            self.candidate.judge(lease, self.start + Duration::from_secs(second))
        }
    }

    #[test]
    fn a_lease_that_nobody_has_or_had_is_free() {
        assert_eq!(Waiting::new().at(0, None), Verdict::Free);
        assert_eq!(Waiting::new().at(0, Some(&Lease::default())), Verdict::Free);
    }

    #[test]
    fn a_lease_that_was_given_back_is_free_at_once() {
        let mut waiting = Waiting::new();
        assert_eq!(waiting.at(0, Some(&foreign("1"))), held());
        assert_eq!(waiting.at(1, Some(&versioned(released(foreign("1"), wall(2)), "2"))), Verdict::Free);
    }

    #[test]
    fn a_lease_that_is_renewed_is_held_however_wrong_its_holders_clock_is() {
        let mut waiting = Waiting::new();
        for second in 0..100 {
            assert_eq!(waiting.at(second, Some(&foreign(&second.to_string()))), held());
        }
    }

    #[test]
    fn a_lease_is_over_when_it_has_stood_unchanged_for_as_long_as_it_lasts() {
        let mut waiting = Waiting::new();
        assert_eq!(waiting.at(0, Some(&foreign("1"))), held());
        assert_eq!(waiting.at(10, Some(&foreign("2"))), held());
        assert_eq!(waiting.at(24, Some(&foreign("2"))), held());
        assert_eq!(waiting.at(25, Some(&foreign("2"))), Verdict::Free);
    }

    #[test]
    fn the_holder_says_how_long_its_lease_lasts_within_limits() {
        let mut long = foreign("1");
        for (seconds, over) in [(Some(60), 60), (Some(i32::MAX), 3600), (Some(-1), 3600), (None, 3600)] {
            long.spec.as_mut().unwrap().lease_duration_seconds = seconds;
            let mut waiting = Waiting::new();
            assert_eq!(waiting.at(0, Some(&long)), held());
            assert_eq!(waiting.at(over - 1, Some(&long)), held(), "{seconds:?}");
            assert_eq!(waiting.at(over, Some(&long)), Verdict::Free, "{seconds:?}");
        }
    }

    #[test]
    fn a_lease_that_somebody_deleted_is_still_its_holders_for_as_long_as_it_lasts() {
        let mut waiting = Waiting::new();
        assert_eq!(waiting.at(0, Some(&foreign("1"))), held());
        assert_eq!(waiting.at(10, None), held());
        assert_eq!(waiting.at(24, None), held());
        assert_eq!(waiting.at(25, None), Verdict::Free);
    }

    #[test]
    fn a_lease_that_was_won_without_hearing_of_it_is_free() {
        let mine = versioned(taken(None, "lease", "me", SECONDS, wall(1)), "1");
        assert_eq!(Waiting::new().at(0, Some(&mine)), Verdict::Free);
    }

    #[test]
    fn whoever_takes_the_lease_is_counted_once_and_guards_what_it_saw() {
        let first = taken(Some(foreign("7")), "lease", "me", 30, wall(100));
        assert_eq!((holder(&first), first.resource_version().as_deref()), (Some("me"), Some("7")));
        let spec = first.spec.clone().unwrap();
        assert_eq!((spec.lease_transitions, spec.lease_duration_seconds), (Some(2), Some(30)));
        assert_eq!((spec.acquire_time, spec.renew_time), (Some(MicroTime(wall(100))), Some(MicroTime(wall(100)))));
        let again = taken(Some(first), "lease", "me", 30, wall(101)).spec.unwrap();
        assert_eq!(again.lease_transitions, Some(2));
        assert_eq!((again.acquire_time, again.renew_time), (Some(MicroTime(wall(100))), Some(MicroTime(wall(101)))));
    }

    #[test]
    fn a_renewal_changes_the_time_alone() {
        let mut expected = foreign("7");
        expected.spec.as_mut().unwrap().renew_time = Some(MicroTime(wall(200)));
        assert_eq!(renewed(foreign("7"), wall(200)), expected);
    }
}
