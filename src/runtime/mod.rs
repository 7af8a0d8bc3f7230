//! Wiring: what the operator is told at its start, what it watches, and what runs until it is told to stop.

pub mod cloud;
mod controllers;
pub mod election;
pub mod http;
mod log_level;
mod objects;
pub mod options;
mod secrets;
mod telemetry;
pub mod traces;
mod watches;

use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use kube::client::ClientBuilder;
use kube::runtime::events::{Recorder, Reporter};
use kube::{Api, Client, Config, ResourceExt as _};
#[cfg(target_os = "linux")]
use prometheus::process_collector::ProcessCollector;
use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};
use tokio_util::sync::CancellationToken;
use tower::limit::ConcurrencyLimitLayer;

use crate::arm::throttle::gauges::Gauges;
use crate::arm::{self, ArmMetrics, Fence, Providers, Tokens, Transport, WriteGate};
use crate::engine::EngineMetrics;
use crate::engine::observed::Observed;
use crate::kinds::World;
use election::{Election, Fenced, Standing, Told};
use http::Readiness;
use objects::Objects;
pub use options::Options;
use traces::Traces;
use watches::Watches;

/// How many calls to the API server are made at once: each has a connection of its own. A watch counts until it begins.
const AT_ONCE: usize = 64;

/// What ends the operator before or while it runs.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs the operator until SIGTERM or Ctrl-C.
///
/// # Errors
/// Where the options do not fit together, a file cannot be read, or the API server cannot be reached at the start; and where
/// the lease is lost.
pub fn run(options: Options) -> Result<(), Failure> {
    // Two crates of the tree bring a TLS provider of their own; one has to be chosen before the first connection.
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| "another TLS provider is installed already")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let traces = options.otlp_endpoint.as_ref().map(|to| Traces::to(to, runtime.handle().clone())).transpose()?;
    let log = telemetry::init(options.log_format, options.log_level, traces.as_ref());
    if let Some(file) = options.log_level_file.clone() {
        runtime.spawn(async move { log_level::follow(&file, options.log_level, log).await });
    }
    let outcome = runtime.block_on(operate(options));
    if let Some(traces) = traces {
        traces.end();
    }
    // Whatever still runs is waited for no longer.
    runtime.shutdown_background();
    outcome
}

async fn operate(options: Options) -> Result<(), Failure> {
    let registry = Registry::new();
    let readiness = Arc::new(Readiness::starting());
    about_itself(&registry)?;
    http::serve(options.http_address, registry.clone(), readiness.clone()).await?;
    let fence = if options.leader_elect { Fence::closed() } else { Fence::unlimited() };
    let told = told_of_leader(&registry, &readiness)?;
    let arm = Arc::new(arm_client(&options, ArmMetrics::new(&registry)?, fence.clone())?);
    registry.register(Box::new(Gauges::new(arm.throttle())?))?;
    if let Some(error) = arm.misconfigured() {
        tracing::error!(%error, "Azure cannot be called");
        readiness.require(move || Some(error.to_string()));
    }
    let config = Config::infer().await?;
    let lease_namespace = options.lease_namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
    let unfenced = Client::try_from(config.clone())?;
    let client = ClientBuilder::try_from(config)?
        .with_layer(&Fenced(fence.clone()))
        .with_layer(&ConcurrencyLimitLayer::new(AT_ONCE))
        .build();
    let cluster_id = match &options.cluster_id {
        Some(id) => id.clone(),
        None => own_cluster_id(&client).await?,
    };
    let stop = CancellationToken::new();
    tokio::spawn(cancel_on_signal(stop.clone()));

    let (watches, sources) = Watches::begin(&client, &options.watch_namespaces, options.secret_role.as_deref());
    watches.tell(&readiness);
    readiness.begun();
    let world = Arc::new(World {
        hubs: watches.hubs.catalog(),
        projects: watches.projects.catalog(),
        namespaces: watches.namespaces.catalog(),
        secrets: watches.secrets.lookup(),
        cluster_id: cluster_id.clone(),
        subscription_id: options.subscription_id.clone(),
        studio: options.cloud()?.studio,
    });
    let observed = Arc::<Observed>::default();
    registry.register(Box::new(Objects::new(world.clone(), watches.connections.catalog(), observed.clone())?))?;
    let shared = controllers::Shared {
        recorder: Recorder::new(client.clone(), Reporter { controller: "foundry-operator".into(), instance: None }),
        client,
        arm,
        providers: Arc::new(Providers::new(options.register_providers)),
        gate: Arc::new(WriteGate::default()),
        world,
        resync: options.resync,
        poll: options.poll_interval,
        pace: Arc::default(),
        observed,
        metrics: EngineMetrics::new(&registry)?,
        secret_role: options.secret_role.clone(),
        stop: stop.clone(),
    };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        cluster_id,
        endpoint = options.cloud()?.arm_endpoint,
        namespaces =
            if options.watch_namespaces.is_empty() { "all".to_owned() } else { options.watch_namespaces.join(",") },
        "foundry-operator runs"
    );
    let work = controllers::run(&watches, &shared);
    let lead = async {
        if !options.leader_elect {
            told.set(Standing::Leads);
            work.await;
            return Ok(());
        }
        let (namespace, name, duration) = (&lease_namespace, &options.replica_name, options.lease_duration);
        Election::new(unfenced, namespace, name, duration, fence, told)?.lead(&stop, work).await
    };
    // The caches are kept filled while another replica leads.
    tokio::select! {
        outcome = lead => outcome?,
        () = sources => {}
    }
    tracing::info!("foundry-operator has stopped");
    Ok(())
}

/// Which version this is; and what it needs of the machine, where the system tells.
fn about_itself(registry: &Registry) -> Result<(), Failure> {
    let build =
        IntGaugeVec::new(Opts::new("foundry_build_info", "Always 1; the label says which version."), &["version"])?;
    build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    registry.register(Box::new(build))?;
    #[cfg(target_os = "linux")]
    registry.register(Box::new(ProcessCollector::for_self()))?;
    Ok(())
}

/// Where it is told which replica leads: a metric and the readiness.
fn told_of_leader(registry: &Registry, readiness: &Readiness) -> Result<Told, Failure> {
    let gauge = IntGauge::new("foundry_leader", "Whether this replica is the one that works.")?;
    registry.register(Box::new(gauge.clone()))?;
    let told = Told::new(gauge);
    let (unknown, waits) = (told.clone(), told.clone());
    readiness.require(move || match unknown.standing() {
        Standing::Unknown(why) => Some(why),
        Standing::Waits { .. } | Standing::Leads => None,
    });
    readiness.remark(move || match waits.standing() {
        Standing::Waits { leader } => Some(format!("this replica waits, {leader} leads")),
        Standing::Unknown(_) | Standing::Leads => None,
    });
    Ok(told)
}

fn arm_client(options: &Options, metrics: ArmMetrics, fence: Fence) -> Result<arm::Client, Failure> {
    let cloud = options.cloud()?;
    let endpoint =
        cloud.arm_endpoint.parse().map_err(|error| format!("--arm-endpoint {}: {error}", cloud.arm_endpoint))?;
    let transport = Arc::new(Transport::new(options.ca_bundle.clone()));
    let tokens = Tokens::new(options.sign_in()?, cloud, transport.clone(), metrics.clone());
    Ok(arm::Client::new(transport, endpoint, tokens, metrics, fence))
}

/// The uid of `kube-system` is as good as a name of the cluster: it lives as long, and no other cluster has it.
async fn own_cluster_id(client: &Client) -> Result<String, Failure> {
    let namespace = Api::<Namespace>::all(client.clone()).get("kube-system").await.map_err(|error| {
        format!("the uid of kube-system, which names this cluster in owner marks, could not be read (or set --cluster-id): {error}")
    })?;
    Ok(namespace.uid().ok_or("kube-system has no uid")?)
}

async fn cancel_on_signal(stop: CancellationToken) {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(error) => {
                tracing::error!(%error, "SIGTERM cannot be waited for");
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = terminated => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    tracing::info!("stopping; what Azure is doing goes on and is resumed at the next start");
    stop.cancel();
}
