//! One reconcile: what kube-runtime calls.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt as _;
use kube::runtime::controller::Action;
use tracing::Instrument as _;

use super::context::{Context, Error, RECONCILE_TIMEOUT};
use super::kind::Kind;
use super::session::Session;
use crate::arm::{Class, retry};

/// Brings one object a step nearer to what it should be.
///
/// # Errors
/// [`Error`] where the API server failed; what ARM answers is told in the object's conditions instead.
pub async fn reconcile<K: Kind>(object: Arc<K>, context: Arc<Context<K>>) -> Result<Action, Error> {
    let span = tracing::info_span!(
        "reconcile",
        kind = %K::kind(&()),
        namespace = object.namespace().unwrap_or_default(),
        name = object.name_any()
    );
    let session = Session::new(&context, K::clone(&object));
    tokio::time::timeout(RECONCILE_TIMEOUT, session.run().instrument(span)).await.unwrap_or(Err(Error::TimedOut))
}

/// When to try again after a reconcile failed.
#[expect(clippy::needless_pass_by_value, reason = "the form that kube-runtime asks for")]
pub fn on_error<K: Kind>(object: Arc<K>, error: &Error, context: Arc<Context<K>>) -> Action {
    if !context.arm.may_write() {
        // Nothing is wrong with the object: another replica goes on with it.
        tracing::debug!(kind = %K::kind(&()), %error, "given up with the lease");
        return Action::await_change();
    }
    let name = format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any());
    if matches!(error, Error::Kubernetes(error) if matches!(error.as_ref(), kube::Error::Api(status) if status.is_conflict()))
    {
        tracing::debug!(kind = %K::kind(&()), name, "{name} changed meanwhile; looking at it again");
        return Action::requeue(Duration::from_millis(200));
    }
    let failures = context.failures.count(&object.uid().unwrap_or_default());
    let pause = retry::pause(Class::Fast, failures, None, fastrand::f64());
    tracing::warn!(kind = %K::kind(&()), name, %error, ?pause, "reconcile of {name} failed");
    Action::requeue(pause)
}
