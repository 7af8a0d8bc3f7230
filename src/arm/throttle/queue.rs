//! Whose turn it is: by priority, and within one in rotation between shares. Nobody waits for ever.

use std::collections::VecDeque;
use std::sync::Arc;

/// How urgent a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Somebody waits for it: a deletion, a changed spec.
    Interactive,
    /// How a running operation goes.
    Following,
    /// Whether an object at rest is still as it should be.
    Periodic,
}

/// On whose behalf a call is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Those with the same share take turns as one with those of others: all that belongs to one hub.
    pub share: Arc<str>,
    /// How urgent it is.
    pub priority: Priority,
}

/// Who is served first in each turn; where nobody of that priority waits, the most urgent is. The less urgent ones so have
/// an eighth each, whatever else is asked for.
const TURNS: [Priority; 8] = [
    Priority::Interactive,
    Priority::Interactive,
    Priority::Following,
    Priority::Interactive,
    Priority::Interactive,
    Priority::Interactive,
    Priority::Periodic,
    Priority::Interactive,
];

/// Those who wait.
#[derive(Debug)]
pub struct Queue<T> {
    lines: [Line<T>; 3],
    turn: usize,
}

#[derive(Debug)]
struct Line<T> {
    shares: VecDeque<(Arc<str>, VecDeque<T>)>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { lines: std::array::from_fn(|_| Line { shares: VecDeque::new() }), turn: 0 }
    }
}

impl<T> Queue<T> {
    /// Puts one at the end of its share's line.
    pub fn push(&mut self, caller: &Caller, waiting: T) {
        let shares = &mut self.lines[caller.priority as usize].shares;
        match shares.iter_mut().find(|(share, _)| *share == caller.share) {
            Some((_, line)) => line.push_back(waiting),
            None => shares.push_back((caller.share.clone(), VecDeque::from([waiting]))),
        }
    }

    /// Takes out the one whose turn it is.
    pub fn pop(&mut self) -> Option<T> {
        let preferred = TURNS[self.turn % TURNS.len()] as usize;
        let served = self.lines[preferred].pop().or_else(|| self.lines.iter_mut().find_map(Line::pop))?;
        self.turn = (self.turn + 1) % TURNS.len();
        Some(served)
    }

    /// How many wait, by priority.
    #[must_use]
    pub fn waiting(&self) -> [usize; 3] {
        std::array::from_fn(|priority| self.lines[priority].shares.iter().map(|(_, line)| line.len()).sum())
    }

    /// How many calls are made before one that comes now.
    #[must_use]
    pub fn ahead_of(&self, caller: &Caller) -> usize {
        let waiting = self.waiting();
        let urgent: usize = waiting[..caller.priority as usize].iter().sum();
        let line = &self.lines[caller.priority as usize].shares;
        let own = line.iter().find(|(share, _)| *share == caller.share).map_or(0, |(_, line)| line.len());
        // Each other share has its turn once for each of one's own.
        let others: usize =
            line.iter().filter(|(share, _)| *share != caller.share).map(|(_, line)| line.len().min(own + 1)).sum();
        let same = own + others;
        // However many are more urgent, each priority has at least one turn of all.
        urgent.min((TURNS.len() - 1) * (same + 1)) + same
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.iter().all(|line| line.shares.is_empty())
    }
}

impl<T> Line<T> {
    fn pop(&mut self) -> Option<T> {
        let (share, mut line) = self.shares.pop_front()?;
        let served = line.pop_front();
        if !line.is_empty() {
            self.shares.push_back((share, line));
        }
        served
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(share: &str, priority: Priority) -> Caller {
        Caller { share: share.into(), priority }
    }

    fn served<T>(queue: &mut Queue<T>, count: usize) -> Vec<T> {
        std::iter::from_fn(|| queue.pop()).take(count).collect()
    }

    #[test]
    fn a_share_with_one_is_not_kept_up_by_one_with_hundreds() {
        let mut queue = Queue::default();
        (0..300).for_each(|_| queue.push(&caller("large", Priority::Interactive), "large"));
        queue.push(&caller("small", Priority::Interactive), "small");
        assert_eq!(served(&mut queue, 3), ["large", "small", "large"]);
    }

    #[test]
    fn within_a_share_the_first_comes_first() {
        let mut queue = Queue::default();
        (0..3).for_each(|n| queue.push(&caller("a", Priority::Periodic), n));
        assert_eq!(served(&mut queue, 3), [0, 1, 2]);
        assert!(queue.is_empty());
    }

    #[test]
    fn what_a_person_waits_for_goes_before_the_rest_and_the_rest_goes_on() {
        let mut queue = Queue::default();
        for priority in [Priority::Periodic, Priority::Following, Priority::Interactive] {
            (0..100).for_each(|_| queue.push(&caller("a", priority), priority));
        }
        let first = served(&mut queue, 80);
        let count = |wanted| first.iter().filter(|priority| **priority == wanted).count();
        assert_eq!(count(Priority::Interactive), 60);
        assert_eq!((count(Priority::Following), count(Priority::Periodic)), (10, 10));
    }

    #[test]
    fn a_turn_that_nobody_needs_goes_to_the_most_urgent() {
        let mut queue = Queue::default();
        (0..8).for_each(|_| queue.push(&caller("a", Priority::Periodic), "periodic"));
        queue.push(&caller("a", Priority::Following), "following");
        assert_eq!(served(&mut queue, 1), ["following"]);
        assert_eq!(served(&mut queue, 99).len(), 8);
    }

    #[test]
    fn who_comes_late_knows_how_many_are_before() {
        let mut queue = Queue::default();
        (0..10).for_each(|_| queue.push(&caller("large", Priority::Following), ()));
        queue.push(&caller("large", Priority::Interactive), ());
        assert_eq!(queue.ahead_of(&caller("small", Priority::Following)), 2);
        assert_eq!(queue.ahead_of(&caller("large", Priority::Following)), 11);
        assert_eq!(queue.ahead_of(&caller("small", Priority::Interactive)), 1);
    }
}
