//! One reconcile: what kube-runtime calls.

use std::sync::Arc;
use std::time::Duration;

use kube::runtime::controller::Action;
use kube::runtime::events::Recorder;
use kube::{Client, ResourceExt as _};
use tracing::Instrument as _;

use super::backoff::Failures;
use super::kind::Kind;
use super::session::Session;
use crate::arm::{self, Class, WriteGate, retry};

/// Longest time one reconcile may take: the API client alone would go on retrying for longer.
const RECONCILE_TIMEOUT: Duration = Duration::from_mins(3);

/// What every reconcile of a kind has at hand.
pub struct Context<K: Kind> {
    /// The Kubernetes API.
    pub client: Client,
    /// Azure Resource Manager.
    pub arm: Arc<arm::Client>,
    /// Who may write to which workspace.
    pub gate: Arc<WriteGate>,
    /// What the kind can look up.
    pub world: Arc<K::World>,
    /// Where events go.
    pub recorder: Recorder,
    /// How often Azure is read again when nothing happens.
    pub resync: Duration,
    /// The shortest pause between two polls of an operation.
    pub poll: Duration,
    /// Who failed how often.
    pub failures: Failures,
}

/// A reconcile that did not come to rest.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call to the API server failed.
    #[error("the Kubernetes API: {0}")]
    Kubernetes(#[source] Box<kube::Error>),
    /// It took too long.
    #[error("no end within {RECONCILE_TIMEOUT:?}")]
    TimedOut,
    /// The object is gone, or another of its name has taken its place.
    #[error("the object is gone")]
    Superseded,
    /// The plan went in circles.
    #[error("no rest within {0} steps")]
    Endless(usize),
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Kubernetes(Box::new(error))
    }
}

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
