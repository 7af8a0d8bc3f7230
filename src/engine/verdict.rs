//! Where a reconcile comes to rest, and what the conditions say of it.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::kind::Unresolved;
use crate::api::conditions::{ConditionType, Reason, find};
use crate::arm::Class;

/// How an object is when its reconcile rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Azure equals the spec.
    Settled,
    /// Azure is at work.
    Working,
    /// Something passing stands in the way.
    Waiting,
    /// A reference leads nowhere, or may not be used.
    Unresolved,
    /// Nothing more is tried until somebody acts.
    Stalled,
    /// Azure differs from the spec and is only observed.
    Drifted,
    /// There is no such resource and it is only observed.
    Missing,
    /// Nothing is done.
    Paused,
}

/// What makes the object reconcile again, besides a change of it or of what it refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Nothing.
    Event,
    /// The next resync.
    Resync,
    /// The next poll of the operation that runs, sooner or later by how long it has run.
    Poll {
        /// How long ARM asks to wait.
        retry_after: Option<Duration>,
    },
    /// A fixed while.
    After(Duration),
    /// A while that grows with each failure.
    Backoff {
        /// How soon it may pass.
        class: Class,
        /// How long ARM asks to wait.
        retry_after: Option<Duration>,
    },
}

/// Where a reconcile comes to rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// How the object is.
    pub state: State,
    /// Why.
    pub reason: Reason,
    /// What happened, to which Azure resource, and what to do about it.
    pub message: String,
    /// When to look again.
    pub wake: Wake,
}

impl Rest {
    /// A resting place.
    #[must_use]
    pub fn new(state: State, reason: Reason, message: impl Into<String>, wake: Wake) -> Self {
        Self { state, reason, message: message.into(), wake }
    }

    /// Whether a call waits for its turn before ARM's limits. What ARM itself refused is told by another state.
    #[must_use]
    pub fn is_in_line(&self) -> bool {
        self.reason == Reason::Throttled && self.state == State::Working
    }

    /// Whether the resource is not this object's.
    #[must_use]
    pub fn is_of_another(&self) -> bool {
        matches!(self.reason, Reason::AlreadyExists | Reason::Conflict) && self.state == State::Stalled
    }
}

/// What a condition depends on besides the resting place.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// Of the spec that was reconciled.
    pub generation: i64,
    /// The object is being deleted.
    pub deleting: bool,
    /// The resource is not there (any more).
    pub absent: bool,
    /// What the spec refers to in vain, whatever else the object is doing.
    pub unresolved: Option<&'a Unresolved>,
    /// The time.
    pub now: Timestamp,
}

/// The conditions that tell of a resting place. A condition whose status stays keeps its time of transition.
#[must_use]
pub fn conditions(previous: &[Condition], rest: &Rest, circumstances: Circumstances<'_>) -> Vec<Condition> {
    let Circumstances { generation, deleting, absent, unresolved, now } = circumstances;
    let says = |type_, status: &str, reason: Reason, message: &str| {
        condition(previous, type_, status, reason.as_str(), message, generation, now)
    };
    let rest_says = |type_, status: &str| says(type_, status, rest.reason, &rest.message);
    // What Azure last had for this very spec stays usable while Azure is corrected or cannot be reached.
    let ready_or = |status: &str| {
        find(previous, ConditionType::Ready)
            .filter(|ready| ready.status == "True" && ready.observed_generation == Some(generation))
            .filter(|_| !deleting && !absent)
            .cloned()
            .unwrap_or_else(|| rest_says(ConditionType::Ready, status))
    };
    let (ready, synced) = match rest.state {
        State::Settled => (rest_says(ConditionType::Ready, "True"), "True"),
        State::Working => (ready_or("False"), "False"),
        State::Waiting => (ready_or("False"), "Unknown"),
        State::Unresolved => (rest_says(ConditionType::Ready, "False"), "Unknown"),
        State::Stalled | State::Missing => (rest_says(ConditionType::Ready, "False"), "False"),
        State::Drifted => (rest_says(ConditionType::Ready, "True"), "False"),
        State::Paused => (ready_or("Unknown"), "Unknown"),
    };
    let references = match unresolved {
        // References are not looked up for what is going.
        _ if deleting => find(previous, ConditionType::ReferencesResolved).cloned(),
        _ if rest.state == State::Unresolved => Some(rest_says(ConditionType::ReferencesResolved, "False")),
        Some(Unresolved { reason, message }) => {
            Some(says(ConditionType::ReferencesResolved, "False", *reason, message))
        }
        None => {
            let message = "all that the spec refers to was found";
            Some(says(ConditionType::ReferencesResolved, "True", Reason::Resolved, message))
        }
    };
    let stalled = (rest.state == State::Stalled).then(|| rest_says(ConditionType::Stalled, "True"));
    [Some(ready), Some(rest_says(ConditionType::Synced, synced)), references, stalled].into_iter().flatten().collect()
}

fn condition(
    previous: &[Condition],
    type_: ConditionType,
    status: &str,
    reason: &str,
    message: &str,
    generation: i64,
    now: Timestamp,
) -> Condition {
    let before = find(previous, type_);
    let since = before.filter(|before| before.status == status).map(|before| before.last_transition_time.clone());
    // A repeated failure has another correlation id each time; the first is as good as the last, and costs no write.
    let message = match before {
        Some(before)
            if before.reason == reason && without_correlation(&before.message) == without_correlation(message) =>
        {
            before.message.clone()
        }
        _ => message.to_owned(),
    };
    Condition {
        type_: type_.as_str().to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        observed_generation: Some(generation),
        last_transition_time: since.unwrap_or(Time(now)),
    }
}

fn without_correlation(message: &str) -> String {
    for before in [", correlation id ", ", request id "] {
        if let Some((head, tail)) = message.split_once(before) {
            let end = tail.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(tail.len());
            return format!("{head}{}", &tail[end..]);
        }
    }
    message.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn rest(state: State, reason: Reason, message: &str) -> Rest {
        Rest::new(state, reason, message, Wake::Event)
    }

    fn circumstances(generation: i64, second: i64) -> Circumstances<'static> {
        Circumstances { generation, deleting: false, absent: false, unresolved: None, now: at(second) }
    }

    fn statuses(conditions: &[Condition]) -> Vec<(&str, &str, &str)> {
        conditions.iter().map(|c| (c.type_.as_str(), c.status.as_str(), c.reason.as_str())).collect()
    }

    fn settled(generation: i64) -> Vec<Condition> {
        conditions(&[], &rest(State::Settled, Reason::Reconciled, "ok"), circumstances(generation, 1))
    }

    #[test]
    fn each_state_says_what_it_means() {
        let table = [
            (State::Settled, "True", Some("True"), Some("True"), false),
            (State::Working, "False", Some("False"), Some("True"), false),
            (State::Waiting, "False", Some("Unknown"), Some("True"), false),
            (State::Unresolved, "False", Some("Unknown"), Some("False"), false),
            (State::Stalled, "False", Some("False"), Some("True"), true),
            (State::Drifted, "True", Some("False"), Some("True"), false),
            (State::Missing, "False", Some("False"), Some("True"), false),
            (State::Paused, "Unknown", Some("Unknown"), Some("True"), false),
        ];
        for (state, ready, synced, references, stalled) in table {
            let conditions = conditions(&[], &rest(state, Reason::Creating, "m"), circumstances(1, 1));
            let status = |type_| find(&conditions, type_).map(|c| c.status.as_str());
            assert_eq!(status(ConditionType::Ready), Some(ready), "{state:?}");
            assert_eq!(status(ConditionType::Synced), synced, "{state:?}");
            assert_eq!(status(ConditionType::ReferencesResolved), references, "{state:?}");
            assert_eq!(status(ConditionType::Stalled), stalled.then_some("True"), "{state:?}");
        }
    }

    #[test]
    fn what_was_ready_stays_so_while_azure_cannot_be_reached() {
        let waiting = rest(State::Waiting, Reason::AzureUnavailable, "down");
        let conditions = conditions(&settled(1), &waiting, circumstances(1, 2));
        assert_eq!(
            statuses(&conditions)[..2],
            [("Ready", "True", "Reconciled"), ("Synced", "Unknown", "AzureUnavailable")]
        );
    }

    #[test]
    fn a_changed_spec_is_not_ready_until_azure_has_it() {
        let working = rest(State::Working, Reason::Updating, "m");
        assert_eq!(
            statuses(&conditions(&settled(1), &working, circumstances(2, 2)))[0],
            ("Ready", "False", "Updating")
        );
        assert_eq!(
            statuses(&conditions(&settled(2), &working, circumstances(2, 2)))[0],
            ("Ready", "True", "Reconciled")
        );
    }

    #[test]
    fn what_is_gone_is_not_ready_while_it_is_made_again() {
        let creating = rest(State::Working, Reason::Creating, "m");
        let told = conditions(&settled(1), &creating, Circumstances { absent: true, ..circumstances(1, 2) });
        assert_eq!(statuses(&told)[0], ("Ready", "False", "Creating"));
    }

    #[test]
    fn references_are_told_whatever_else_the_object_is_doing() {
        let unresolved = Unresolved::new(Reason::NotAllowedByHub, "no");
        for state in [State::Working, State::Waiting, State::Paused] {
            let circumstances = Circumstances { unresolved: Some(&unresolved), ..circumstances(1, 2) };
            let told = conditions(&settled(1), &rest(state, Reason::Updating, "m"), circumstances);
            let references = find(&told, ConditionType::ReferencesResolved).unwrap();
            let says = (references.status.as_str(), references.reason.as_str());
            assert_eq!(says, ("False", "NotAllowedByHub"), "{state:?}");
        }
    }

    #[test]
    fn a_pause_does_not_make_a_changed_spec_ready() {
        let paused = rest(State::Paused, Reason::Paused, "m");
        let told = |generation| conditions(&settled(1), &paused, circumstances(generation, 2));
        assert_eq!(statuses(&told(1))[0], ("Ready", "True", "Reconciled"));
        assert_eq!(statuses(&told(2))[0], ("Ready", "Unknown", "Paused"));
    }

    #[test]
    fn a_deletion_is_never_ready() {
        let deleting = rest(State::Working, Reason::Deleting, "m");
        assert_eq!(
            statuses(&conditions(&settled(1), &deleting, Circumstances { deleting: true, ..circumstances(1, 2) }))[0],
            ("Ready", "False", "Deleting")
        );
    }

    #[test]
    fn the_time_of_transition_moves_only_with_the_status() {
        let again = conditions(&settled(1), &rest(State::Settled, Reason::Reconciled, "ok"), circumstances(2, 9));
        assert_eq!(again[0].last_transition_time, Time(at(1)));
        let fallen = conditions(&settled(1), &rest(State::Stalled, Reason::Refused, "no"), circumstances(1, 9));
        assert_eq!(fallen[0].last_transition_time, Time(at(9)));
    }

    #[test]
    fn a_new_correlation_id_alone_changes_nothing() {
        let failing =
            |id: &str| rest(State::Stalled, Reason::Refused, &format!("no (Code, correlation id {id}): mend it"));
        let first = conditions(&[], &failing("a-1"), circumstances(1, 1));
        assert_eq!(conditions(&first, &failing("b-2"), circumstances(1, 2)), first);
    }
}
