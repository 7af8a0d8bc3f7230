//! How often in a row an object failed; forgotten on the first success and on a restart.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Failures in a row, by the uid of the object.
#[derive(Debug, Default)]
pub struct Failures {
    counts: Mutex<HashMap<String, u32>>,
}

impl Failures {
    /// Counts one more failure and gives how many there were before.
    pub fn count(&self, uid: &str) -> u32 {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(uid.to_owned()).or_default();
        let before = *count;
        *count = count.saturating_add(1);
        before
    }

    /// Forgets the failures of an object.
    pub fn forget(&self, uid: &str) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}
