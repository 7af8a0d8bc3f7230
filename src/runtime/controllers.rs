//! The three controllers, and who has to look again when something else changes.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use futures::stream::{BoxStream, SelectAll};
use futures::{FutureExt as _, Stream, StreamExt as _};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{self, Controller};
use kube::runtime::events::Recorder;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, Resource as _, ResourceExt as _};
use tokio_util::sync::CancellationToken;

use super::watches::{Change, Scope, Watchable, Watched, Watches, where_changed};
use crate::api::conditions::{ConditionType, find};
use crate::api::credentials::Credentials;
use crate::api::status::{EngineStatus, WorkspaceStatus};
use crate::api::{FoundryConnection, FoundryHub, FoundryProject, RECONCILE_AT};
use crate::arm::{self, Providers, WriteGate};
use crate::engine::backoff::{Asked, Failures};
use crate::engine::observed::Observed;
use crate::engine::pace::Pace;
use crate::engine::queue::Queue;
use crate::engine::{Context, EngineMetrics, Kind, driver};
use crate::kinds::World;

/// How many objects of a kind are worked on at once. They mostly wait for their turn at ARM, which is fair only among those
/// who are in the line.
const CONCURRENCY: u16 = 1024;
/// How long what is under way may take to end once the operator is told to stop.
const FAREWELL: Duration = Duration::from_secs(8);

/// What all controllers have in common.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) arm: Arc<arm::Client>,
    pub(super) providers: Arc<Providers>,
    pub(super) gate: Arc<WriteGate>,
    pub(super) world: Arc<World>,
    pub(super) recorder: Recorder,
    pub(super) resync: Duration,
    pub(super) poll: Duration,
    pub(super) pace: Arc<Pace>,
    pub(super) observed: Arc<Observed>,
    pub(super) metrics: EngineMetrics,
    pub(super) secret_role: Option<String>,
    pub(super) stop: CancellationToken,
}

/// Runs until told to stop, or a little longer for what is under way.
pub(super) async fn run(watches: &Watches, shared: &Shared) {
    let world = &shared.world;
    let at_once = |_: &str| false;
    let hubs = control(&watches.hubs, shared, at_once, || {
        let world = world.clone();
        vec![refs(where_changed(watches.projects.changes(), holds_hub), move |project| deleting_hub(&world, project))]
    });
    let projects = control(&watches.projects, shared, at_once, || {
        let (of_hub, of_namespace) = (world.clone(), world.clone());
        vec![
            refs(where_changed(watches.hubs.changes(), matters_of_hub), move |hub| projects_of(&of_hub, hub)),
            refs(where_changed(watches.namespaces.changes(), labels), move |namespace| {
                projects_in(&of_namespace, namespace)
            }),
        ]
    });
    let all_connections = watches.connections.catalog();
    let connections = control(&watches.connections, shared, watches.secrets.unsettled(), || {
        let concerned = |concerns: fn(&World, &FoundryConnection, &str, &str) -> bool| {
            let (world, all) = (world.clone(), all_connections.clone());
            move |namespace: Option<String>, name: String| {
                let namespace = namespace.unwrap_or_default();
                let concerned = all.filter(|connection| concerns(&world, connection, &namespace, &name));
                concerned.iter().map(|connection| ObjectRef::from_obj(connection.as_ref())).collect::<Vec<_>>()
            }
        };
        let (hub, project) = (concerned(builds_on_hub), concerned(is_of_project));
        let (secret, namespace) = (concerned(names_secret), concerned(is_of_any_project_in));
        let settled = concerned(names_any_secret_in);
        vec![
            refs(where_changed(watches.hubs.changes(), matters_of_hub), move |changed| {
                hub(changed.namespace(), changed.name_any())
            }),
            refs(where_changed(watches.projects.changes(), matters_of_project), move |changed| {
                project(changed.namespace(), changed.name_any())
            }),
            refs(where_changed(watches.secrets.changes(), version), move |changed| {
                secret(changed.namespace(), changed.name_any())
            }),
            refs(where_changed(watches.namespaces.changes(), labels), move |changed| {
                namespace(None, changed.name_any())
            }),
            watches.secrets.settled().flat_map(move |changed| futures::stream::iter(settled(None, changed))).boxed(),
        ]
    });
    let all = async {
        // Before every cache is filled, a hub that is not in one may still exist.
        watches.all_listed().await;
        tracing::info!("every cache is filled; reconciling");
        shared.observed.begin(Timestamp::now());
        join_all(hubs.into_iter().chain(projects).chain(connections)).await;
    };
    let late = async {
        shared.stop.cancelled().await;
        tokio::time::sleep(FAREWELL).await;
        tracing::warn!("stopped before everything under way had ended; whoever works next resumes it");
    };
    tokio::select! {
        () = all => {}
        () = late => {}
    }
}

/// One controller for each scope of a kind. `triggers` gives, for each of them, who has to look again when others change;
/// what is `held` in a namespace meanwhile has to be among that later.
fn control<K: Kind<World = World> + Watchable>(
    watched: &Watched<K>,
    shared: &Shared,
    held: impl Fn(&str) -> bool + Clone + Send + 'static,
    triggers: impl Fn() -> Vec<BoxStream<'static, ObjectRef<K>>>,
) -> Vec<BoxFuture<'static, ()>> {
    let context = Arc::new(Context {
        client: shared.client.clone(),
        arm: shared.arm.clone(),
        providers: shared.providers.clone(),
        gate: shared.gate.clone(),
        world: shared.world.clone(),
        recorder: shared.recorder.clone(),
        resync: shared.resync,
        poll: shared.poll,
        pace: shared.pace.clone(),
        secret_role: shared.secret_role.clone(),
        failures: Failures::default(),
        asked: Asked::default(),
        callbacks: Arc::default(),
        queue: Queue::new(shared.metrics.clone()),
        observed: shared.observed.clone(),
        metrics: shared.metrics.clone(),
    });
    context.metrics.begin(&K::kind(&()));
    let one = |(scope, store): (&Scope, &Store<K>)| {
        let in_scope = |scope: Scope| {
            let held = held.clone();
            move |namespace: Option<&str>| {
                scope.as_deref().is_none_or(|scope| Some(scope) == namespace) && !namespace.is_some_and(&held)
            }
        };
        let (own, others) = (in_scope(scope.clone()), in_scope(scope.clone()));
        let forgotten = context.clone();
        let changed = where_changed(watched.changes(), asks_for_reconcile)
            .inspect(move |change| {
                // Whoever took the object away, and however: nothing is held for it any more.
                if let (true, Some(uid)) = (change.deleted, change.object.uid()) {
                    forgotten.forget(&uid);
                }
            })
            .filter(move |change| std::future::ready(!change.deleted && own(change.object.namespace().as_deref())))
            .map(|change| change.object)
            .inspect({
                let context = context.clone();
                move |object| context.queue.push(&ObjectRef::from_obj(object.as_ref()))
            });
        let triggered: SelectAll<_> = triggers().into_iter().chain([context.callbacks.listen().boxed()]).collect();
        let asked = context.clone();
        let triggered = triggered
            .filter(move |object| std::future::ready(others(object.namespace.as_deref())))
            .inspect(move |object| asked.queue.push(object));
        let gone = context.clone();
        Controller::for_shared_stream(changed, store.clone())
            .with_config(controller::Config::default().concurrency(CONCURRENCY))
            .reconcile_on(triggered)
            .graceful_shutdown_on(shared.stop.clone().cancelled_owned())
            // Boxed: kube-runtime keeps a table of the futures themselves, which never shrinks, and they are large.
            .run(|object, context| driver::reconcile(object, context).boxed(), driver::on_error, context.clone())
            .for_each(move |outcome| {
                // What a reconcile could not do is told where it happened; what is left is an object that has gone.
                if let Err(controller::Error::ObjectNotFound(object)) = &outcome {
                    gone.queue.take(&object.as_ref().clone().into_kind_unchecked(()));
                }
                if let Err(error) = outcome {
                    tracing::debug!(kind = %K::kind(&()), %error, "not reconciled");
                }
                std::future::ready(())
            })
            .boxed()
    };
    watched.scopes.iter().map(one).collect()
}

fn refs<K: Watchable, T: Watchable, I: IntoIterator<Item = ObjectRef<T>>>(
    changes: impl Stream<Item = Change<K>> + Send + 'static,
    concerns: impl Fn(&K) -> I + Send + 'static,
) -> BoxStream<'static, ObjectRef<T>>
where
    I::IntoIter: Send + 'static,
{
    changes.flat_map(move |change| futures::stream::iter(concerns(&change.object))).boxed()
}

/// An object's own changes that ask for a reconcile: not those that the operator makes itself.
fn asks_for_reconcile<K: Watchable>(object: &K) -> impl Hash + use<K> {
    let meta = object.meta();
    (meta.generation, meta.deletion_timestamp.is_some(), object.annotations().get(RECONCILE_AT).cloned())
}

/// What of a hub matters to its projects and connections.
fn matters_of_hub(hub: &FoundryHub) -> impl Hash + use<> {
    let status = hub.status.as_ref();
    (
        hub.meta().deletion_timestamp.is_some(),
        serde_json::to_string(&hub.spec.allowed_projects).unwrap_or_default(),
        status.map(|status| existence(&status.engine, &status.workspace)),
    )
}

/// What of a project matters to its connections.
fn matters_of_project(project: &FoundryProject) -> impl Hash + use<> {
    let status = project.status.as_ref();
    (project.meta().deletion_timestamp.is_some(), status.map(|status| existence(&status.engine, &status.workspace)))
}

/// Whether a workspace is there; and as long as it is not, why.
fn existence(engine: &EngineStatus, workspace: &WorkspaceStatus) -> impl Hash + use<> {
    let exists = workspace.workspace_id.clone();
    let why = find(&engine.conditions, ConditionType::Ready).filter(|_| exists.is_none());
    (engine.resource_id.clone(), why.map(|ready| ready.reason.clone()), exists)
}

/// What of a project matters to a hub that waits to be deleted.
fn holds_hub(project: &FoundryProject) -> impl Hash + use<> {
    project.status.as_ref().is_some_and(|status| !status.engine.resources.is_empty())
}

fn deleting_hub(world: &World, project: &FoundryProject) -> Option<ObjectRef<FoundryHub>> {
    let hub = world.hubs.get(&project.hub_namespace(), &project.spec.hub_ref.name)?;
    hub.meta().deletion_timestamp.is_some().then(|| ObjectRef::from_obj(hub.as_ref()))
}

fn projects_of(world: &World, hub: &FoundryHub) -> Vec<ObjectRef<FoundryProject>> {
    let (namespace, name) = (hub.namespace().unwrap_or_default(), hub.name_any());
    let projects =
        world.projects.filter(|project| project.hub_namespace() == namespace && project.spec.hub_ref.name == name);
    projects.iter().map(|project| ObjectRef::from_obj(project.as_ref())).collect()
}

/// Whether the connection is of the hub, or of a project in it.
fn builds_on_hub(world: &World, connection: &FoundryConnection, namespace: &str, name: &str) -> bool {
    let own = connection.namespace().unwrap_or_default();
    let spec = &connection.spec;
    let of_hub = spec.hub_ref.as_ref().is_some_and(|hub| own == namespace && hub.name == name);
    let project = spec.project_ref.as_ref().and_then(|project| world.projects.get(&own, &project.name));
    of_hub || project.is_some_and(|project| project.hub_namespace() == namespace && project.spec.hub_ref.name == name)
}

fn is_of_project(_world: &World, connection: &FoundryConnection, namespace: &str, name: &str) -> bool {
    let named = connection.spec.project_ref.as_ref().is_some_and(|project| project.name == name);
    named && connection.namespace().as_deref() == Some(namespace)
}

fn names_secret(_world: &World, connection: &FoundryConnection, namespace: &str, name: &str) -> bool {
    let named = connection.spec.credentials.as_ref().is_some_and(|credentials| credentials.names_secret(name));
    named && connection.namespace().as_deref() == Some(namespace)
}

fn names_any_secret_in(_world: &World, connection: &FoundryConnection, _: &str, namespace: &str) -> bool {
    let names = connection.spec.credentials.as_ref().is_some_and(Credentials::names_secrets);
    names && connection.namespace().as_deref() == Some(namespace)
}

fn is_of_any_project_in(_world: &World, connection: &FoundryConnection, _: &str, namespace: &str) -> bool {
    connection.spec.project_ref.is_some() && connection.namespace().as_deref() == Some(namespace)
}

fn projects_in(world: &World, namespace: &PartialObjectMeta<Namespace>) -> Vec<ObjectRef<FoundryProject>> {
    let projects =
        world.projects.filter(|project| project.namespace().as_deref() == Some(namespace.name_any().as_str()));
    projects.iter().map(|project| ObjectRef::from_obj(project.as_ref())).collect()
}

fn labels(namespace: &PartialObjectMeta<Namespace>) -> impl Hash + use<> {
    namespace.labels().clone()
}

fn version(secret: &PartialObjectMeta<Secret>) -> impl Hash + use<> {
    secret.resource_version()
}
