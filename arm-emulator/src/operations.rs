//! Long-running operations: their URLs, their progress by the clock, and what they do when they end
//! (ARM reference, section 2).

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::arm_path::{PROVIDER, ResourceId};
use crate::errors::ArmError;

/// What an operation does to its workspace.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// The workspace is there; it becomes usable.
    Create,
    /// The workspace is replaced by this document.
    Update(Box<Value>),
    /// The workspace goes, with its connections and datastores.
    Delete,
    /// An outbound rule becomes this, or goes.
    Rule(Option<Box<Value>>),
    /// The managed network is set up.
    Provision {
        /// For Spark too.
        spark: bool,
    },
}

/// How an operation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The operation fails.
    Failed,
    /// The operation is cancelled.
    Canceled,
}

impl Outcome {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Failed => "Failed",
            Self::Canceled => "Canceled",
        }
    }
}

/// An end other than success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadEnd {
    pub(crate) outcome: Outcome,
    pub(crate) code: String,
    pub(crate) message: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) target: ResourceId,
    /// The key of the hub, or of the workspace itself where it has none.
    pub(crate) family: String,
    pub(crate) effect: Effect,
    pub(crate) bad_end: Option<BadEnd>,
    pub(crate) ends: Timestamp,
    /// After how many more polls it ends, where it does not end by the clock.
    polls: Option<u32>,
    /// Whether the effect has been applied.
    pub(crate) settled: bool,
    subscription: String,
    async_query: String,
    location_query: String,
}

/// An operation about to begin.
pub(crate) struct Beginning<'a> {
    pub(crate) target: ResourceId,
    pub(crate) family: String,
    pub(crate) effect: Effect,
    pub(crate) bad_end: Option<BadEnd>,
    /// How long it runs; without a time, for ever.
    pub(crate) lasts: Option<Duration>,
    /// At which poll it ends, where it does not end by the clock.
    pub(crate) polls: Option<u32>,
    /// The region of the workspace, which stands in the URL.
    pub(crate) location: &'a str,
    pub(crate) api_version: &'a str,
    pub(crate) endpoint: &'a str,
}

/// How long an operation that has ended can still be polled.
const KEPT: SignedDuration = SignedDuration::from_hours(1);

#[derive(Debug, Default)]
pub(crate) struct Operations {
    by_id: BTreeMap<String, Operation>,
}

impl Operations {
    /// Begins an operation and gives the answer that accepts it: two URLs, an empty body and no Retry-After, as recorded.
    pub(crate) fn begin(&mut self, beginning: Beginning<'_>, now: Timestamp) -> Answer {
        let Beginning { target, family, effect, bad_end, lasts, polls, location, api_version, endpoint } = beginning;
        let id = random_text(43);
        let signature = signature(now);
        let async_query = format!("api-version={api_version}&type=async&{signature}");
        let location_query = format!("api-version={api_version}&type=location&{signature}");
        let url = format!(
            "{endpoint}/subscriptions/{}/providers/{PROVIDER}/locations/{location}/workspaceOperationsStatus/{id}",
            target.subscription
        );
        let answer = Answer::empty(StatusCode::ACCEPTED)
            .with_header("azure-asyncoperation", format!("{url}?{async_query}"))
            .with_header("location", format!("{url}?{location_query}"));
        let operation = Operation {
            subscription: target.subscription.clone(),
            ends: lasts.filter(|_| polls.is_none()).map_or(Timestamp::MAX, |lasts| end(now, lasts)),
            polls,
            target,
            family,
            effect,
            bad_end,
            settled: false,
            async_query,
            location_query,
        };
        self.by_id.insert(id, operation);
        answer
    }

    /// The operations that have come to their end but are not settled, in the order in which they end. What ended long ago
    /// is forgotten, and polling it answers as for one that never was.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Vec<Operation> {
        let forgotten = now.saturating_sub(KEPT).unwrap_or(now);
        self.by_id.retain(|_, operation| !operation.settled || operation.ends > forgotten);
        let mut due: Vec<Operation> = Vec::new();
        for operation in self.by_id.values_mut() {
            if !operation.settled && operation.ends <= now {
                operation.settled = true;
                due.push(operation.clone());
                // The document has done its work once the caller has applied it.
                if let Effect::Update(document) = &mut operation.effect {
                    **document = Value::Null;
                }
            }
        }
        due.sort_by_key(|operation| operation.ends);
        due
    }

    pub(crate) fn running(&self) -> impl Iterator<Item = &Operation> {
        self.by_id.values().filter(|operation| !operation.settled)
    }

    /// Counts a poll; an operation that ends by polls may be due then.
    pub(crate) fn count_poll(&mut self, id: &str, now: Timestamp) {
        let Some(operation) = self.by_id.get_mut(id).filter(|operation| !operation.settled) else { return };
        if let Some(polls) = &mut operation.polls {
            *polls = polls.saturating_sub(1);
            if *polls == 0 {
                operation.ends = now;
            }
        }
    }

    /// Lets what still runs on resources whose id contains a text end now, as it would have in time.
    pub(crate) fn finish(&mut self, resource: &str, now: Timestamp) {
        let resource = resource.to_lowercase();
        let fits = |operation: &&mut Operation| {
            !operation.settled && operation.target.to_string().to_lowercase().contains(&resource)
        };
        for operation in self.by_id.values_mut().filter(fits) {
            operation.ends = now;
        }
    }

    /// The resource that the operation works on whose URL has this path.
    pub(crate) fn target(&self, path: &str) -> Option<&ResourceId> {
        let (_, id) = path.rsplit_once("/workspaceOperationsStatus/")?;
        self.by_id.get(id).map(|operation| &operation.target)
    }

    /// Forgets what still runs on a workspace that was removed by hand.
    pub(crate) fn abandon(&mut self, key: &str) {
        self.by_id.retain(|_, operation| {
            operation.settled || (operation.target.key() != key && operation.target.owner().key() != key)
        });
    }

    /// The answer to a poll. The URL must come back as it was given, to the letter.
    pub(crate) fn poll(&self, subscription: &str, id: &str, query: &str) -> Result<Polled<'_>, ArmError> {
        let operation = self
            .by_id
            .get(id)
            .filter(|operation| operation.subscription.eq_ignore_ascii_case(subscription))
            .ok_or_else(|| {
                ArmError::user_error(StatusCode::NOT_FOUND, "NotFoundError", format!("Operation {id} was not found."))
            })?;
        if query == operation.async_query {
            Ok(Polled::Async(operation))
        } else if query == operation.location_query {
            Ok(Polled::Location(operation))
        } else {
            Err(ArmError::gateway(
                StatusCode::FORBIDDEN,
                "InvalidOperationUrlSignature",
                "The signature of the operation's URL does not match: use the URL exactly as it was given.",
            ))
        }
    }
}

/// Which of the two URLs was polled.
pub(crate) enum Polled<'a> {
    Async(&'a Operation),
    Location(&'a Operation),
}

impl Operation {
    /// The body of the `Azure-AsyncOperation` URL. Failed and cancelled ones follow the general ARM form.
    pub(crate) fn status_body(&self) -> Value {
        match (&self.bad_end, self.settled) {
            (_, false) => json!({"status": "InProgress"}),
            (None, true) => json!({"status": "Succeeded", "percentComplete": 100.0}),
            (Some(end), true) => json!({
                "status": end.outcome.word(),
                "error": {"code": end.code, "message": end.message}
            }),
        }
    }

    /// The answer of the `Location` URL, where `resource` is what the workspace reads as by then. Recorded is only the
    /// end of a DELETE (200, empty); the resource after a PUT or PATCH and the error after a failure are general ARM form.
    pub(crate) fn location_answer(&self, url: String, resource: Option<Value>) -> Result<Answer, ArmError> {
        match (&self.bad_end, self.settled) {
            (_, false) => Ok(Answer::empty(StatusCode::ACCEPTED).with_header("location", url)),
            (Some(end), true) => Err(ArmError::service(StatusCode::BAD_REQUEST, &end.code, &end.message)),
            (None, true) => Ok(match (&self.effect, resource) {
                (Effect::Create | Effect::Update(_) | Effect::Rule(Some(_)), Some(resource)) => Answer::ok(resource),
                // `ManagedNetworkProvisionStatus`, which the official client expects of this operation.
                (Effect::Provision { .. }, Some(resource)) => {
                    Answer::ok(resource["properties"]["managedNetwork"]["status"].clone())
                }
                _ => Answer::empty(StatusCode::OK),
            }),
        }
    }
}

/// When something ends that begins now.
fn end(now: Timestamp, lasts: Duration) -> Timestamp {
    now.saturating_add(SignedDuration::try_from(lasts).unwrap_or(SignedDuration::MAX)).unwrap_or(now)
}

/// The recorded signatures are 3 to 4 KB long: a time in ticks, a certificate, a signature and a hash.
fn signature(now: Timestamp) -> String {
    const TICKS_AT_EPOCH: i128 = 621_355_968_000_000_000;
    let ticks = TICKS_AT_EPOCH + now.as_nanosecond() / 100;
    format!("t={ticks}&c={}&s={}&h={}", random_text(2744), random_text(342), random_text(43))
}

/// Random text of the base64url alphabet.
fn random_text(length: usize) -> String {
    std::iter::repeat_with(|| match fastrand::u8(0..64) {
        62 => '-',
        63 => '_',
        _ => fastrand::alphanumeric(),
    })
    .take(length)
    .collect()
}
