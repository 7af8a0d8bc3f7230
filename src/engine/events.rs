//! What a person sees under `kubectl describe`.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder};

use crate::api::conditions::Reason;

/// Longest note that the API server takes, in bytes.
const NOTE_LIMIT: usize = 1024;

/// Longest time one event may take: nothing waits for it, but the next reconcile of the object does.
const LIMIT: Duration = Duration::from_secs(5);

/// Publishes an event.
pub async fn publish(recorder: &Recorder, about: &ObjectReference, type_: EventType, reason: Reason, note: &str) {
    let end = (0..=NOTE_LIMIT.min(note.len())).rev().find(|end| note.is_char_boundary(*end)).unwrap_or_default();
    let event = Event {
        type_,
        reason: reason.as_str().to_owned(),
        note: Some(note[..end].to_owned()),
        action: "Reconcile".to_owned(),
        secondary: None,
    };
    // An event is a courtesy, and a namespace that is being deleted takes none: the work goes on without it.
    match tokio::time::timeout(LIMIT, recorder.publish(&event, about)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, reason = reason.as_str(), "event not published"),
        Err(_) => tracing::debug!(reason = reason.as_str(), "event not published within {LIMIT:?}"),
    }
}
