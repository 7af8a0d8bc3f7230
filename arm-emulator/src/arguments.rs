//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use arm_emulator::{
    Bucket, Config, ConflictScope, ContainerNaming, Credential, DEFAULT_SUBSCRIPTION, DEFAULT_TENANT, Identity, Issuer,
    Limits, Machine, Settings, Timings,
};
use clap::{Args, Parser, Subcommand, ValueEnum};

/// A stateful emulator of Azure Resource Manager for Azure AI Foundry hubs, projects and connections.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Listens until it is told to stop (Ctrl-C or SIGTERM).
    Serve(Box<Serve>),
}

#[derive(Args)]
pub(crate) struct Serve {
    /// Where to listen; port 0 takes a free one
    #[arg(long, env = "ARM_EMULATOR_LISTEN", default_value = "127.0.0.1:8443", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// The host name by which callers reach it, if that is not the address it listens on
    #[arg(long, env = "ARM_EMULATOR_HOST", value_name = "NAME")]
    host: Option<String>,
    /// The tenant of the emulated directory
    #[arg(long, env = "ARM_EMULATOR_TENANT_ID", default_value = DEFAULT_TENANT, value_name = "GUID")]
    tenant_id: String,
    /// A subscription that exists (repeat for more; in the variable, separate with commas)
    #[arg(
        long = "subscription",
        env = "ARM_EMULATOR_SUBSCRIPTIONS",
        default_value = DEFAULT_SUBSCRIPTION,
        value_delimiter = ',',
        value_name = "GUID"
    )]
    subscriptions: Vec<String>,
    /// A resource group that exists (repeat for more); any, if none is given
    #[arg(long = "resource-group", env = "ARM_EMULATOR_RESOURCE_GROUPS", value_delimiter = ',', value_name = "NAME")]
    resource_groups: Vec<String>,
    /// How long it takes to create a workspace, in seconds
    #[arg(long, env = "ARM_EMULATOR_CREATE_SECONDS", default_value = "5", value_parser = seconds, value_name = "SECONDS")]
    create_seconds: Duration,
    /// How long it takes to change a workspace, in seconds
    #[arg(long, env = "ARM_EMULATOR_UPDATE_SECONDS", default_value = "3", value_parser = seconds, value_name = "SECONDS")]
    update_seconds: Duration,
    /// How long it takes to delete a workspace, in seconds
    #[arg(long, env = "ARM_EMULATOR_DELETE_SECONDS", default_value = "5", value_parser = seconds, value_name = "SECONDS")]
    delete_seconds: Duration,
    /// How long it takes to provision a managed network, in seconds
    #[arg(
        long,
        env = "ARM_EMULATOR_PROVISION_SECONDS",
        default_value = "5",
        value_parser = seconds,
        value_name = "SECONDS"
    )]
    provision_seconds: Duration,
    /// How long access tokens are valid, in seconds
    #[arg(long, env = "ARM_EMULATOR_TOKEN_SECONDS", default_value = "3600", value_parser = seconds, value_name = "SECONDS")]
    token_seconds: Duration,
    /// An issuer of client assertions and the file with its JSON Web Key Set (repeat for more; in the variable, separate
    /// with semicolons)
    #[arg(
        long = "issuer",
        env = "ARM_EMULATOR_ISSUERS",
        value_delimiter = ';',
        value_parser = issuer,
        value_name = "URL=FILE"
    )]
    issuers: Vec<IssuerFile>,
    /// An identity that signs in with tokens of an issuer about a subject (repeat for more; in the variable, separate
    /// with semicolons)
    #[arg(
        long = "federated-identity",
        env = "ARM_EMULATOR_FEDERATED_IDENTITIES",
        value_delimiter = ';',
        value_parser = federated,
        value_name = "client-id=GUID,issuer=URL,subject=TEXT"
    )]
    federated: Vec<Identity>,
    /// An identity that signs in with a client secret (repeat for more; in the variable, separate with semicolons)
    #[arg(
        long = "client-secret-identity",
        env = "ARM_EMULATOR_CLIENT_SECRET_IDENTITIES",
        hide_env_values = true,
        value_delimiter = ';',
        value_name = "client-id=GUID,secret=TEXT"
    )]
    secrets: Vec<String>,
    /// An identity that is assigned to the emulated machine (repeat for more); with --machine-listen
    #[arg(
        long = "managed-identity",
        env = "ARM_EMULATOR_MANAGED_IDENTITIES",
        value_delimiter = ',',
        requires = "machine_listen",
        value_name = "GUID"
    )]
    managed: Vec<String>,
    /// Where the identity endpoint of an emulated machine listens, over plain HTTP
    #[arg(long, env = "ARM_EMULATOR_MACHINE_LISTEN", value_name = "ADDRESS:PORT")]
    machine_listen: Option<SocketAddr>,
    /// How the containers of workspaces are called
    #[arg(long, env = "ARM_EMULATOR_CONTAINER_NAMING", default_value = "documented")]
    container_naming: Naming,
    /// Which writes exclude each other
    #[arg(long, env = "ARM_EMULATOR_CONFLICT_SCOPE", default_value = "hub")]
    conflict_scope: Scope,
    /// A folder of ARM's official schemas, by which the body of every PUT is checked
    #[arg(long, env = "ARM_SCHEMAS", value_name = "FOLDER")]
    schemas: Option<PathBuf>,
    /// Entries per page of a list
    #[arg(long, env = "ARM_EMULATOR_PAGE_SIZE", default_value = "100", value_name = "NUMBER")]
    page_size: usize,
    /// How many times faster than the real clock the emulator's runs
    #[arg(long, env = "ARM_EMULATOR_TIME_FACTOR", default_value = "1", value_name = "NUMBER")]
    time_factor: u32,
    /// Do not throttle requests as Azure does
    #[arg(long, env = "ARM_EMULATOR_NO_THROTTLING")]
    no_throttling: bool,
    /// Offer HTTP/1.1 only, as many proxies do
    #[arg(long, env = "ARM_EMULATOR_NO_HTTP2")]
    no_http2: bool,
    /// A file to be written once the emulator listens, with the lines `ARM_ENDPOINT=…` and `CA_BUNDLE=…`
    #[arg(long, env = "ARM_EMULATOR_ENV_FILE", value_name = "FILE")]
    pub(crate) env_file: Option<PathBuf>,
    /// A file to be written with the certificate authority, in PEM; with --env-file by default ca.pem beside that
    #[arg(long, env = "ARM_EMULATOR_CA_FILE", value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Naming {
    /// {id}-blobstore, {id}-azureml, {id}-code, {id}-file
    Documented,
    /// {id}-azureml-blobstore for the blob store, the rest as documented
    DashedBlobstore,
    /// azureml-blobstore-{id}, azureml, code-{another id}, azureml-filestore-{id}
    Classic,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Scope {
    /// One operation at a time in a hub and all its projects
    Hub,
    /// One operation at a time on each workspace
    Workspace,
}

#[derive(Clone, Debug)]
struct IssuerFile {
    url: String,
    file: PathBuf,
}

impl Serve {
    /// The configuration that the arguments spell, with the key sets read.
    pub(crate) fn config(&self) -> Result<Config, String> {
        // Read here and not by clap, which would quote a misspelled secret in its complaint.
        let secrets = self.secrets.iter().map(|text| secret(text)).collect::<Result<Vec<_>, _>>();
        let secrets = secrets.map_err(|error| format!("--client-secret-identity: {error}"))?;
        let issuers = self.issuers.iter().map(IssuerFile::read).collect::<Result<_, _>>()?;
        let unlimited = Bucket { capacity: u32::MAX / 16, refill_per_second: 1e9 };
        let limits = Limits { reads: unlimited, writes: unlimited, deletes: unlimited, ..Limits::default() };
        Ok(Config {
            listen: self.listen,
            host: self.host.clone(),
            http2: !self.no_http2,
            tenant_id: self.tenant_id.clone(),
            subscriptions: self.subscriptions.clone(),
            resource_groups: (!self.resource_groups.is_empty()).then(|| self.resource_groups.clone()),
            token_lifetime: self.token_seconds,
            schemas: self.schemas.clone(),
            issuers,
            identities: self.federated.iter().cloned().chain(secrets).chain(self.managed()).collect(),
            machine: self.machine_listen.map(|listen| Machine { listen, ..Machine::default() }),
            settings: Settings {
                timings: Timings {
                    workspace_create: self.create_seconds,
                    workspace_update: self.update_seconds,
                    workspace_delete: self.delete_seconds,
                    network_provision: self.provision_seconds,
                },
                container_naming: match self.container_naming {
                    Naming::Documented => ContainerNaming::Documented,
                    Naming::DashedBlobstore => ContainerNaming::DashedBlobstore,
                    Naming::Classic => ContainerNaming::Classic,
                },
                page_size: self.page_size,
                time_factor: self.time_factor,
                conflict_scope: match self.conflict_scope {
                    Scope::Hub => ConflictScope::Hub,
                    Scope::Workspace => ConflictScope::Workspace,
                },
                ..Settings::default()
            },
            limits: if self.no_throttling { limits } else { Limits::default() },
            ..Config::default()
        })
    }
}

impl Serve {
    fn managed(&self) -> impl Iterator<Item = Identity> {
        self.managed.iter().map(|client_id| Identity { client_id: client_id.clone(), credential: Credential::Machine })
    }
}

impl IssuerFile {
    fn read(&self) -> Result<Issuer, String> {
        let told = |error: &dyn std::fmt::Display| format!("the key set {}: {error}", self.file.display());
        let text = std::fs::read(&self.file).map_err(|error| told(&error))?;
        let jwks = serde_json::from_slice(&text).map_err(|error| told(&error))?;
        Ok(Issuer { url: self.url.clone(), jwks })
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn issuer(text: &str) -> Result<IssuerFile, String> {
    let (url, file) = text.rsplit_once('=').ok_or("not of the form URL=FILE")?;
    Ok(IssuerFile { url: url.to_owned(), file: file.into() })
}

/// The values of `names` in `name=value,name=value`, where the last may contain commas.
fn fields<const N: usize>(text: &str, names: [&str; N]) -> Result<[String; N], String> {
    let mut rest = text;
    let mut values = [const { String::new() }; N];
    for (place, name) in names.into_iter().enumerate() {
        rest =
            rest.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')).ok_or(format!("'{name}=' is missing"))?;
        if place + 1 == N {
            rest.clone_into(&mut values[place]);
        } else {
            let (value, after) = rest.split_once(',').ok_or(format!("nothing follows '{name}='"))?;
            value.clone_into(&mut values[place]);
            rest = after;
        }
        if values[place].is_empty() {
            return Err(format!("'{name}=' is empty"));
        }
    }
    Ok(values)
}

fn federated(text: &str) -> Result<Identity, String> {
    let [client_id, issuer, subject] = fields(text, ["client-id", "issuer", "subject"])?;
    Ok(Identity { client_id, credential: Credential::Federated { issuer, subject } })
}

fn secret(text: &str) -> Result<Identity, String> {
    let [client_id, secret] = fields(text, ["client-id", "secret"])?;
    Ok(Identity { client_id, credential: Credential::Secret(secret) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_federated_identity_is_spelled_by_name() {
        let identity =
            federated("client-id=c,issuer=https://i/?a=b,subject=system:serviceaccount:ns:name").expect("one");
        assert_eq!(identity.client_id, "c");
        assert!(matches!(
            identity.credential,
            Credential::Federated { issuer, subject }
                if issuer == "https://i/?a=b" && subject == "system:serviceaccount:ns:name"
        ));
    }

    #[test]
    fn a_secret_may_contain_commas_and_a_mistake_does_not_tell_it() {
        assert!(
            matches!(secret("client-id=c,secret=a,b=c").expect("one").credential, Credential::Secret(s) if s == "a,b=c")
        );
        assert!(!secret("client=c,secret=hidden").expect_err("a refusal").contains("hidden"));
    }
}
