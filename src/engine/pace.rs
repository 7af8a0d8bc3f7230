//! When to ask how an operation goes: about when the last ones like it ended. Reads are what ARM gives least of.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::api::status::OperationKind;

/// Longest pause between two polls of an operation.
const LONGEST: Duration = Duration::from_secs(30);
/// An operation is asked for so much earlier than the last one was found ended: that was late, or just right.
const EARLIER: f64 = 0.97;
/// How much of the difference to the last operation is taken over.
const SMOOTHING: f64 = 0.25;

/// How long operations take at present, by what they do, and apart for those on hubs.
#[derive(Debug, Default)]
pub struct Pace {
    typical: Mutex<HashMap<(bool, OperationKind), Duration>>,
}

impl Pace {
    /// An operation was found ended at this age.
    pub fn ended(&self, on_hub: bool, kind: OperationKind, age: Duration) {
        // One that ended while nobody looked says nothing of how long it took.
        let seen = age.min(LONGEST * 2).mul_f64(EARLIER);
        let mut typical = self.typical.lock().unwrap_or_else(PoisonError::into_inner);
        let known = typical.entry((on_hub, kind)).or_insert(seen);
        *known = known.mul_f64(1.0 - SMOOTHING) + seen.mul_f64(SMOOTHING);
    }

    /// How long such an operation takes; as long as nothing is known, as long as one on the others does.
    #[must_use]
    pub fn typical(&self, on_hub: bool, kind: OperationKind) -> Option<Duration> {
        let typical = self.typical.lock().unwrap_or_else(PoisonError::into_inner);
        typical.get(&(on_hub, kind)).or_else(|| typical.get(&(!on_hub, kind))).copied()
    }
}

/// The pause before the next poll of an operation of this age. `chance` is in 0..1, so that many do not ask at once.
#[must_use]
pub fn pause(age: Duration, typical: Option<Duration>, shortest: Duration, chance: f64) -> Duration {
    let pause = match typical {
        Some(typical) if age < typical => typical.saturating_sub(age).mul_f64(1.0 + chance.clamp(0.0, 1.0) / 16.0),
        Some(typical) if age < typical * 2 => typical / 8,
        // Half the age: few polls of what takes long, quick news of what does not.
        _ => age / 2,
    };
    pause.clamp(shortest, LONGEST.max(shortest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORTEST: Duration = Duration::from_secs(2);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn of(age: u64, typical: Option<u64>) -> Duration {
        pause(seconds(age), typical.map(seconds), SHORTEST, 0.0)
    }

    #[test]
    fn what_is_not_known_is_asked_for_ever_less_often() {
        assert_eq!([of(0, None), of(10, None), of(600, None)], [seconds(2), seconds(5), seconds(30)]);
    }

    #[test]
    fn what_is_known_is_asked_for_when_it_should_have_ended_and_then_soon_again() {
        assert_eq!(of(0, Some(20)), seconds(20));
        assert_eq!(of(20, Some(20)), Duration::from_millis(2500));
        assert_eq!(of(40, Some(20)), seconds(20));
        assert_eq!(of(0, Some(1)), SHORTEST);
        assert_eq!(of(0, Some(1800)), LONGEST);
    }

    #[test]
    fn the_typical_length_follows_what_is_seen_in_both_directions() {
        let pace = Pace::default();
        assert_eq!(pace.typical(false, OperationKind::Create), None);
        for (age, expected) in [(40, 39), (20, 20), (60, 58)] {
            (0..30).for_each(|_| pace.ended(false, OperationKind::Create, seconds(age)));
            let typical = pace.typical(false, OperationKind::Create).unwrap();
            assert!(typical.abs_diff(seconds(expected)) <= seconds(1), "{typical:?}");
        }
        assert!(pace.typical(true, OperationKind::Create).is_some(), "better than nothing");
        assert_eq!(pace.typical(true, OperationKind::Delete), None);
    }

    #[test]
    fn what_ended_while_nobody_looked_does_not_spoil_it() {
        let pace = Pace::default();
        pace.ended(true, OperationKind::Delete, seconds(86_400));
        assert!(pace.typical(true, OperationKind::Delete).unwrap() <= LONGEST * 2);
    }
}
