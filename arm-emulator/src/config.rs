//! What an emulator is started with, and what of it may be changed while it runs.

use std::env;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::permissions::Permissions;

/// The tenant that the default configuration serves.
pub const DEFAULT_TENANT: &str = "00000000-0000-4000-8000-00000000000a";

/// The subscription that the default configuration serves.
pub const DEFAULT_SUBSCRIPTION: &str = "00000000-0000-4000-8000-000000000001";

/// What an emulator is started with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; port 0 takes a free one. Default `127.0.0.1:0`.
    pub listen: SocketAddr,
    /// The host name or address by which callers reach it, where that is not the address it listens on (for example the
    /// name of a Kubernetes service): it stands in the certificate and in every URL that is answered.
    pub host: Option<String>,
    /// Whether HTTP/2 is offered. Without it each request under way has a connection of its own, as behind many proxies.
    pub http2: bool,
    /// The one tenant of the emulated directory, a GUID.
    pub tenant_id: String,
    /// The subscriptions that exist; every other one is answered with `SubscriptionNotFound`.
    pub subscriptions: Vec<String>,
    /// The resource groups that exist, in every subscription; `None` (the default) accepts any name.
    pub resource_groups: Option<Vec<String>>,
    /// The resources for which a token may be asked and with which ARM may be called, without `/.default`.
    /// The emulator's own endpoint is always accepted in addition.
    pub audiences: Vec<String>,
    /// How long an access token is valid. Default 1 hour.
    pub token_lifetime: Duration,
    /// Issuers whose client assertions are trusted.
    pub issuers: Vec<Issuer>,
    /// Applications and managed identities that can sign in.
    pub identities: Vec<Identity>,
    /// The identity endpoint of a machine, if the emulator is to have one.
    pub machine: Option<Machine>,
    /// What identities may do, by client id; who is not named may do everything.
    pub permissions: Vec<(String, Permissions)>,
    /// What may be changed while the emulator runs.
    pub settings: Settings,
    /// The sizes of the throttling buckets.
    pub limits: Limits,
    /// A folder of ARM's official schemas, by which the body of every PUT is checked. Default: what `ARM_SCHEMAS` names.
    pub schemas: Option<PathBuf>,
    /// How many requests the journal keeps; the oldest are dropped first. Default 10 000.
    pub journal_capacity: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            host: None,
            http2: true,
            tenant_id: DEFAULT_TENANT.to_owned(),
            subscriptions: vec![DEFAULT_SUBSCRIPTION.to_owned()],
            resource_groups: None,
            audiences: vec![
                "https://management.azure.com".to_owned(),
                "https://management.core.windows.net".to_owned(),
            ],
            token_lifetime: Duration::from_hours(1),
            issuers: Vec::new(),
            identities: Vec::new(),
            machine: None,
            permissions: Vec::new(),
            settings: Settings::default(),
            limits: Limits::default(),
            schemas: env::var_os("ARM_SCHEMAS").filter(|folder| !folder.is_empty()).map(PathBuf::from),
            journal_capacity: 10_000,
        }
    }
}

/// What may be changed while the emulator runs; an operation keeps the timing it began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long operations on workspaces take.
    pub timings: Timings,
    /// At which poll operations end, whatever the clock says: for tests that count polls. By default the clock decides.
    pub polls_to_end: Option<u32>,
    /// How the containers of workspaces created from now on are called.
    pub container_naming: ContainerNaming,
    /// Whether the datastores API names the default datastores; when off, it answers an empty list.
    pub datastores_appear: bool,
    /// Entries per page of a list. Default 100.
    pub page_size: usize,
    /// Which writes exclude each other.
    pub conflict_scope: ConflictScope,
    /// How many times faster than the real clock that of the emulator runs: operations, tokens and throttling buckets
    /// follow it, and what callers are told to wait is in their own seconds. Default 1; 0 counts as 1.
    pub time_factor: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timings: Timings::default(),
            polls_to_end: None,
            container_naming: ContainerNaming::default(),
            datastores_appear: true,
            page_size: 100,
            conflict_scope: ConflictScope::default(),
            time_factor: 1,
        }
    }
}

/// How long the long-running operations on workspaces take.
///
/// The recordings show each under about 31 seconds for a project (ARM reference, section 2); the defaults are shorter,
/// so that trying something does not mean waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// A PUT of a workspace that does not exist. Default 5 s.
    pub workspace_create: Duration,
    /// A PUT or PATCH of a workspace that exists, and a PUT or DELETE of an outbound rule. Default 3 s.
    pub workspace_update: Duration,
    /// A DELETE of a workspace. Default 5 s.
    pub workspace_delete: Duration,
    /// The provisioning of a managed network. Default 5 s.
    pub network_provision: Duration,
}

impl Timings {
    /// Every operation is over at the first poll.
    #[must_use]
    pub const fn instant() -> Self {
        Self::all(Duration::ZERO)
    }

    /// Every operation takes the same time.
    #[must_use]
    pub const fn all(duration: Duration) -> Self {
        Self {
            workspace_create: duration,
            workspace_update: duration,
            workspace_delete: duration,
            network_provision: duration,
        }
    }
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            workspace_create: Duration::from_secs(5),
            workspace_update: Duration::from_secs(3),
            workspace_delete: Duration::from_secs(5),
            network_provision: Duration::from_secs(5),
        }
    }
}

/// How the containers and file shares of a workspace are called (ARM reference, section 5). `{id}` is its `workspaceId`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContainerNaming {
    /// `{id}-blobstore`, `{id}-azureml`, `{id}-code`, `{id}-file`, as documented.
    #[default]
    Documented,
    /// `{id}-azureml-blobstore` for the blob store, as real projects show; the rest as documented.
    DashedBlobstore,
    /// `azureml-blobstore-{id}`, `azureml`, `code-{another id}`, `azureml-filestore-{id}`, as recorded without data isolation.
    Classic,
}

/// Which writes exclude each other (ARM reference, section 3: "serialise writes per hub").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConflictScope {
    /// One operation at a time in a hub and all its projects.
    #[default]
    Hub,
    /// One operation at a time on one workspace; a project also conflicts with an operation on its hub itself.
    Workspace,
}

/// An issuer of client assertions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Issuer {
    /// The `iss` claim of its tokens, compared exactly.
    pub url: String,
    /// Its public keys: a JSON Web Key Set.
    pub jwks: serde_json::Value,
}

/// An application or managed identity that can sign in.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its application (client) id; Azure compares it without case.
    pub client_id: String,
    /// How it proves itself. Several entries may share one client id.
    pub credential: Credential,
}

/// How an identity proves itself.
#[derive(Clone)]
pub enum Credential {
    /// By a token of a trusted issuer about this subject.
    Federated {
        /// The [`Issuer::url`].
        issuer: String,
        /// The `sub` claim, for example `system:serviceaccount:{namespace}:{name}`.
        subject: String,
    },
    /// By a client secret.
    Secret(String),
    /// By running on the machine that it is assigned to; see [`Config::machine`].
    Machine,
}

/// A machine with managed identities: those that are registered with [`Credential::Machine`]. Who names none gets the only
/// one.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Where its identity endpoint listens, over plain HTTP; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What App Service gives its apps as `IDENTITY_HEADER`.
    pub identity_header: String,
}

impl Default for Machine {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), identity_header: "emulated".to_owned() }
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Federated { issuer, subject } => {
                formatter.debug_struct("Federated").field("issuer", issuer).field("subject", subject).finish()
            }
            Self::Secret(_) => formatter.write_str("Secret(***)"),
            Self::Machine => formatter.write_str("Machine"),
        }
    }
}

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// How many requests a full bucket allows at once.
    pub capacity: u32,
    /// How many requests per second are added again.
    pub refill_per_second: f64,
}

/// The throttling buckets, one set per subscription and caller (ARM reference, section 7).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// GET requests: 250, refilled with 25 per second.
    pub reads: Bucket,
    /// PUT, PATCH and POST requests: 200, refilled with 10 per second.
    pub writes: Bucket,
    /// DELETE requests: 200, refilled with 10 per second.
    pub deletes: Bucket,
    /// How many times larger the bucket is that all callers of a subscription share: 15.
    pub global_factor: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            reads: Bucket { capacity: 250, refill_per_second: 25.0 },
            writes: Bucket { capacity: 200, refill_per_second: 10.0 },
            deletes: Bucket { capacity: 200, refill_per_second: 10.0 },
            global_factor: 15,
        }
    }
}

impl Limits {
    /// Buckets so large that no test empties them.
    #[must_use]
    pub const fn generous() -> Self {
        const LARGE: Bucket = Bucket { capacity: 1_000_000, refill_per_second: 100_000.0 };
        Self { reads: LARGE, writes: LARGE, deletes: LARGE, global_factor: 15 }
    }
}
