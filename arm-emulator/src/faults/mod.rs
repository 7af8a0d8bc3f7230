//! Faults on demand: rules by which requests are answered wrongly, late, in part or not at all.
//!
//! None of this is Azure's behaviour; it is what stands between a client and Azure on a bad day.

mod form;
pub(crate) mod wire;

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::operations::{BadEnd, Outcome};

/// A rule by which requests to ARM or to the token endpoint meet a fault. What is left out does not narrow it down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultRule {
    /// The HTTP method, or empty for any.
    #[serde(default)]
    pub method: String,
    /// Text that the request's path must contain, compared without case; empty for any.
    #[serde(default)]
    pub path: String,
    /// Text that the path of the resource must contain which the request is about, compared without case; empty for any.
    /// It is that of the request itself, but for polls: they are about the resource that their operation works on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub resource: String,
    /// How many matching requests are let through first.
    #[serde(default)]
    pub skip: u64,
    /// How many times the fault is applied; without it, until the rule is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The chance, from 0 to 1, that a matching request meets the fault; without it, every one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Where the chance begins, so that a run can be repeated; without it one is taken at random and shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// What happens.
    pub fault: Fault,
}

impl FaultRule {
    /// The fault at every request of this method (empty for any) whose path contains this text.
    #[must_use]
    pub fn new(method: &str, path: &str, fault: Fault) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            resource: String::new(),
            skip: 0,
            count: None,
            probability: None,
            seed: None,
            fault,
        }
    }

    /// The same, for requests about a resource whose path contains this text, and for polls of its operations.
    #[must_use]
    pub fn on(mut self, resource: &str) -> Self {
        resource.clone_into(&mut self.resource);
        self
    }

    /// The same, after this many matching requests.
    #[must_use]
    pub fn after(mut self, skip: u64) -> Self {
        self.skip = skip;
        self
    }

    /// The same, this many times at most.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }

    /// The same, with a chance from 0 to 1 that begins at a seed.
    #[must_use]
    pub fn by_chance(mut self, probability: f64, seed: u64) -> Self {
        self.probability = Some(probability);
        self.seed = Some(seed);
        self
    }

    fn matches(&self, method: &str, path: &str, resource: &str) -> bool {
        let contains = |text: &str, part: &str| text.to_lowercase().contains(&part.to_lowercase());
        (self.method.is_empty() || self.method.eq_ignore_ascii_case(method))
            && contains(path, &self.path)
            && contains(resource, &self.resource)
    }
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "form::Form", into = "form::Form")]
pub enum Fault {
    /// It is answered with this, and nothing else is done.
    Answer {
        /// The HTTP status.
        status: u16,
        /// Headers in addition.
        headers: BTreeMap<String, String>,
        /// The body: text as it is, null for none, anything else as JSON.
        body: Value,
    },
    /// The connection breaks without an answer.
    DropConnection(Moment),
    /// It is dealt with only after this time, by the real clock.
    Delay(Duration),
    /// The answer breaks off after this many bytes of its body, though its length was told.
    TruncateAfter(usize),
    /// It is answered with a page, as a proxy on the way does, and nothing else is done.
    Html {
        /// The HTTP status.
        status: u16,
        /// The page.
        page: String,
    },
    /// The long-running operation that it begins ends so. Requests that begin none do not count.
    Operation(OperationFault),
}

/// Whether a request takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Moment {
    /// Before it is applied: nothing has happened.
    Before,
    /// After it was applied: it happened, and the caller does not know.
    After,
}

/// What becomes of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationFault {
    /// It takes its time and then ends badly.
    Ends {
        /// How.
        outcome: Outcome,
        /// The error code.
        code: String,
        /// The error message.
        message: String,
    },
    /// It does not end until [`Emulator::finish_operations`](crate::Emulator::finish_operations) ends it.
    Hangs,
}

impl Fault {
    /// A few words for the journal.
    fn words(&self) -> String {
        match self {
            Self::Answer { status, .. } => format!("answer {status}"),
            Self::DropConnection(Moment::Before) => "connection dropped before applying".to_owned(),
            Self::DropConnection(Moment::After) => "connection dropped after applying".to_owned(),
            Self::Delay(time) => format!("delayed {} s", time.as_secs_f64()),
            Self::TruncateAfter(bytes) => format!("truncated after {bytes} bytes"),
            Self::Html { status, .. } => format!("html {status}"),
            Self::Operation(OperationFault::Ends { outcome, code, .. }) => {
                format!("operation {} {code}", outcome.word())
            }
            Self::Operation(OperationFault::Hangs) => "operation hangs".to_owned(),
        }
    }
}

/// A rule and what it has done so far.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FaultState {
    /// The number by which the rule is removed.
    pub id: u64,
    /// The rule.
    #[serde(flatten)]
    pub rule: FaultRule,
    /// How many requests it matched.
    pub seen: u64,
    /// How many of them met the fault.
    pub applied: u64,
}

/// A fault that a request meets.
#[derive(Clone, Debug)]
pub(crate) struct Met {
    pub(crate) fault: Fault,
    /// Which rule it came from, and what it is, for the journal.
    pub(crate) note: String,
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<(FaultState, Rng)>,
    last: u64,
}

impl Faults {
    /// Adds a rule and gives its number.
    pub(crate) fn add(&mut self, mut rule: FaultRule) -> u64 {
        self.last += 1;
        let seed = rule.seed.unwrap_or_else(|| fastrand::u64(..));
        if rule.probability.is_some() {
            rule.seed = Some(seed);
        }
        self.rules.push((FaultState { id: self.last, rule, seen: 0, applied: 0 }, Rng::with_seed(seed)));
        self.last
    }

    pub(crate) fn states(&self) -> Vec<FaultState> {
        self.rules.iter().map(|(state, _)| state.clone()).collect()
    }

    /// Removes a rule. Whether it was there.
    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let before = self.rules.len();
        self.rules.retain(|(state, _)| state.id != id);
        self.rules.len() < before
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The fault that an arriving request meets, which is about a resource.
    pub(crate) fn on_request(&mut self, method: &str, path: &str, resource: &str) -> Option<Met> {
        self.meet(|rule| !matches!(rule.fault, Fault::Operation(_)) && rule.matches(method, path, resource))
    }

    /// The fault that an operation meets which a request begins.
    pub(crate) fn on_operation(&mut self, method: &str, path: &str) -> Option<(OperationFault, String)> {
        let met = self.meet(|rule| matches!(rule.fault, Fault::Operation(_)) && rule.matches(method, path, path))?;
        match met.fault {
            Fault::Operation(fault) => Some((fault, met.note)),
            _ => None,
        }
    }

    /// Every rule sees the request; the first that is due is the one that is met.
    fn meet(&mut self, fits: impl Fn(&FaultRule) -> bool) -> Option<Met> {
        let mut met = None;
        for (state, chance) in self.rules.iter_mut().filter(|(state, _)| fits(&state.rule)) {
            state.seen += 1;
            let rule = &state.rule;
            if state.seen <= rule.skip || rule.count.is_some_and(|count| state.applied >= count) {
                continue;
            }
            // Drawn also when another rule came first, so that the row of chances does not depend on the others.
            let drawn = rule.probability.is_none_or(|probability| chance.f64() < probability);
            if drawn && met.is_none() {
                state.applied += 1;
                let note = format!("{}: {}", state.id, rule.fault.words());
                met = Some(Met { fault: rule.fault.clone(), note });
            }
        }
        met
    }
}

impl OperationFault {
    /// The bad end of the operation, unless it has none at all.
    pub(crate) fn bad_end(self) -> Option<BadEnd> {
        match self {
            Self::Ends { outcome, code, message } => Some(BadEnd { outcome, code, message }),
            Self::Hangs => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hits(faults: &mut Faults, requests: usize) -> Vec<bool> {
        (0..requests).map(|_| faults.on_request("GET", "/a/b", "/a/b").is_some()).collect()
    }

    #[test]
    fn some_are_skipped_and_some_are_met() {
        let mut faults = Faults::default();
        faults.add(FaultRule::new("get", "/B", Fault::Delay(Duration::ZERO)).after(1).times(2));
        assert_eq!(hits(&mut faults, 5), [false, true, true, false, false]);
        assert_eq!((faults.states()[0].seen, faults.states()[0].applied), (5, 2));
    }

    #[test]
    fn a_seed_repeats_the_chances() {
        let run = |seed| {
            let mut faults = Faults::default();
            faults.add(FaultRule::new("", "", Fault::TruncateAfter(1)).by_chance(0.5, seed));
            hits(&mut faults, 64)
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        assert!(run(7).contains(&true) && run(7).contains(&false));
    }

    #[test]
    fn every_fault_is_spelled_in_json_and_back() {
        for fault in [
            json!({"answer": {"status": 503, "headers": {"retry-after": "7"}, "body": {"error": {"code": "Busy"}}}}),
            json!({"dropConnection": "before"}),
            json!({"dropConnection": "after"}),
            json!({"delaySeconds": 0.5}),
            json!({"truncateAfterBytes": 3}),
            json!({"html": {"status": 502, "page": "<p>no</p>"}}),
            json!({"operation": "Failed", "code": "C", "message": "M"}),
            json!({"operation": "Canceled", "code": "C", "message": ""}),
            json!({"operation": "hang"}),
        ] {
            let rule: FaultRule = serde_json::from_value(json!({"fault": fault})).expect("a rule");
            assert_eq!(serde_json::to_value(&rule).expect("JSON")["fault"], fault);
        }
    }

    #[test]
    fn a_fault_is_exactly_one_thing() {
        for wrong in [
            json!({}),
            json!({"delaySeconds": 1, "truncateAfterBytes": 2}),
            json!({"delaySeconds": -1}),
            json!({"operation": "explode"}),
            json!({"answer": {"status": 42}}),
            json!({"answer": {"status": 200, "headers": {"a b": "c"}}}),
        ] {
            assert!(serde_json::from_value::<FaultRule>(json!({"fault": wrong})).is_err(), "{wrong}");
        }
    }
}
