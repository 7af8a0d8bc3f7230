//! What came of the cases.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::border::Disturbance;
use crate::life::{Step, Subject};

pub struct Outcome {
    subject: Subject,
    step: Step,
    /// `None` for a life that was not to be disturbed.
    disturbance: Option<Disturbance>,
    /// Why it did not pass.
    failed: Option<String>,
}

impl Outcome {
    /// Tells at once of what failed.
    pub fn new(subject: Subject, step: Step, disturbance: Option<Disturbance>, failed: Option<String>) -> Self {
        if let Some(why) = &failed {
            println!("FAILED  {}\n        {why}\n", name(subject, step, disturbance.as_ref()));
        }
        Self { subject, step, disturbance, failed }
    }
}

/// What a case is called.
pub fn name(subject: Subject, step: Step, disturbance: Option<&Disturbance>) -> String {
    let disturbance = disturbance.map_or_else(|| "undisturbed".to_owned(), ToString::to_string);
    format!("{subject}, {step}, {disturbance}")
}

#[derive(Default)]
struct Count {
    boundaries: usize,
    old_lists: usize,
    old_reads: usize,
    old_events: usize,
}

impl Count {
    fn add(&mut self, disturbance: Option<&Disturbance>) {
        match disturbance {
            None => {}
            Some(Disturbance::Crash(_)) => self.boundaries += 1,
            Some(Disturbance::OldList(_)) => self.old_lists += 1,
            Some(Disturbance::OldReads(_)) => self.old_reads += 1,
            Some(Disturbance::OldEvents) => self.old_events += 1,
        }
    }
}

/// Prints how many cases of each kind ran and the names of those that failed; true where none did.
pub fn print(outcomes: &[Outcome], took: Duration) -> bool {
    let mut counts: BTreeMap<(String, String), Count> = BTreeMap::new();
    for outcome in outcomes {
        let kind = outcome.subject.to_string();
        for of in [(kind.clone(), outcome.step.to_string()), (kind, "all".to_owned())] {
            counts.entry(of).or_default().add(outcome.disturbance.as_ref());
        }
    }
    for ((kind, step), Count { boundaries, old_lists, old_reads, old_events }) in counts {
        println!(
            "{boundaries:5} boundaries, {old_lists:3} old lists, {old_reads:2} old reads, {old_events} old events  {kind}, {step}"
        );
    }
    let failed: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.failed.is_some()).collect();
    for outcome in &failed {
        println!("FAILED  {}", name(outcome.subject, outcome.step, outcome.disturbance.as_ref()));
    }
    let boundaries = outcomes.iter().filter(|it| matches!(it.disturbance, Some(Disturbance::Crash(_)))).count();
    let (all, failed) = (outcomes.len(), failed.len());
    println!("crashes: {boundaries} boundaries, {all} cases ran in {} s, {failed} failed", took.as_secs());
    failed == 0
}
