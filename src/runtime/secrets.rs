//! The watches on Secrets: wherever connections are, or in each namespace from when its first connection names one.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use k8s_openapi::api::core::v1::Secret;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt as _};

use super::http::Readiness;
use super::watches::{Change, Listeners, Watched, keep, listen};
use crate::api::FoundryConnection;
use crate::api::conditions::Reason;
use crate::api::credentials::Credentials;
use crate::engine::{Unresolved, secrets};
use crate::kinds::world::SecretLookup;

type Meta = PartialObjectMeta<Secret>;

/// Where Secrets are watched.
pub(super) enum SecretWatches {
    /// Wherever connections are. The operator may read them there, or does not work at all.
    Together(Watched<Meta>),
    /// In the namespaces that let the operator.
    ByNamespace(ByNamespace),
}

impl SecretWatches {
    pub(super) fn lookup(&self) -> Arc<dyn SecretLookup> {
        match self {
            Self::Together(watched) => Arc::new(watched.catalog()),
            Self::ByNamespace(watches) => Arc::new(watches.clone()),
        }
    }

    pub(super) fn tell(&self, readiness: &Readiness) {
        // A namespace that keeps its Secrets to itself does not make the operator unready.
        if let Self::Together(watched) = self {
            watched.tell(readiness);
        }
    }

    /// Ends when it is known, for each namespace with a connection that names a Secret, whether they may be read.
    pub(super) fn all_settled(&self) -> BoxFuture<'static, ()> {
        match self {
            Self::Together(watched) => watched.all_listed(),
            Self::ByNamespace(watches) => watches.clone().all_settled().boxed(),
        }
    }

    pub(super) fn changes(&self) -> UnboundedReceiver<Change<Meta>> {
        match self {
            Self::Together(watched) => watched.changes(),
            Self::ByNamespace(watches) => watches.changes(),
        }
    }

    /// The namespaces of which that becomes known.
    pub(super) fn settled(&self) -> UnboundedReceiver<String> {
        match self {
            Self::Together(_) => unbounded().1,
            Self::ByNamespace(watches) => watches.settled(),
        }
    }

    /// Whether that of a namespace is still being asked: its connections wait for the answer.
    pub(super) fn unsettled(&self) -> impl Fn(&str) -> bool + Clone + Send + 'static + use<> {
        let watches = match self {
            Self::Together(_) => None,
            Self::ByNamespace(watches) => Some(watches.clone()),
        };
        move |namespace| {
            watches.as_ref().is_some_and(|it| matches!(it.state().known.get(namespace), Some(Known::Asked)))
        }
    }
}

/// What is known of the Secrets of a namespace.
enum Known {
    Asked,
    Refused(Unresolved),
    Listed(Store<Meta>),
}

#[derive(Default)]
struct State {
    known: BTreeMap<String, Known>,
    waiting: Vec<UnboundedSender<String>>,
}

/// One watch for each namespace that has a connection which names a Secret. A namespace that does not let the operator is
/// asked again and again, with pauses of up to half a minute.
#[derive(Clone)]
pub(super) struct ByNamespace {
    role: Arc<str>,
    state: Arc<Mutex<State>>,
    ask: UnboundedSender<String>,
    listeners: Listeners<Meta>,
}

impl ByNamespace {
    /// `role` is the `ClusterRole` that a namespace binds to let the operator. What has to run comes with it.
    pub(super) fn begin(client: Client, role: &str) -> (Self, BoxFuture<'static, ()>) {
        let (ask, mut asked) = unbounded();
        let watches = Self { role: role.into(), state: Arc::default(), ask, listeners: Listeners::default() };
        let of = watches.clone();
        let run = async move {
            let mut running = FuturesUnordered::new();
            loop {
                tokio::select! {
                    Some(namespace) = asked.next() => running.push(of.watch(client.clone(), namespace)),
                    Some(()) = running.next() => {}
                    else => break,
                }
            }
        };
        (watches, run.boxed())
    }

    /// Has the Secrets of a connection's namespace watched, where it names one.
    pub(super) fn ask_for(&self, connection: &FoundryConnection) {
        let names_secrets = connection.spec.credentials.as_ref().is_some_and(Credentials::names_secrets);
        let Some(namespace) = connection.namespace().filter(|_| names_secrets) else { return };
        let mut state = self.state();
        if !state.known.contains_key(&namespace) {
            state.known.insert(namespace.clone(), Known::Asked);
            // Who takes it runs as long as the watch that has seen the connection.
            let _ = self.ask.unbounded_send(namespace);
        }
    }

    fn watch(&self, client: Client, namespace: String) -> BoxFuture<'static, ()> {
        let api = Api::namespaced(client, &namespace);
        let of = self.clone();
        let passes = move |event: &watcher::Result<watcher::Event<Meta>>, store: &Store<Meta>| {
            match event {
                Ok(watcher::Event::InitDone) => of.settle(&namespace, Known::Listed(store.clone())),
                Ok(_) => {}
                Err(error) => of.settle(&namespace, Known::Refused(of.refusal(&namespace, error))),
            }
            // A refusal is told once, on the connections, and not at each attempt.
            event.is_ok()
        };
        let listed = Arc::new(AtomicBool::new(true));
        keep(api, watcher::Config::default(), self.listeners.clone(), listed, passes).1
    }

    /// What has been listed stays so: should it be forbidden later, whoever reads the Secret itself is told.
    fn settle(&self, namespace: &str, known: Known) {
        let mut state = self.state();
        let is_new = match (state.known.get(namespace), &known) {
            (Some(Known::Listed(_)), _) => false,
            (Some(Known::Refused(before)), Known::Refused(now)) => before != now,
            _ => true,
        };
        if is_new {
            if let Known::Refused(unresolved) = &known {
                tracing::warn!(namespace, "{}", unresolved.message);
            }
            state.known.insert(namespace.to_owned(), known);
            state.waiting.retain(|waiting| waiting.unbounded_send(namespace.to_owned()).is_ok());
        }
    }

    fn refusal(&self, namespace: &str, error: &watcher::Error) -> Unresolved {
        match error {
            watcher::Error::InitialListFailed(kube::Error::Api(status)) if status.is_forbidden() => {
                secrets::forbidden(namespace, Some(&self.role), &status.message)
            }
            _ => Unresolved::new(
                Reason::SecretNotFound,
                format!("the Secrets of namespace {namespace} cannot be listed, which is tried again: {error}"),
            ),
        }
    }

    async fn all_settled(self) {
        let mut settled = self.settled();
        while self.state().known.values().any(|known| matches!(known, Known::Asked)) {
            settled.next().await;
        }
    }

    fn settled(&self) -> UnboundedReceiver<String> {
        let (sender, receiver) = unbounded();
        self.state().waiting.push(sender);
        receiver
    }

    fn changes(&self) -> UnboundedReceiver<Change<Meta>> {
        let state = self.state();
        let stores = state.known.values().filter_map(|known| match known {
            Known::Listed(store) => Some(store),
            Known::Asked | Known::Refused(_) => None,
        });
        listen(&self.listeners, stores)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SecretLookup for ByNamespace {
    fn get(&self, namespace: &str, name: &str) -> Result<Arc<Meta>, Unresolved> {
        let there = match self.state().known.get(namespace) {
            Some(Known::Refused(unresolved)) => return Err(unresolved.clone()),
            Some(Known::Listed(store)) => store.get(&ObjectRef::new(name).within(namespace)),
            Some(Known::Asked) | None => None,
        };
        there.ok_or_else(|| secrets::not_found(namespace, name))
    }
}
