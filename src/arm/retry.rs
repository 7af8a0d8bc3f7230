//! How long to wait before a call is made again, where ARM does not say.

use std::time::Duration;

use super::Class;

/// Waits that grow by half at least with every failure in a row, with jitter so that many do not come back at once.
/// `chance` is in 0..1.
#[must_use]
pub fn pause(class: Class, failures: u32, retry_after: Option<Duration>, chance: f64) -> Duration {
    let (first, longest) = match class {
        Class::Fast => (Duration::from_secs(1), Duration::from_mins(1)),
        Class::Slow | Class::Lasting => (Duration::from_secs(15), Duration::from_mins(10)),
    };
    let doubled = first.saturating_mul(2_u32.saturating_pow(failures.min(16)));
    let base = doubled.min(longest).max(retry_after.unwrap_or_default());
    base.mul_f64(1.0 + chance.clamp(0.0, 1.0) / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_bound() {
        assert_eq!(pause(Class::Fast, 0, None, 0.0), Duration::from_secs(1));
        assert_eq!(pause(Class::Fast, 3, None, 0.0), Duration::from_secs(8));
        assert_eq!(pause(Class::Fast, u32::MAX, None, 0.0), Duration::from_mins(1));
        assert_eq!(pause(Class::Slow, 1, None, 0.0), Duration::from_secs(30));
    }

    #[test]
    fn what_arm_asks_for_is_the_least() {
        assert_eq!(pause(Class::Fast, 0, Some(Duration::from_secs(17)), 0.0), Duration::from_secs(17));
        assert_eq!(pause(Class::Fast, 6, Some(Duration::from_secs(1)), 0.0), Duration::from_mins(1));
    }

    #[test]
    fn jitter_only_makes_it_longer() {
        assert_eq!(pause(Class::Fast, 2, None, 1.0), Duration::from_secs(5));
    }
}
