//! What the operator counts of its reconciles. No name of an object is a label: there may be thousands.

use std::time::Duration;

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use super::context::Error;
use super::verdict::State;
use crate::api::conditions::Reason;

/// Upper bounds of the durations' buckets, in seconds: a reconcile may wait for its turn at ARM, and ends within three minutes.
const SECONDS: [f64; 10] = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 45.0, 90.0, 180.0];

/// The reasons by which Azure is told to have been otherwise than the spec, though the spec was not changed.
const DRIFT: [Reason; 4] = [Reason::DriftCorrected, Reason::Drifted, Reason::Recreating, Reason::Replaced];

/// How a reconcile ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The object came to rest.
    Rested(State),
    /// The object is released: nothing of it is left in Azure, or what is left stays there.
    Released,
    /// The object changed, or was replaced by another, under the operator's hands.
    Outdated,
    /// The API server failed.
    Failed,
    /// It took too long.
    TimedOut,
}

impl Outcome {
    /// How a reconcile ended that did not come to rest.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        match error {
            Error::Superseded => Self::Outdated,
            Error::TimedOut => Self::TimedOut,
            _ if error.is_conflict() => Self::Outdated,
            Error::Kubernetes(_) | Error::Behind => Self::Failed,
        }
    }

    /// The outcome as a label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rested(State::Settled) => "settled",
            Self::Rested(State::Working) => "working",
            Self::Rested(State::Waiting) => "waiting",
            Self::Rested(State::Unresolved) => "unresolved",
            Self::Rested(State::Stalled) => "stalled",
            Self::Rested(State::Drifted) => "drifted",
            Self::Rested(State::Missing) => "missing",
            Self::Rested(State::Paused) => "paused",
            Self::Released => "released",
            Self::Outdated => "outdated",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
        }
    }
}

/// Counters of reconciles. Copies count together.
#[derive(Clone, Debug)]
pub struct EngineMetrics {
    reconciles: IntCounterVec,
    durations: HistogramVec,
    running: IntGaugeVec,
    queue: IntGaugeVec,
    drift: IntCounterVec,
}

impl EngineMetrics {
    /// Counters that `registry` shows.
    ///
    /// # Errors
    /// Where the registry has metrics of these names already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            reconciles: IntCounterVec::new(
                Opts::new("foundry_reconciles_total", "Reconciles by kind and how they ended."),
                &["kind", "outcome"],
            )?,
            durations: HistogramVec::new(
                HistogramOpts::new(
                    "foundry_reconcile_duration_seconds",
                    "How long reconciles took, their waiting for Azure's limits included.",
                )
                .buckets(SECONDS.to_vec()),
                &["kind"],
            )?,
            running: IntGaugeVec::new(Opts::new("foundry_reconciles_running", "Reconciles under way."), &["kind"])?,
            queue: IntGaugeVec::new(
                Opts::new(
                    "foundry_reconcile_queue",
                    "Objects that a change asks to reconcile and whose turn has not come.",
                ),
                &["kind"],
            )?,
            drift: IntCounterVec::new(
                Opts::new(
                    "foundry_drift_total",
                    "How often Azure was found otherwise than an unchanged spec, by kind and what became of it.",
                ),
                &["kind", "reason"],
            )?,
        };
        registry.register(Box::new(metrics.reconciles.clone()))?;
        registry.register(Box::new(metrics.durations.clone()))?;
        registry.register(Box::new(metrics.running.clone()))?;
        registry.register(Box::new(metrics.queue.clone()))?;
        registry.register(Box::new(metrics.drift.clone()))?;
        Ok(metrics)
    }

    /// The same, from their beginning: a rate sees the first drift only where there was a zero before it.
    pub fn begin(&self, kind: &str) {
        for reason in DRIFT {
            self.drift.with_label_values(&[kind, reason.as_str()]);
        }
        self.reconciling(kind, 0);
        self.waiting(kind, 0);
    }

    /// Counts a reconcile that has ended.
    pub fn reconciled(&self, kind: &str, outcome: Outcome, took: Duration) {
        self.reconciles.with_label_values(&[kind, outcome.as_str()]).inc();
        self.durations.with_label_values(&[kind]).observe(took.as_secs_f64());
    }

    /// So many reconciles of a kind more, or fewer, are under way.
    pub fn reconciling(&self, kind: &str, more: i64) {
        self.running.with_label_values(&[kind]).add(more);
    }

    /// So many objects of a kind more, or fewer, wait for their reconcile.
    pub fn waiting(&self, kind: &str, more: i64) {
        self.queue.with_label_values(&[kind]).add(more);
    }

    /// Counts what is told of an object, where it tells of drift.
    pub fn told(&self, kind: &str, reason: Reason) {
        if DRIFT.contains(&reason) {
            self.drift.with_label_values(&[kind, reason.as_str()]).inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_tells_of_drift_is_counted_as_such() {
        let metrics = EngineMetrics::new(&Registry::new()).unwrap();
        metrics.begin("FoundryHub");
        for reason in Reason::ALL {
            metrics.told("FoundryHub", *reason);
        }
        let count = |reason: Reason| metrics.drift.with_label_values(&["FoundryHub", reason.as_str()]).get();
        assert_eq!(DRIFT.map(count), [1; 4]);
        assert_eq!(count(Reason::Updated), 0);
    }

    #[test]
    fn a_reconcile_is_counted_by_its_end_and_timed() {
        let metrics = EngineMetrics::new(&Registry::new()).unwrap();
        metrics.reconciled("FoundryHub", Outcome::of(&Error::TimedOut), Duration::from_mins(3));
        assert_eq!(metrics.reconciles.with_label_values(&["FoundryHub", "timed_out"]).get(), 1);
        assert_eq!(metrics.durations.with_label_values(&["FoundryHub"]).get_sample_count(), 1);
    }
}
