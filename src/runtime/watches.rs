//! What is watched: one watch for each kind and namespace, whose changes everybody hears who has to act on them.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::future::{BoxFuture, join_all};
use futures::{FutureExt as _, Stream, StreamExt as _};
use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store, store};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use super::http::Readiness;
use super::secrets::{ByNamespace, SecretWatches};
use crate::api::{FoundryConnection, FoundryHub, FoundryProject, RECONCILE_AT};
use crate::kinds::Catalog;

/// A namespace, or `None` for the whole cluster.
pub(super) type Scope = Option<String>;

/// How many objects are listed at once. In memory a page is many times as large as what is kept of it (`managedFields`).
const PAGE: u32 = 50;

/// A change of an object: as it is now, or as it last was.
#[derive(Debug)]
pub(super) struct Change<K> {
    pub(super) object: Arc<K>,
    pub(super) deleted: bool,
}

impl<K> Clone for Change<K> {
    fn clone(&self) -> Self {
        Self { object: self.object.clone(), deleted: self.deleted }
    }
}

/// An object that can be watched.
pub(super) trait Watchable:
    Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static
{
}
impl<K> Watchable for K where K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static {}

pub(super) type Listeners<K> = Arc<Mutex<Vec<UnboundedSender<Change<K>>>>>;

/// The watched objects of a kind.
pub(super) struct Watched<K: Watchable> {
    pub(super) scopes: BTreeMap<Scope, Store<K>>,
    /// Which scopes have been listed. A store would tell too, but remembers only the last of those who wait for it.
    listed: BTreeMap<Scope, Arc<AtomicBool>>,
    listeners: Listeners<K>,
}

impl<K: Watchable> Watched<K> {
    pub(super) fn catalog(&self) -> Catalog<K> {
        Catalog::new(self.scopes.clone())
    }

    /// What is there, and every change from now on, in all scopes: nothing is missed by who begins to listen late, though it
    /// may hear of an object twice. Listeners only queue what they hear, so the channel stays short.
    pub(super) fn changes(&self) -> UnboundedReceiver<Change<K>> {
        listen(&self.listeners, self.scopes.values())
    }

    pub(super) fn tell(&self, readiness: &Readiness) {
        for (scope, listed) in self.listed.clone() {
            readiness.require(move || {
                let place = scope.as_ref().map_or(String::new(), |namespace| format!(" of namespace {namespace}"));
                let missing = !listed.load(Ordering::Relaxed);
                missing.then(|| format!("{}{place} are not listed yet", K::plural(&())))
            });
        }
    }

    pub(super) fn all_listed(&self) -> BoxFuture<'static, ()> {
        let stores: Vec<Store<K>> = self.scopes.values().cloned().collect();
        async move {
            for store in stores {
                // The writer lives as long as the watch: it cannot have been dropped.
                let _ = store.wait_until_ready().await;
            }
        }
        .boxed()
    }
}

/// What is in the stores, and every change from now on.
pub(super) fn listen<'a, K: Watchable>(
    listeners: &Listeners<K>,
    stores: impl Iterator<Item = &'a Store<K>>,
) -> UnboundedReceiver<Change<K>> {
    let (sender, receiver) = unbounded();
    let mut listeners = listeners.lock().unwrap_or_else(PoisonError::into_inner);
    for object in stores.flat_map(Store::state) {
        // The receiver is here: it cannot have gone.
        let _ = sender.unbounded_send(Change { object, deleted: false });
    }
    listeners.push(sender);
    receiver
}

/// Everything that is watched.
pub(super) struct Watches {
    pub(super) hubs: Watched<FoundryHub>,
    pub(super) projects: Watched<FoundryProject>,
    pub(super) connections: Watched<FoundryConnection>,
    pub(super) secrets: SecretWatches,
    pub(super) namespaces: Watched<PartialObjectMeta<Namespace>>,
}

impl Watches {
    /// In all namespaces where `namespaces` is empty. With a `secret_role`, Secrets are watched where a namespace has bound
    /// it. What has to run for anything to be seen comes with it.
    pub(super) fn begin(
        client: &Client,
        namespaces: &[String],
        secret_role: Option<&str>,
    ) -> (Self, BoxFuture<'static, ()>) {
        let mut sources = Vec::new();
        let (connections, secrets) = match secret_role {
            None => (
                in_namespaces(client, namespaces, |_| {}, &mut sources),
                SecretWatches::Together(in_namespaces(client, namespaces, |_| {}, &mut sources)),
            ),
            Some(role) => {
                let (secrets, run) = ByNamespace::begin(client.clone(), role);
                sources.push(run);
                let asking = secrets.clone();
                let ask = move |connection: &FoundryConnection| asking.ask_for(connection);
                (in_namespaces(client, namespaces, ask, &mut sources), SecretWatches::ByNamespace(secrets))
            }
        };
        let watches = Self {
            hubs: in_namespaces(client, namespaces, |_| {}, &mut sources),
            projects: in_namespaces(client, namespaces, |_| {}, &mut sources),
            connections,
            secrets,
            namespaces: namespaces_themselves(client, namespaces, &mut sources),
        };
        (watches, join_all(sources).map(|_| ()).boxed())
    }

    /// The operator is not ready before every cache is filled.
    pub(super) fn tell(&self, readiness: &Readiness) {
        self.hubs.tell(readiness);
        self.projects.tell(readiness);
        self.connections.tell(readiness);
        self.secrets.tell(readiness);
        self.namespaces.tell(readiness);
    }

    /// Ends when every cache has been filled: before that, what is not in one may still exist.
    pub(super) fn all_listed(&self) -> BoxFuture<'static, ()> {
        let listed = [
            self.hubs.all_listed(),
            self.projects.all_listed(),
            self.connections.all_listed(),
            self.namespaces.all_listed(),
        ];
        // Whose Secrets are needed is known only when all connections are.
        let secrets = self.secrets.all_settled();
        join_all(listed).then(|_| secrets).boxed()
    }
}

/// `seen` is told of each object before the listeners are.
fn in_namespaces<K>(
    client: &Client,
    namespaces: &[String],
    seen: impl Fn(&K) + Clone + Send + 'static,
    sources: &mut Vec<BoxFuture<'static, ()>>,
) -> Watched<K>
where
    K: Watchable + Resource<Scope = kube::core::NamespaceResourceScope>,
{
    let everything = watcher::Config::default;
    let apis = match namespaces {
        [] => BTreeMap::from([(None, (Api::all(client.clone()), everything()))]),
        some => some
            .iter()
            .map(|name| (Some(name.clone()), (Api::namespaced(client.clone(), name), everything())))
            .collect(),
    };
    watch(apis, seen, sources)
}

/// The namespaces that are served, one by one: who serves a few may need no right to see the others.
fn namespaces_themselves(
    client: &Client,
    namespaces: &[String],
    sources: &mut Vec<BoxFuture<'static, ()>>,
) -> Watched<PartialObjectMeta<Namespace>> {
    let all = || Api::all(client.clone());
    let apis = match namespaces {
        [] => BTreeMap::from([(None, (all(), watcher::Config::default()))]),
        some => some
            .iter()
            .map(|name| {
                let only = watcher::Config::default().fields(&format!("metadata.name={name}"));
                (Some(name.clone()), (all(), only))
            })
            .collect(),
    };
    watch(apis, |_| {}, sources)
}

fn watch<K: Watchable>(
    apis: BTreeMap<Scope, (Api<K>, watcher::Config)>,
    seen: impl Fn(&K) + Clone + Send + 'static,
    sources: &mut Vec<BoxFuture<'static, ()>>,
) -> Watched<K> {
    let listeners = Listeners::default();
    let (mut scopes, mut listed) = (BTreeMap::new(), BTreeMap::new());
    for (scope, (api, config)) in apis {
        let done = Arc::new(AtomicBool::new(false));
        let seen = seen.clone();
        let see = move |event: &watcher::Result<watcher::Event<K>>, _: &Store<K>| {
            if let Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) = event {
                seen(object);
            }
            true
        };
        let (reader, source) = keep(api, config, listeners.clone(), done.clone(), see);
        sources.push(source);
        listed.insert(scope.clone(), done);
        scopes.insert(scope, reader);
    }
    Watched { scopes, listed, listeners }
}

/// A store, and what keeps it as the cluster is. Listeners hear of what `passes`, which sees the store as it is after the event.
pub(super) fn keep<K: Watchable>(
    api: Api<K>,
    config: watcher::Config,
    listeners: Listeners<K>,
    listed: Arc<AtomicBool>,
    mut passes: impl FnMut(&watcher::Result<watcher::Event<K>>, &Store<K>) -> bool + Send + 'static,
) -> (Store<K>, BoxFuture<'static, ()>) {
    let (reader, writer) = store();
    let seen = reader.clone();
    let events = watcher(api, config.page_size(PAGE))
        .default_backoff()
        .modify(forget_the_unneeded)
        .reflect(writer)
        .filter(move |event| std::future::ready(passes(event, &seen)));
    (reader.clone(), spread(events, reader, listeners, listed).boxed())
}

/// Takes out what nobody here reads. An annotation of a Secret's may repeat its data (`kubectl apply` does that).
fn forget_the_unneeded<K: Watchable>(object: &mut K) {
    let meta = object.meta_mut();
    meta.managed_fields = None;
    if let Some(annotations) = &mut meta.annotations {
        annotations.retain(|name, _| name == RECONCILE_AT);
    }
}

/// Tells every listener of every change. After a watch was interrupted, what happened meanwhile is told too, and only that.
async fn spread<K: Watchable>(
    events: impl Stream<Item = watcher::Result<watcher::Event<K>>>,
    reader: Store<K>,
    listeners: Listeners<K>,
    listed: Arc<AtomicBool>,
) {
    let mut known: HashMap<ObjectRef<K>, Arc<K>> = HashMap::new();
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        if matches!(event, Ok(watcher::Event::InitDone)) {
            listed.store(true, Ordering::Relaxed);
        }
        let changes = match event {
            Ok(event) => changes(event, &reader, &mut known),
            Err(error) if listed.load(Ordering::Relaxed) => {
                tracing::warn!(%error, "the watch on {} was interrupted and is taken up again", K::plural(&()));
                continue;
            }
            Err(error) => {
                let kind = K::plural(&());
                tracing::error!(%error, "{kind} cannot be listed, and nothing is reconciled until they are: are the CRDs and the RBAC of the charts installed?");
                continue;
            }
        };
        let listeners = listeners.lock().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            for listener in listeners.iter() {
                // A listener that has gone is one whose controller has stopped.
                let _ = listener.unbounded_send(change.clone());
            }
        }
    }
}

fn changes<K: Watchable>(
    event: watcher::Event<K>,
    reader: &Store<K>,
    known: &mut HashMap<ObjectRef<K>, Arc<K>>,
) -> Vec<Change<K>> {
    match event {
        watcher::Event::Apply(object) => {
            let key = ObjectRef::from_obj(&object);
            // The cache has it already: once is enough.
            let object = reader.get(&key).unwrap_or_else(|| Arc::new(object));
            known.insert(key, object.clone());
            vec![Change { object, deleted: false }]
        }
        watcher::Event::Delete(object) => {
            known.remove(&ObjectRef::from_obj(&object));
            vec![Change { object: Arc::new(object), deleted: true }]
        }
        watcher::Event::Init | watcher::Event::InitApply(_) => Vec::new(),
        watcher::Event::InitDone => {
            let now: HashMap<_, _> = reader.state().into_iter().map(|o| (ObjectRef::from_obj(o.as_ref()), o)).collect();
            let before = std::mem::replace(known, now);
            let version = |object: &Arc<K>| (object.meta().uid.clone(), object.meta().resource_version.clone());
            let stays = |key, object: &Arc<K>| known.get(key).is_some_and(|now| now.meta().uid == object.meta().uid);
            let gone = before.iter().filter(|(key, object)| !stays(*key, object)).map(|(_, object)| (object, true));
            let other = known
                .iter()
                .filter(|(key, object)| before.get(key).is_none_or(|old| version(old) != version(object)))
                .map(|(_, object)| (object, false));
            gone.chain(other).map(|(object, deleted)| Change { object: object.clone(), deleted }).collect()
        }
    }
}

/// Passes on only changes in what matters to the listener.
pub(super) fn where_changed<K, M>(
    changes: impl Stream<Item = Change<K>> + Send + 'static,
    matters: impl Fn(&K) -> M + Send + 'static,
) -> impl Stream<Item = Change<K>> + Send + 'static
where
    K: Watchable,
    M: Hash,
{
    let mut known: HashMap<ObjectRef<K>, u64> = HashMap::new();
    changes.filter(move |change| {
        let key = ObjectRef::from_obj(change.object.as_ref());
        let passes = if change.deleted {
            known.remove(&key);
            true
        } else {
            let mut hasher = DefaultHasher::new();
            (change.object.meta().uid.as_ref(), matters(&change.object)).hash(&mut hasher);
            let hash = hasher.finish();
            known.insert(key, hash) != Some(hash)
        };
        std::future::ready(passes)
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    fn object(name: &str, version: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.name = Some(name.to_owned());
        object.metadata.resource_version = Some(version.to_owned());
        object
    }

    fn told(changes: &[Change<ConfigMap>]) -> Vec<(String, bool)> {
        let mut told: Vec<_> =
            changes.iter().map(|change| (change.object.metadata.name.clone().unwrap(), change.deleted)).collect();
        told.sort();
        told
    }

    #[test]
    fn after_an_interruption_only_what_changed_meanwhile_is_told() {
        let (reader, mut writer) = store();
        let mut known = HashMap::new();
        let mut list = |objects: &[ConfigMap], known: &mut HashMap<_, _>| {
            let listed = objects.iter().cloned().map(watcher::Event::InitApply);
            for event in std::iter::once(watcher::Event::Init).chain(listed).chain([watcher::Event::InitDone]) {
                writer.apply_watcher_event(&event);
                if matches!(event, watcher::Event::InitDone) {
                    return changes(event, &reader, known);
                }
            }
            Vec::new()
        };
        let first = list(&[object("same", "1"), object("changed", "1"), object("gone", "1")], &mut known);
        assert_eq!(first.len(), 3);
        let second = list(&[object("same", "1"), object("changed", "2"), object("new", "3")], &mut known);
        let expected = [("changed", false), ("gone", true), ("new", false)].map(|(name, gone)| (name.to_owned(), gone));
        assert_eq!(told(&second), expected);
        let mut another = object("same", "4");
        another.metadata.uid = Some("another".to_owned());
        let third = list(&[another, object("changed", "2"), object("new", "3")], &mut known);
        let expected = [("same", false), ("same", true)].map(|(name, gone)| (name.to_owned(), gone));
        assert_eq!(told(&third), expected, "a namesake has taken its place");
        assert!(third[0].deleted, "the old one goes first");
    }

    #[tokio::test]
    async fn who_begins_to_listen_late_hears_of_what_is_there() {
        let (reader, mut writer) = store();
        for event in [watcher::Event::Init, watcher::Event::InitApply(object("a", "1")), watcher::Event::InitDone] {
            writer.apply_watcher_event(&event);
        }
        let watched = Watched {
            scopes: BTreeMap::from([(None, reader)]),
            listed: BTreeMap::new(),
            listeners: Listeners::default(),
        };
        let heard: Vec<_> = watched.changes().take(1).collect().await;
        assert_eq!(told(&heard), [("a".to_owned(), false)]);
    }

    #[tokio::test]
    async fn only_what_matters_is_passed_on() {
        let change = |version: &str, deleted| Change { object: Arc::new(object("a", version)), deleted };
        let all = futures::stream::iter([change("1", false), change("2", false), change("2", true)]);
        let passed: Vec<_> = where_changed(all, |object| object.metadata.name.clone()).collect().await;
        assert_eq!(told(&passed), [("a".to_owned(), false), ("a".to_owned(), true)]);
    }
}
