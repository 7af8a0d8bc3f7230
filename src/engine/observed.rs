//! When each object's resource in Azure was last seen, so that somebody notices where that is long ago.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

/// When each object was last observed, by its uid. Forgotten on a restart.
#[derive(Debug, Default)]
pub struct Observed {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    since: Option<Timestamp>,
    last: HashMap<String, Timestamp>,
}

impl Observed {
    /// From now on objects are observed: nobody did so here before.
    pub fn begin(&self, now: Timestamp) {
        self.locked().since = Some(now);
    }

    /// An object's resource was seen, or seen not to be there.
    pub fn saw(&self, uid: &str, at: Timestamp) {
        self.locked().last.insert(uid.to_owned(), at);
    }

    /// Forgets an object.
    pub fn forget(&self, uid: &str) {
        self.locked().last.remove(uid);
    }

    /// When the one of these objects was last observed that has waited the longest. Who was never seen waits since this
    /// replica began. `None` where there are none, or where another replica observes.
    pub fn longest_ago<'a>(&self, uids: impl Iterator<Item = &'a str>) -> Option<Timestamp> {
        let state = self.locked();
        let since = state.since?;
        uids.map(|uid| state.last.get(uid).copied().unwrap_or(since)).min()
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_one_that_waits_longest_counts_and_who_was_never_seen_waits_from_the_beginning() {
        let observed = Observed::default();
        assert_eq!(observed.longest_ago(["a"].into_iter()), None, "another replica observes");
        observed.begin(at(100));
        observed.saw("a", at(130));
        observed.saw("b", at(120));
        assert_eq!(observed.longest_ago(["a", "b"].into_iter()), Some(at(120)));
        assert_eq!(observed.longest_ago(["a", "never"].into_iter()), Some(at(100)));
        observed.forget("a");
        assert_eq!(observed.longest_ago(["a"].into_iter()), Some(at(100)));
        assert_eq!(observed.longest_ago(std::iter::empty()), None);
    }
}
