//! What came of the cases.

use std::collections::BTreeMap;
use std::time::Duration;

pub struct Outcome {
    /// What it counts for.
    group: String,
    name: String,
    /// Why it did not pass.
    failed: Option<String>,
}

impl Outcome {
    /// Tells at once of what failed.
    pub fn new(group: String, name: String, failed: Option<String>) -> Self {
        if failed.is_some() {
            println!("FAILED  {name}");
        }
        Self { group, name, failed }
    }

    pub fn has_failed(&self) -> bool {
        self.failed.is_some()
    }
}

/// Prints how many cases ran and every one that failed; true where none did.
pub fn print(outcomes: &[Outcome], took: Duration) -> bool {
    let mut groups: BTreeMap<&str, usize> = BTreeMap::new();
    for outcome in outcomes {
        *groups.entry(&outcome.group).or_default() += 1;
    }
    for (group, count) in groups {
        println!("{count:6}  {group}");
    }
    let failed: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.failed.is_some()).collect();
    for outcome in &failed {
        println!("\nFAILED  {}\n        {}", outcome.name, outcome.failed.as_deref().unwrap_or_default());
    }
    let (all, failed) = (outcomes.len(), failed.len());
    println!("\nfault matrix: {all} cases ran in {} s, {failed} failed", took.as_secs());
    failed == 0
}
