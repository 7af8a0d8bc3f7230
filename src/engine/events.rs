//! What a person sees under `kubectl describe`.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder};

use crate::api::conditions::Reason;

/// Longest note that the API server takes, in bytes.
const NOTE_LIMIT: usize = 1024;

/// Tells of something that went as it should.
pub async fn tell(recorder: &Recorder, about: &ObjectReference, reason: Reason, note: &str) {
    publish(recorder, about, EventType::Normal, reason, note).await;
}

/// Tells of something that a person may have to look at.
pub async fn warn(recorder: &Recorder, about: &ObjectReference, reason: Reason, note: &str) {
    publish(recorder, about, EventType::Warning, reason, note).await;
}

async fn publish(recorder: &Recorder, about: &ObjectReference, type_: EventType, reason: Reason, note: &str) {
    let end = (0..=NOTE_LIMIT.min(note.len())).rev().find(|end| note.is_char_boundary(*end)).unwrap_or_default();
    let event = Event {
        type_,
        reason: reason.as_str().to_owned(),
        note: Some(note[..end].to_owned()),
        action: "Reconcile".to_owned(),
        secondary: None,
    };
    // An event is a courtesy, and a namespace that is being deleted takes none: the work goes on without it.
    if let Err(error) = recorder.publish(&event, about).await {
        tracing::debug!(%error, reason = reason.as_str(), "event not published");
    }
}
