//! How things stand at the throttle, as metrics: read when they are asked for, so that nothing has to be kept in step.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, GaugeVec, Opts};

use super::Throttle;

/// The priorities, in the order of a snapshot.
const PRIORITIES: [&str; 3] = ["interactive", "following", "periodic"];

/// Gauges of a throttle.
pub struct Gauges {
    throttle: Arc<Throttle>,
    tokens: GaugeVec,
    rate: GaugeVec,
    waiting: GaugeVec,
    held_back: Gauge,
}

impl Gauges {
    /// Gauges that show how things stand at `throttle`.
    ///
    /// # Errors
    /// Never in practice: only where a name is none that Prometheus takes.
    pub fn new(throttle: Arc<Throttle>) -> Result<Self, prometheus::Error> {
        let lane = ["subscription", "kind"];
        Ok(Self {
            throttle,
            tokens: GaugeVec::new(
                Opts::new("foundry_arm_tokens", "Calls that ARM would take at once, as far as is known."),
                &lane,
            )?,
            rate: GaugeVec::new(
                Opts::new(
                    "foundry_arm_refill_per_second",
                    "Calls a second that ARM would take for long, as far as is known.",
                ),
                &lane,
            )?,
            waiting: GaugeVec::new(
                Opts::new("foundry_arm_calls_waiting", "Calls that wait for their turn."),
                &[lane[0], lane[1], "priority"],
            )?,
            held_back: Gauge::new(
                "foundry_arm_held_back",
                "Whether calls are held back because ARM as a whole does not answer.",
            )?,
        })
    }
}

impl Collector for Gauges {
    fn desc(&self) -> Vec<&Desc> {
        [self.tokens.desc(), self.rate.desc(), self.waiting.desc(), self.held_back.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let snapshot = self.throttle.snapshot();
        for lane in &snapshot.lanes {
            let labels = [lane.lane.subscription.as_str(), lane.lane.kind.word()];
            self.tokens.with_label_values(&labels).set(lane.tokens);
            self.rate.with_label_values(&labels).set(lane.rate);
            for (priority, count) in PRIORITIES.iter().zip(lane.waiting) {
                let count = u32::try_from(count).map_or(f64::INFINITY, f64::from);
                self.waiting.with_label_values(&[labels[0], labels[1], priority]).set(count);
            }
        }
        self.held_back.set(f64::from(u8::from(snapshot.holding_back)));
        [self.tokens.collect(), self.rate.collect(), self.waiting.collect(), self.held_back.collect()].concat()
    }
}
