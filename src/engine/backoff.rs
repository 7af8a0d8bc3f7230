//! What is remembered of an object between its reconciles, and forgotten on a restart.

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

/// By what each object was last asked for, by the uid of the object.
#[derive(Debug, Default)]
pub struct Asked {
    tokens: Mutex<HashMap<String, String>>,
}

impl Asked {
    /// Whether a person has asked for the object since it was last looked at.
    pub fn anew(&self, uid: &str, token: &str) -> bool {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.insert(uid.to_owned(), token.to_owned()).is_some_and(|before| before != token)
    }

    /// Forgets an object.
    pub fn forget(&self, uid: &str) {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_changed_annotation_asks_anew() {
        let asked = Asked::default();
        assert!(!asked.anew("uid", "1"), "a restart is nobody's question");
        assert!(!asked.anew("uid", "1"));
        assert!(asked.anew("uid", "2"));
        asked.forget("uid");
        assert!(!asked.anew("uid", "3"));
    }
}
