//! How urgent an object's calls to Azure are.

use crate::api::conditions::{ConditionType, is_true};
use crate::api::status::EngineStatus;
use crate::arm::Priority;

/// The priority of an object with this status. `wanted` is that somebody waits for it whatever its status says: it is being
/// deleted, or was asked for by hand.
#[must_use]
pub fn priority(status: &EngineStatus, generation: Option<i64>, wanted: bool) -> Priority {
    let settled = status.observed_generation == generation && is_true(&status.conditions, ConditionType::Ready);
    if status.operation.is_some() {
        Priority::Following
    } else if wanted || !settled {
        Priority::Interactive
    } else {
        Priority::Periodic
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

    use super::*;
    use crate::api::status::{Operation, OperationKind};

    fn status(ready: &str) -> EngineStatus {
        let condition = Condition {
            type_: ConditionType::Ready.as_str().to_owned(),
            status: ready.to_owned(),
            reason: "Reconciled".to_owned(),
            message: String::new(),
            observed_generation: Some(1),
            last_transition_time: Time(jiff::Timestamp::UNIX_EPOCH),
        };
        EngineStatus { observed_generation: Some(1), conditions: vec![condition], ..EngineStatus::default() }
    }

    #[test]
    fn a_routine_check_waits_for_everything_else() {
        assert_eq!(priority(&status("True"), Some(1), false), Priority::Periodic);
    }

    #[test]
    fn what_somebody_waits_for_goes_first() {
        assert_eq!(priority(&status("True"), Some(2), false), Priority::Interactive, "a changed spec");
        assert_eq!(priority(&status("False"), Some(1), false), Priority::Interactive, "not Ready");
        assert_eq!(priority(&EngineStatus::default(), Some(1), false), Priority::Interactive, "new");
        assert_eq!(priority(&status("True"), Some(1), true), Priority::Interactive, "deleted, or asked for");
    }

    #[test]
    fn an_operation_is_followed_in_between() {
        let operation = Operation {
            kind: OperationKind::Delete,
            resource_id: String::new(),
            url: String::new(),
            started_at: String::new(),
            sent: None,
            attempt: None,
        };
        let following = EngineStatus { operation: Some(operation), ..status("True") };
        assert_eq!(priority(&following, Some(1), true), Priority::Following);
    }
}
