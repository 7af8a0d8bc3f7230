//! What a reconcile has at hand, and how it can end without coming to rest.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use kube::runtime::events::Recorder;

use super::backoff::{Asked, Failures};
use super::callback::Callbacks;
use super::kind::Kind;
use super::metrics::EngineMetrics;
use super::observed::Observed;
use super::pace::Pace;
use super::queue::Queue;
use crate::arm::{self, Providers, WriteGate};

/// Longest time one reconcile may take: the API client alone would go on retrying for longer.
pub(super) const RECONCILE_TIMEOUT: Duration = Duration::from_mins(3);

/// What every reconcile of a kind has at hand.
pub struct Context<K: Kind> {
    /// The Kubernetes API.
    pub client: Client,
    /// Azure Resource Manager.
    pub arm: Arc<arm::Client>,
    /// What registers resource providers.
    pub providers: Arc<Providers>,
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
    /// How long operations take.
    pub pace: Arc<Pace>,
    /// The `ClusterRole` that a namespace binds to let the operator read its Secrets, where there is one.
    pub secret_role: Option<String>,
    /// Who failed how often.
    pub failures: Failures,
    /// Who was asked for by hand.
    pub asked: Asked,
    /// Who is called back.
    pub callbacks: Arc<Callbacks<K>>,
    /// Who waits for a reconcile.
    pub queue: Queue<K>,
    /// Whose resource was seen when.
    pub observed: Arc<Observed>,
    /// What is counted.
    pub metrics: EngineMetrics,
}

impl<K: Kind> Context<K> {
    /// Nothing is remembered of an object that has gone.
    pub fn forget(&self, uid: &str) {
        self.gate.leave(uid);
        self.failures.forget(uid);
        self.asked.forget(uid);
        self.observed.forget(uid);
    }
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
    /// The API server showed the object as it was before what it had shown already.
    #[error("the API server is behind what it told before")]
    Behind,
    /// The object is gone, or another of its name has taken its place.
    #[error("the object is gone")]
    Superseded,
}

impl Error {
    /// Whether the object changed, or another took its place, between two calls.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Kubernetes(error) if matches!(error.as_ref(), kube::Error::Api(status) if status.is_conflict()))
    }
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Kubernetes(Box::new(error))
    }
}
