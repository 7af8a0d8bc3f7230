//! Who wrote to what lately. What was seen of a resource before somebody else wrote to it is no longer true.

use std::collections::VecDeque;

use super::Turn;
use crate::arm::ArmId;

/// How many ends are remembered. Who looks back further is told that anything may have happened.
const REMEMBERED: usize = 1024;

/// A moment in the life of the gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment(usize);

/// The ends of writes, the newest last.
#[derive(Default)]
pub(super) struct Ends {
    count: usize,
    last: VecDeque<(ArmId, String)>,
}

impl Ends {
    pub(super) fn now(&self) -> Moment {
        Moment(self.count)
    }

    pub(super) fn push(&mut self, turn: Turn) {
        self.count += 1;
        self.last.push_back((turn.target, turn.holder));
        if self.last.len() > REMEMBERED {
            self.last.pop_front();
        }
    }

    /// Whether another holder may have written to the turn's target since then.
    pub(super) fn by_another_since(&self, turn: &Turn, then: Moment) -> bool {
        let since = self.count - then.0;
        let concerns = |(target, holder): &(ArmId, String)| *target == turn.target && *holder != turn.holder;
        since > self.last.len() || self.last.iter().rev().take(since).any(concerns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(holder: &str, name: &str) -> Turn {
        let id = ArmId::workspace("00000001-0000-4000-8000-000000000001", "rg", name).unwrap();
        Turn::new(holder.to_owned(), &id, "family", false)
    }

    #[test]
    fn only_others_writes_to_the_same_resource_count() {
        let mut ends = Ends::default();
        let then = ends.now();
        ends.push(turn("a", "own"));
        ends.push(turn("b", "another"));
        assert!(!ends.by_another_since(&turn("a", "own"), then));
        ends.push(turn("b", "OWN"));
        assert!(ends.by_another_since(&turn("a", "own"), then));
        assert!(!ends.by_another_since(&turn("a", "own"), ends.now()));
    }

    #[test]
    fn what_is_no_longer_remembered_may_have_been_anything() {
        let mut ends = Ends::default();
        let then = ends.now();
        (0..REMEMBERED).for_each(|_| ends.push(turn("b", "another")));
        assert!(!ends.by_another_since(&turn("a", "own"), then));
        ends.push(turn("b", "another"));
        assert!(ends.by_another_since(&turn("a", "own"), then));
    }
}
