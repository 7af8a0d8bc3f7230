//! Whatever ARM answers, or whoever answers in its place, becomes an error that fits a condition.

use foundry_operator::arm::ArmError;
use proptest::prelude::*;
use serde_json::json;

/// Longest condition that the API server takes is 32 KiB; ours are far shorter.
const LIMIT: usize = 4096;

fn fits(error: &ArmError) -> bool {
    error.to_string().chars().count() <= LIMIT
}

proptest! {
    #[test]
    fn any_bytes_are_an_error_that_can_be_told(status in 400_u16..600, body in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(fits(&ArmError::from_answer(status, &body, "/subscriptions/s", None, None)));
    }

    #[test]
    fn any_json_is_an_error_that_can_be_told(status in 400_u16..600, body in crate::json(), path in ".{0,80}") {
        let envelopes = [body.clone(), json!({"error": body.clone()}), json!({"error": {"innerError": body.clone(), "details": [body]}})];
        for envelope in envelopes {
            let text = envelope.to_string();
            prop_assert!(fits(&ArmError::from_answer(status, text.as_bytes(), &path, None, None)));
            prop_assert!(fits(&ArmError::from_operation("Failed", &envelope, None)));
        }
    }

    #[test]
    fn a_long_answer_becomes_a_short_message(status in 400_u16..600, text in "[a-zä '\"/]{1,40}", times in 1_usize..2000) {
        let text = text.repeat(times);
        let codes = ["BadRequest", "AuthorizationFailed", "MissingSubscriptionRegistration", "QuotaExceeded", &text];
        for code in codes {
            let body = json!({"error": {"code": code, "message": text, "details": [{"message": text.to_uppercase()}]}});
            let error = ArmError::from_answer(status, body.to_string().as_bytes(), "/subscriptions/s", None, None);
            prop_assert!(fits(&error), "{} characters", error.to_string().chars().count());
        }
    }
}
