//! A running emulator, and what its requests share.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use jiff::Timestamp;
use serde_json::Value;
use thiserror::Error;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::config::Config;
use crate::directory::Directory;
use crate::faults::wire::Cuttable;
use crate::journal::Journal;
use crate::out_of_band::{self, ChangeError};
use crate::schemas::{SchemaViolation, Schemas};
use crate::sign_in::Tokens;
use crate::throttle::Throttle;
use crate::world::World;
use crate::{machine, server, tls};

/// How long requests under way may take to end when the emulator stops.
const GRACE: Duration = Duration::from_secs(1);

/// Why an emulator did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The certificates could not be made.
    #[error("the certificates could not be made: {0}")]
    Certificates(#[from] rcgen::Error),
    /// The certificates could not be used.
    #[error("TLS could not be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The folder of schemas could not be read.
    #[error("the schemas could not be read: {0}")]
    Schemas(String),
    /// The address could not be listened on.
    #[error("{address} could not be listened on: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) endpoint: String,
    pub(crate) tokens: Tokens,
    clock: Mutex<Clock>,
    directory: Mutex<Directory>,
    world: Mutex<World>,
    throttle: Mutex<Throttle>,
    journal: Mutex<Journal>,
    pub(crate) schemas: Option<Schemas>,
    violations: Mutex<Vec<SchemaViolation>>,
}

impl Shared {
    pub(crate) fn clock(&self) -> MutexGuard<'_, Clock> {
        lock(&self.clock)
    }

    /// The time by the emulator's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock().at(Timestamp::now())
    }

    pub(crate) fn directory(&self) -> MutexGuard<'_, Directory> {
        lock(&self.directory)
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// The world as it is by the clock.
    pub(crate) fn world_now(&self) -> MutexGuard<'_, World> {
        let mut world = self.world();
        world.advance(self.now());
        world
    }

    pub(crate) fn throttle(&self) -> MutexGuard<'_, Throttle> {
        lock(&self.throttle)
    }

    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        lock(&self.journal)
    }

    pub(crate) fn violations(&self) -> MutexGuard<'_, Vec<SchemaViolation>> {
        lock(&self.violations)
    }

    pub(crate) fn put_resource(&self, id: &str, body: &Value) -> Result<Value, ChangeError> {
        let id = out_of_band::parse(id)?;
        out_of_band::put(&mut self.world_now(), &id, body, &self.config.tenant_id, self.now())
    }

    pub(crate) fn patch_resource(&self, id: &str, change: &Value) -> Result<Value, ChangeError> {
        let id = out_of_band::parse(id)?;
        out_of_band::patch(&mut self.world_now(), &id, change)
    }

    pub(crate) fn remove_resource(&self, id: &str) -> Result<(), ChangeError> {
        if self.world_now().store.remove(id) {
            return Ok(());
        }
        let id = out_of_band::parse(id)?;
        out_of_band::remove(&mut self.world_now(), &id)
    }

    pub(crate) fn finish_operations(&self, resource: &str) {
        let (mut world, now) = (self.world(), self.now());
        world.operations.finish(resource, now);
        world.advance(now);
    }

    pub(crate) fn resource(&self, id: &str) -> Option<Value> {
        let world = self.world_now();
        match out_of_band::parse(id) {
            Ok(id) => world.shown(&id),
            Err(_) => world.store.get(id).cloned(),
        }
    }

    pub(crate) fn resources(&self) -> Vec<Value> {
        let world = self.world_now();
        world.all().map(|stored| world.show(stored)).chain(world.store.all().cloned()).collect()
    }

    pub(crate) fn connection_credentials(&self, id: &str) -> Option<Value> {
        let id = out_of_band::parse(id).ok()?;
        self.world_now().get(&id)?.credentials.clone()
    }
}

async fn listen(address: SocketAddr) -> Result<(std::net::TcpListener, SocketAddr), StartError> {
    let refused = |source| StartError::Listen { address, source };
    let listener = tokio::net::TcpListener::bind(address).await.map_err(refused)?;
    let listener = listener.into_std().map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}

/// The URL by which callers reach the emulator.
fn endpoint(address: SocketAddr, host: Option<&str>) -> String {
    let host = match (host, address) {
        (Some(host), _) => host.to_owned(),
        (None, SocketAddr::V4(v4)) if v4.ip().is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
        (None, SocketAddr::V4(v4)) => v4.ip().to_string(),
        (None, SocketAddr::V6(v6)) if v6.ip().is_unspecified() => format!("[{}]", Ipv6Addr::LOCALHOST),
        (None, SocketAddr::V6(v6)) => format!("[{}]", v6.ip()),
    };
    format!("https://{host}:{}", address.port())
}

/// What a panic in another request left is still a whole state: every change is made in one step at its end.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running emulator. Dropping it stops it at once; [`Emulator::stop`] lets requests under way end.
#[derive(Debug)]
pub struct Emulator {
    pub(crate) shared: Arc<Shared>,
    address: SocketAddr,
    ca_pem: String,
    identity_endpoint: Option<String>,
    handle: Handle<SocketAddr>,
    server: Option<JoinHandle<()>>,
}

impl Emulator {
    /// Starts an emulator in the current tokio runtime. It listens when this returns.
    ///
    /// # Errors
    /// When the address cannot be listened on, no certificates can be made, or the schemas cannot be read.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let schemas = config.schemas.as_deref().map(Schemas::read).transpose().map_err(StartError::Schemas)?;
        let (listener, address) = listen(config.listen).await?;
        let machine = match &config.machine {
            Some(machine) => Some(listen(machine.listen).await?),
            None => None,
        };
        let tls = tls::new_authority(address.ip(), config.host.as_deref(), config.http2)?;
        let endpoint = endpoint(address, config.host.as_deref());
        let tokens = Tokens::new(&config.tenant_id, &config.audiences, &endpoint, config.token_lifetime);
        let shared = Arc::new(Shared {
            endpoint,
            tokens,
            clock: Mutex::new(Clock::new(config.settings.time_factor, Timestamp::now())),
            directory: Mutex::new(Directory::new(config.issuers.clone(), config.identities.clone())),
            world: Mutex::new(World::new(config.settings)),
            throttle: Mutex::new(Throttle::default()),
            journal: Mutex::new(Journal::new(config.journal_capacity)),
            schemas,
            violations: Mutex::new(Vec::new()),
            config,
        });
        for (client, permissions) in &shared.config.permissions {
            shared.directory().permissions.set(client, permissions.clone());
        }
        let handle = Handle::new();
        let identity_endpoint = machine.as_ref().map(|(_, address)| format!("http://{address}"));
        if let Some((listener, address)) = machine {
            let server = axum_server::from_tcp(listener)
                .map_err(|source| StartError::Listen { address, source })?
                .acceptor(Cuttable)
                .handle(handle.clone());
            let service = machine::router(Arc::clone(&shared)).into_make_service();
            tokio::spawn(async move {
                if let Err(error) = server.serve(service).await {
                    tracing::error!(%error, "the identity endpoint ended");
                }
            });
            tracing::info!(identity_endpoint, "the machine's identity endpoint listens");
        }
        let service = server::router(Arc::clone(&shared)).into_make_service();
        let acceptor = RustlsAcceptor::new(RustlsConfig::from_config(tls.server)).acceptor(Cuttable);
        let server = axum_server::from_tcp(listener)
            .map_err(|source| StartError::Listen { address, source })?
            .acceptor(acceptor)
            .handle(handle.clone());
        let server = tokio::spawn(async move {
            if let Err(error) = server.serve(service).await {
                tracing::error!(%error, "the server ended");
            }
        });
        if shared.schemas.is_none() {
            tracing::info!("bodies are not checked by the official schemas: ARM_SCHEMAS names no folder");
        }
        tracing::info!(endpoint = shared.endpoint, "listening");
        Ok(Self { shared, address, ca_pem: tls.ca_pem, identity_endpoint, handle, server: Some(server) })
    }

    /// Stops listening and lets requests under way end, for a second at most.
    pub async fn stop(mut self) {
        self.handle.graceful_shutdown(Some(GRACE));
        if let Some(server) = self.server.take() {
            // The server ends by itself after the grace; an error here is only that it was aborted.
            let _ended = tokio::time::timeout(GRACE * 2, server).await;
        }
    }

    /// `https://127.0.0.1:PORT`, without a slash at its end: the endpoint of ARM and the authority for tokens.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.shared.endpoint
    }

    /// Where the machine's identity endpoint is, as `http://127.0.0.1:PORT`: in place of `http://169.254.169.254`, for
    /// example as `HTTP_PROXY`; with `/msi/token` it is an `IDENTITY_ENDPOINT`. `None` without a [`Config::machine`].
    #[must_use]
    pub fn identity_endpoint(&self) -> Option<&str> {
        self.identity_endpoint.as_deref()
    }

    /// The address it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate authority of the emulator, in PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The tenant it serves.
    #[must_use]
    pub fn tenant_id(&self) -> &str {
        &self.shared.config.tenant_id
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}
