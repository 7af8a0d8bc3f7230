//! The flags of `run`, each with an environment twin.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use secrecy::SecretString;

use super::Failure;
use super::cloud::{self, AzureCloud};
use super::election::LeaseDuration;
use super::http::HttpAddress;
use crate::arm::credential::{Cloud, SignIn};

/// How the operator signs in to Azure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Credential {
    /// The ServiceAccount's token, exchanged for one of Azure's.
    WorkloadIdentity,
    /// The identity of the machine.
    ManagedIdentity,
    /// An application's secret.
    ClientSecret,
    /// What `az login` left on this machine.
    AzureCli,
}

impl std::fmt::Display for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::WorkloadIdentity => "workload-identity",
            Self::ManagedIdentity => "managed-identity",
            Self::ClientSecret => "client-secret",
            Self::AzureCli => "azure-cli",
        })
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// What is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// What needs a person.
    Error,
    /// What may need one.
    Warn,
    /// What the operator does.
    Info,
    /// Each call and each decision.
    Debug,
    /// Everything.
    Trace,
}

/// The flags of `run`.
#[derive(Args, Debug)]
pub struct Options {
    /// How to sign in to Azure.
    #[arg(long, env = "FOUNDRY_CREDENTIAL", value_enum, default_value = "workload-identity")]
    pub credential: Credential,
    /// Client id of the application or managed identity.
    #[arg(long, env = "AZURE_CLIENT_ID", value_name = "GUID")]
    pub client_id: Option<String>,
    /// Tenant of the application or managed identity.
    #[arg(long, env = "AZURE_TENANT_ID", value_name = "GUID")]
    pub tenant_id: Option<String>,
    /// File with the ServiceAccount's token, for workload-identity.
    #[arg(long, env = "AZURE_FEDERATED_TOKEN_FILE", value_name = "FILE")]
    pub federated_token_file: Option<PathBuf>,
    /// The application's secret, for client-secret. Set it in the environment: arguments can be read by others.
    #[arg(long, env = "AZURE_CLIENT_SECRET", value_name = "SECRET", hide_env_values = true, value_parser = secret)]
    pub client_secret: Option<SecretString>,
    /// Which cloud; custom takes --arm-endpoint, --arm-audience and --authority-host.
    #[arg(long, env = "FOUNDRY_AZURE_CLOUD", value_enum, default_value = "public")]
    pub azure_cloud: AzureCloud,
    /// Address of ARM in a custom cloud.
    #[arg(long, env = "FOUNDRY_ARM_ENDPOINT", value_name = "URL")]
    pub arm_endpoint: Option<String>,
    /// What tokens for ARM are issued for in a custom cloud; by default the endpoint.
    #[arg(long, env = "FOUNDRY_ARM_AUDIENCE", value_name = "URL")]
    pub arm_audience: Option<String>,
    /// Where tokens are issued in a custom cloud.
    #[arg(long, env = "AZURE_AUTHORITY_HOST", value_name = "URL")]
    pub authority_host: Option<String>,
    /// Certificates (PEM) to trust besides the system's, for ARM and sign-in.
    #[arg(long, env = "FOUNDRY_CA_BUNDLE", value_name = "FILE")]
    pub ca_bundle: Option<PathBuf>,
    /// Subscription of hubs that name none.
    #[arg(long, env = "AZURE_SUBSCRIPTION_ID", value_name = "GUID")]
    pub subscription_id: Option<String>,
    /// How often Azure is read again when nothing happens, with a tenth of jitter.
    #[arg(long, env = "FOUNDRY_RESYNC", value_name = "DURATION", default_value = "30m", value_parser = duration)]
    pub resync: Duration,
    /// The shortest pause between two polls of a long-running operation.
    #[arg(long, env = "FOUNDRY_POLL_INTERVAL", value_name = "DURATION", default_value = "2s", value_parser = duration)]
    pub poll_interval: Duration,
    /// Namespaces to serve, separated by commas; by default all.
    #[arg(long, env = "FOUNDRY_WATCH_NAMESPACES", value_name = "NAMESPACES", value_delimiter = ',')]
    pub watch_namespaces: Vec<String>,
    /// The cluster role that a namespace binds to let the operator read its Secrets; by default they are read wherever it serves.
    #[arg(long, env = "FOUNDRY_SECRET_ROLE", value_name = "NAME")]
    pub secret_role: Option<String>,
    /// Name of this cluster in owner marks; by default the uid of kube-system.
    #[arg(long, env = "FOUNDRY_CLUSTER_ID", value_name = "ID", value_parser = cluster_id)]
    pub cluster_id: Option<String>,
    /// Whether to register a resource provider in a subscription that is not registered to use it.
    #[arg(
        long,
        env = "FOUNDRY_REGISTER_PROVIDERS",
        value_name = "true|false",
        default_value_t = true,
        action = clap::ArgAction::Set
    )]
    pub register_providers: bool,
    /// Whether to work only as long as this replica has the lease foundry-operator; false where nobody else runs.
    #[arg(
        long,
        env = "FOUNDRY_LEADER_ELECT",
        value_name = "true|false",
        default_value_t = true,
        action = clap::ArgAction::Set
    )]
    pub leader_elect: bool,
    /// How long others wait for a leader that is silent, in whole seconds. It writes nothing in the last third of that.
    #[arg(long, env = "FOUNDRY_LEASE_DURATION", value_name = "DURATION", default_value = "15s", value_parser = lease_duration)]
    pub lease_duration: LeaseDuration,
    /// Namespace of the lease; by default the one of the pod, or of the kubeconfig's context.
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAMESPACE")]
    pub lease_namespace: Option<String>,
    /// Name of this replica in the lease, to which a random part is added; in a pod, the pod's name.
    #[arg(long, env = "HOSTNAME", value_name = "NAME", default_value = "foundry-operator")]
    pub replica_name: String,
    /// Where /metrics, /healthz and /readyz are; port 0 is a free one, which the log tells; off for nowhere.
    #[arg(long, env = "FOUNDRY_HTTP_ADDRESS", value_name = "ADDRESS:PORT", default_value = "0.0.0.0:8080")]
    pub http_address: HttpAddress,
    /// How log lines look.
    #[arg(long, env = "FOUNDRY_LOG_FORMAT", value_enum, default_value = "json")]
    pub log_format: LogFormat,
    /// What is logged. Secrets never are.
    #[arg(long, env = "FOUNDRY_LOG_LEVEL", value_enum, default_value = "info")]
    pub log_level: LogLevel,
}

impl Options {
    /// How to sign in.
    ///
    /// # Errors
    /// Which flag the chosen credential lacks.
    pub fn sign_in(&self) -> Result<SignIn, Failure> {
        let needs =
            |flag: &str, variable: &str| format!("--credential {} needs --{flag} or {variable}", self.credential);
        let client_id = || self.client_id.clone().ok_or_else(|| needs("client-id", "AZURE_CLIENT_ID"));
        let tenant_id = || self.tenant_id.clone().ok_or_else(|| needs("tenant-id", "AZURE_TENANT_ID"));
        Ok(match self.credential {
            Credential::WorkloadIdentity => SignIn::WorkloadIdentity {
                client_id: client_id()?,
                tenant_id: tenant_id()?,
                token_file: self
                    .federated_token_file
                    .clone()
                    .ok_or_else(|| needs("federated-token-file", "AZURE_FEDERATED_TOKEN_FILE"))?,
            },
            Credential::ManagedIdentity => SignIn::ManagedIdentity { client_id: self.client_id.clone() },
            Credential::ClientSecret => SignIn::ClientSecret {
                client_id: client_id()?,
                tenant_id: tenant_id()?,
                secret: self.client_secret.clone().ok_or_else(|| needs("client-secret", "AZURE_CLIENT_SECRET"))?,
            },
            Credential::AzureCli => SignIn::AzureCli,
        })
    }

    /// Which cloud.
    ///
    /// # Errors
    /// Which flag a custom cloud lacks, or has wrong.
    pub fn cloud(&self) -> Result<Cloud, Failure> {
        cloud::resolve(
            self.azure_cloud,
            self.arm_endpoint.as_deref(),
            self.arm_audience.as_deref(),
            self.authority_host.as_deref(),
        )
    }
}

/// `30m`, `2s`, `1h 30m`; never nothing.
fn duration(text: &str) -> Result<Duration, String> {
    let duration: jiff::SignedDuration = text.parse().map_err(|error| format!("{error}; write it as 30m or 2s"))?;
    let duration = Duration::try_from(duration).map_err(|error| error.to_string())?;
    if duration < Duration::from_millis(10) { Err("must be at least 10ms".to_owned()) } else { Ok(duration) }
}

fn lease_duration(text: &str) -> Result<LeaseDuration, String> {
    LeaseDuration::new(duration(text)?).ok_or_else(|| "must be whole seconds, and at most an hour".to_owned())
}

/// A part of a tag's value: short, and without the slash that parts it from the rest.
fn cluster_id(text: &str) -> Result<String, String> {
    let fits =
        !text.is_empty() && text.len() <= 64 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if fits { Ok(text.to_owned()) } else { Err("must be 1 to 64 letters, digits, '-', '_' or '.'".to_owned()) }
}

#[expect(clippy::unnecessary_wraps, reason = "the form that clap asks of a parser")]
fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        options: Options,
    }

    fn options(arguments: &[&str]) -> Result<Options, clap::Error> {
        Program::try_parse_from([&["run"], arguments].concat()).map(|program| program.options)
    }

    #[test]
    fn durations_are_written_as_people_write_them() {
        assert_eq!(options(&["--resync", "90s"]).unwrap().resync, Duration::from_secs(90));
        assert!(options(&["--resync", "soon"]).is_err());
        assert!(options(&["--resync", "0s"]).is_err());
    }

    #[test]
    fn a_lease_cannot_last_a_part_of_a_second() {
        assert!(options(&["--lease-duration", "1500ms"]).is_err());
        assert!(options(&["--lease-duration", "2h"]).is_err());
        let half_a_minute = LeaseDuration::new(Duration::from_secs(30)).unwrap();
        assert_eq!(options(&["--lease-duration", "30s"]).unwrap().lease_duration, half_a_minute);
    }

    #[test]
    fn a_credential_says_what_it_lacks() {
        let options = options(&["--credential", "client-secret", "--client-id", "c", "--tenant-id", "t"]).unwrap();
        if std::env::var_os("AZURE_CLIENT_SECRET").is_none() {
            let error = options.sign_in().unwrap_err().to_string();
            assert!(error.contains("AZURE_CLIENT_SECRET"), "{error}");
        }
    }

    #[test]
    fn the_secret_is_never_printed() {
        let options = options(&["--credential", "client-secret", "--client-secret", "hush"]).unwrap();
        assert!(!format!("{options:?}").contains("hush"));
    }

    #[test]
    fn a_cluster_id_cannot_look_like_another_owner() {
        assert!(options(&["--cluster-id", "a/b"]).is_err());
        assert!(options(&["--cluster-id", "prod-1"]).is_ok());
    }
}
