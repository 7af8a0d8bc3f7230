//! What a caller hears whose call is not even sent.

use std::time::Duration;

use super::breaker::Outage;
use super::lane::Lane;
use crate::arm::{ArmError, Cause};

const NOT_ANSWERING: &str = "ArmNotAnswering";
const TOO_MANY_WAITING: &str = "TooManyCallsWaiting";

impl ArmError {
    /// ARM answers nobody at present.
    pub(super) fn not_answering(outage: &Outage) -> Self {
        let Outage { since, failure, retry_after } = outage;
        let since = since.strftime("%Y-%m-%dT%H:%M:%SZ");
        let error = Self::unavailable(format!("ARM has not answered properly since {since}; last: {failure}"));
        Self { code: NOT_ANSWERING.to_owned(), retry_after: Some(*retry_after), ..error }
    }

    /// More calls wait for their turn than ARM lets through in good time.
    pub(super) fn too_many_waiting(lane: &Lane, expected: Duration) -> Self {
        let message = format!(
            "more {} wait for their turn in subscription {} than ARM's limits let through soon",
            lane.kind.word(),
            lane.subscription
        );
        let error = Self::unavailable(message);
        Self {
            cause: Cause::Throttled,
            code: TOO_MANY_WAITING.to_owned(),
            retry_after: Some(expected),
            advice: None,
            ..error
        }
    }

    /// Whether the call was not sent, out of consideration for ARM: no failure of it, and nothing to try again at once.
    #[must_use]
    pub fn was_held_back(&self) -> bool {
        self.status.is_none() && matches!(self.code.as_str(), NOT_ANSWERING | TOO_MANY_WAITING)
    }
}
