//! How many operations a hub and its projects may have at once: nobody documents it, so it is found out. Pure.

/// Where it begins: two, so that a service that takes only one refuses once.
const FIRST: usize = 2;
/// After a refusal, so many writes go well before one more is tried at once; twice as many after each further refusal.
const CALM: (u32, u32) = (16, 256);

/// Room for operations at the same time: grows with each write that is accepted while all of it is used, and shrinks to what
/// there was when one is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slots {
    allowed: usize,
    refused: bool,
    calm: u32,
    needed: u32,
}

impl Default for Slots {
    fn default() -> Self {
        Self { allowed: FIRST, refused: false, calm: 0, needed: CALM.0 }
    }
}

impl Slots {
    pub(super) const fn allowed(&self) -> usize {
        self.allowed
    }

    /// A write was accepted; with it, so many operations are at work.
    pub(super) fn accepted(&mut self, running: usize) {
        if running < self.allowed {
            return;
        }
        if self.refused {
            self.calm += 1;
            if self.calm < self.needed {
                return;
            }
            self.refused = false;
            self.needed = (self.needed * 2).min(CALM.1);
        }
        self.allowed += 1;
    }

    /// A write was refused because of `others` at work.
    pub(super) fn refused(&mut self, others: usize) {
        self.allowed = others.max(1);
        self.refused = true;
        self.calm = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets so many writes through a service that takes `limit` at once; gives how many it refused, and at how many it ends.
    fn run(limit: usize, writes: usize) -> (usize, usize) {
        let (mut slots, mut running, mut refused, mut left) = (Slots::default(), 0_usize, 0, writes);
        while left > 0 {
            while running < slots.allowed() && left > 0 {
                if running < limit {
                    running += 1;
                    left -= 1;
                    slots.accepted(running);
                } else {
                    slots.refused(running);
                    refused += 1;
                }
            }
            running -= 1;
        }
        (refused, slots.allowed())
    }

    #[test]
    fn a_service_that_takes_one_at_a_time_rarely_has_to_say_so() {
        let (refused, allowed) = run(1, 300);
        assert!(refused <= 5, "{refused} of 300");
        assert_eq!(allowed, 1);
    }

    #[test]
    fn a_service_that_takes_all_is_given_all_at_once() {
        let (refused, allowed) = run(usize::MAX, 100);
        assert_eq!(refused, 0);
        assert!(allowed > 100);
    }

    #[test]
    fn a_service_that_takes_a_few_is_given_a_few() {
        let (refused, allowed) = run(5, 300);
        assert!(refused <= 6, "{refused} of 300");
        assert!((5..=6).contains(&allowed), "{allowed}");
    }
}
