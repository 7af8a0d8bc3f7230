//! What the operator counts of its calls to ARM. No name of a resource is a label: there may be thousands.

use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry};

/// Upper bounds of the durations' buckets, in seconds: a call may take a minute.
const SECONDS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// How an attempt to sign in ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInOutcome {
    /// With a token.
    Ok,
    /// Whoever gives tokens gave none.
    Refused,
    /// Whoever gives tokens did not answer.
    Unreachable,
}

impl SignInOutcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
        }
    }
}

/// Counters of calls and sign-ins. Copies count together.
#[derive(Clone, Debug)]
pub struct ArmMetrics {
    requests: IntCounterVec,
    durations: HistogramVec,
    sign_ins: IntCounterVec,
    signed_in: IntGauge,
}

impl ArmMetrics {
    /// Counters that `registry` shows.
    ///
    /// # Errors
    /// Where the registry has metrics of these names already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let requests = IntCounterVec::new(
            Opts::new("foundry_arm_requests_total", "Calls to ARM by operation and HTTP status; none: no answer."),
            &["operation", "status"],
        )?;
        let durations = HistogramVec::new(
            HistogramOpts::new("foundry_arm_request_duration_seconds", "How long calls to ARM took, answered or not.")
                .buckets(SECONDS.to_vec()),
            &["operation"],
        )?;
        let sign_ins = IntCounterVec::new(
            Opts::new("foundry_arm_sign_ins_total", "Attempts to get a token for ARM, by credential and outcome."),
            &["credential", "outcome"],
        )?;
        let signed_in = IntGauge::new("foundry_arm_signed_in", "Whether the last attempt to get a token succeeded.")?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(durations.clone()))?;
        registry.register(Box::new(sign_ins.clone()))?;
        registry.register(Box::new(signed_in.clone()))?;
        Ok(Self { requests, durations, sign_ins, signed_in })
    }

    /// Counts a call; `status` is absent where no answer came.
    pub fn call(&self, operation: &'static str, status: Option<u16>, took: Duration) {
        let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        self.requests.with_label_values(&[operation, &status]).inc();
        let duration: Histogram = self.durations.with_label_values(&[operation]);
        duration.observe(took.as_secs_f64());
    }

    /// Counts an attempt to sign in.
    pub fn sign_in(&self, credential: &'static str, outcome: SignInOutcome) {
        self.sign_ins.with_label_values(&[credential, outcome.as_str()]).inc();
        self.signed_in.set(i64::from(outcome == SignInOutcome::Ok));
    }
}

/// What a call does, in one of few words: `connections_put`, `datastores_list`, `operation_poll`; otherwise `other`.
#[must_use]
pub fn operation(method: &str, path: &str) -> &'static str {
    let path = path.to_ascii_lowercase();
    let typed = path.rsplit_once("/providers/").map_or("", |(_, below)| below);
    // `namespace/type/name/type/name`: a list ends with a type, and so does an action.
    let segments: Vec<&str> = typed.split('/').filter(|segment| !segment.is_empty()).collect();
    let last_type = segments.iter().skip(1).step_by(2).next_back().copied().unwrap_or_default();
    let ends_with_type = segments.len().is_multiple_of(2);
    match (last_type, method, ends_with_type) {
        ("workspaces", "GET", false) => "workspaces_get",
        ("workspaces", "PUT", false) => "workspaces_put",
        ("workspaces", "PATCH", false) => "workspaces_patch",
        ("workspaces", "DELETE", false) => "workspaces_delete",
        ("connections", "GET", false) => "connections_get",
        ("connections", "PUT", false) => "connections_put",
        ("connections", "DELETE", false) => "connections_delete",
        ("outboundrules", "GET", false) => "outboundrules_get",
        ("outboundrules", "PUT", false) => "outboundrules_put",
        ("outboundrules", "DELETE", false) => "outboundrules_delete",
        ("workspaces", "GET", true) => "workspaces_list",
        ("connections", "GET", true) => "connections_list",
        ("outboundrules", "GET", true) => "outboundrules_list",
        ("datastores", "GET", true) => "datastores_list",
        ("workspaceoperationsstatus", "GET", _) => "operation_poll",
        ("register", "POST", true) => "providers_register",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKSPACE: &str =
        "/subscriptions/s/resourceGroups/providers/providers/Microsoft.MachineLearningServices/workspaces/connections";

    #[test]
    fn calls_have_few_names() {
        let connection = format!("{WORKSPACE}/connections/put");
        let rules = format!("{WORKSPACE}/outboundRules");
        let poll =
            "/subscriptions/s/providers/Microsoft.MachineLearningServices/locations/l/workspaceOperationsStatus/id";
        let register = "/subscriptions/s/providers/Microsoft.MachineLearningServices/register";
        for (method, path, expected) in [
            ("GET", WORKSPACE, "workspaces_get"),
            ("PATCH", WORKSPACE, "workspaces_patch"),
            ("PUT", &connection, "connections_put"),
            ("GET", &format!("{WORKSPACE}/datastores"), "datastores_list"),
            ("GET", &rules, "outboundrules_list"),
            ("DELETE", &format!("{rules}/pypi"), "outboundrules_delete"),
            ("GET", poll, "operation_poll"),
            ("POST", register, "providers_register"),
            ("GET", "/", "other"),
            ("POST", &format!("{connection}/listsecrets"), "other"),
        ] {
            assert_eq!(operation(method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn a_call_without_an_answer_is_counted_too() {
        let metrics = ArmMetrics::new(&Registry::new()).unwrap();
        metrics.call("workspaces_get", None, Duration::from_secs(1));
        assert_eq!(metrics.requests.with_label_values(&["workspaces_get", "none"]).get(), 1);
        assert_eq!(metrics.durations.with_label_values(&["workspaces_get"]).get_sample_count(), 1);
    }

    #[test]
    fn the_last_sign_in_tells_whether_we_are_signed_in() {
        let metrics = ArmMetrics::new(&Registry::new()).unwrap();
        metrics.sign_in("azure-cli", SignInOutcome::Ok);
        assert_eq!(metrics.signed_in.get(), 1);
        metrics.sign_in("azure-cli", SignInOutcome::Refused);
        assert_eq!(metrics.signed_in.get(), 0);
        assert_eq!(metrics.sign_ins.with_label_values(&["azure-cli", "refused"]).get(), 1);
    }
}
