//! The clock of the emulated Azure, which may run faster than the real one.

use jiff::{SignedDuration, Timestamp};

/// Time as the emulator tells it: it begins at the real time and runs a whole number of times faster.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// A moment in both times, since which the factor has been the same.
    real: Timestamp,
    emulated: Timestamp,
    factor: u32,
}

impl Clock {
    pub(crate) fn new(factor: u32, real: Timestamp) -> Self {
        Self { real, emulated: real, factor: factor.max(1) }
    }

    /// The emulated time at a real time.
    pub(crate) fn at(&self, real: Timestamp) -> Timestamp {
        let passed = real.duration_since(self.real).max(SignedDuration::ZERO);
        let scaled = i32::try_from(self.factor).ok().and_then(|factor| passed.checked_mul(factor));
        self.emulated.saturating_add(scaled.unwrap_or(SignedDuration::MAX)).unwrap_or(Timestamp::MAX)
    }

    /// Runs at another speed from now on, without a jump.
    pub(crate) fn set_factor(&mut self, factor: u32, real: Timestamp) {
        *self = Self { real, emulated: self.at(real), factor: factor.max(1) };
    }

    /// How many seconds of the caller's clock so many emulated seconds are, rounded up.
    pub(crate) fn real_seconds(&self, emulated: u64) -> u64 {
        emulated.div_ceil(u64::from(self.factor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn it_runs_faster_and_never_jumps() {
        let mut clock = Clock::new(60, after(0));
        assert_eq!(clock.at(after(2)), after(120));
        clock.set_factor(1, after(2));
        assert_eq!(clock.at(after(2)), after(120));
        assert_eq!(clock.at(after(3)), after(121));
    }

    #[test]
    fn callers_are_told_seconds_of_their_own() {
        let clock = Clock::new(60, after(0));
        assert_eq!(clock.real_seconds(3600), 60);
        assert_eq!(clock.real_seconds(1), 1);
    }

    #[test]
    fn standing_still_is_taken_for_the_real_speed() {
        assert_eq!(Clock::new(0, after(0)).at(after(5)), after(5));
    }
}
