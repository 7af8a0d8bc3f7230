//! One reconcile: what kube-runtime calls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::ResourceExt as _;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use tracing::Instrument as _;

use super::context::{Context, Error, RECONCILE_TIMEOUT};
use super::kind::Kind;
use super::metrics::Outcome;
use super::session::Session;
use crate::arm::{Class, CorrelationId, retry};

/// Brings one object a step nearer to what it should be.
///
/// # Errors
/// [`Error`] where the API server failed; what ARM answers is told in the object's conditions instead.
pub async fn reconcile<K: Kind>(object: Arc<K>, context: Arc<Context<K>>) -> Result<Action, Error> {
    context.queue.take(&ObjectRef::from_obj(object.as_ref()));
    let (kind, started, correlation) = (K::kind(&()), Instant::now(), CorrelationId::random());
    // At the highest level, so that whatever is logged says whose it is. `name` is what a JSON log calls the span itself.
    let span = tracing::error_span!(
        "reconcile",
        %kind,
        object = named(object.as_ref()),
        correlation_id = %correlation,
        outcome = tracing::field::Empty,
    );
    let session = Session::new(&context, K::clone(&object), correlation);
    context.metrics.reconciling(&kind, 1);
    let ended = tokio::time::timeout(RECONCILE_TIMEOUT, session.run().instrument(span.clone())).await;
    context.metrics.reconciling(&kind, -1);
    let ended = ended.unwrap_or(Err(Error::TimedOut));
    let outcome = ended.as_ref().map_or_else(Outcome::of, |(_, outcome)| *outcome);
    context.metrics.reconciled(&kind, outcome, started.elapsed());
    span.record("outcome", outcome.as_str());
    ended.map(|(action, _)| action)
}

fn named<K: Kind>(object: &K) -> String {
    format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any())
}

/// When to try again after a reconcile failed.
#[expect(clippy::needless_pass_by_value, reason = "the form that kube-runtime asks for")]
pub fn on_error<K: Kind>(object: Arc<K>, error: &Error, context: Arc<Context<K>>) -> Action {
    if !context.arm.may_write() {
        // Nothing is wrong with the object: another replica goes on with it.
        tracing::debug!(kind = %K::kind(&()), %error, "given up with the lease");
        return Action::await_change();
    }
    let name = named(object.as_ref());
    if error.is_conflict() {
        tracing::debug!(kind = %K::kind(&()), object = name, "{name} changed meanwhile; looking at it again");
        return Action::requeue(Duration::from_millis(200));
    }
    let failures = context.failures.count(&object.uid().unwrap_or_default());
    let pause = retry::pause(Class::Fast, failures, None, fastrand::f64());
    tracing::warn!(kind = %K::kind(&()), object = name, %error, ?pause, "reconcile of {name} failed");
    Action::requeue(pause)
}
