//! A real Kubernetes control plane (etcd, kube-apiserver, kube-controller-manager) on a free loopback
//! port, for tests and for the demonstration. `make control-plane` builds the programs.
//!
//! ```no_run
//! # fn main() -> Result<(), control_plane::Error> {
//! let cluster = control_plane::start(control_plane::Options::find()?)?;
//! cluster.kubectl().args(["get", "namespaces"]).status().ok();
//! # Ok(())
//! # }
//! ```
//!
//! There are no nodes, so pods never run. Namespaces terminate, objects whose owner is gone are
//! collected, namespaces get their default service account, and aggregated cluster roles are filled.
//! The collector looks for new kinds every 30 s: owners of a kind that is younger take as long.

mod audit;
mod binaries;
mod error;
mod folder;
mod keys;
mod kubeconfig;
mod start;
mod supervised;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub use audit::AuditEvent;
pub use binaries::Binaries;
pub use error::Error;
pub use start::start;
pub use supervised::Supervised;

use folder::Folder;
use start::Program;

const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// How to start a control plane.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the state, the logs and the kubeconfig go. `None` is a temporary folder, which is removed
    /// at the end. State in the folder from an earlier control plane is used again; logs are not.
    pub folder: Option<PathBuf>,
    /// The programs.
    pub binaries: Binaries,
    /// How long the start may take.
    pub time_limit: Duration,
}

impl Options {
    /// A temporary folder, and 60 s.
    #[must_use]
    pub fn new(binaries: Binaries) -> Self {
        Self { folder: None, binaries, time_limit: Duration::from_mins(1) }
    }

    /// The same with the programs of [`Binaries::find`].
    ///
    /// # Errors
    ///
    /// When a program is missing.
    pub fn find() -> Result<Self, Error> {
        Binaries::find().map(Self::new)
    }
}

/// A running control plane. Its programs end when it is dropped, and also when this process ends
/// without dropping it, be it by SIGKILL.
#[derive(Debug)]
pub struct ControlPlane {
    // In the order of dropping: the last started first, and the folder after all that write to it.
    programs: Vec<Program>,
    kubectl: PathBuf,
    helm: PathBuf,
    server: String,
    ca_pem: String,
    admin_kubeconfig: PathBuf,
    folder: Folder,
}

impl ControlPlane {
    /// The address of the API server, `https://127.0.0.1:PORT`.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The certificate of the authority to trust.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The file of a kubeconfig that may do everything.
    #[must_use]
    pub fn admin_kubeconfig(&self) -> &Path {
        &self.admin_kubeconfig
    }

    /// The text of a kubeconfig for a bearer token, for example a service account's.
    #[must_use]
    pub fn kubeconfig_yaml(&self, user: &str, token: &str) -> String {
        kubeconfig::yaml(&self.server, &self.ca_pem, user, token)
    }

    /// A kubectl that may do everything, and that neither reads nor writes the user's own files.
    #[must_use]
    pub fn kubectl(&self) -> Command {
        let mut command = Command::new(&self.kubectl);
        let cache = self.folder.path().join("kubectl-cache");
        command
            .arg(format!("--kubeconfig={}", self.admin_kubeconfig.display()))
            .arg(format!("--cache-dir={}", cache.display()))
            .env("KUBERC", "off");
        command
    }

    /// A helm that may do everything, and that neither reads nor writes the user's own files.
    #[must_use]
    pub fn helm(&self) -> Command {
        let mut command = Command::new(&self.helm);
        let home = self.folder.path().join("helm");
        command
            .env("KUBECONFIG", &self.admin_kubeconfig)
            .env("HELM_CACHE_HOME", home.join("cache"))
            .env("HELM_CONFIG_HOME", home.join("config"))
            .env("HELM_DATA_HOME", home.join("data"));
        command
    }

    /// A token of a service account for 24 hours; for the API server itself if no audience is given.
    ///
    /// # Errors
    ///
    /// When there is no such service account, or its namespace terminates.
    pub fn service_account_token(&self, namespace: &str, name: &str, audience: Option<&str>) -> Result<String, Error> {
        let mut arguments = vec!["create", "token", name, "--duration=24h", "--namespace"];
        arguments.push(namespace);
        if let Some(audience) = audience {
            arguments.extend(["--audience", audience]);
        }
        Ok(self.kubectl_output(REQUEST_LIMIT, &arguments)?.trim().to_owned())
    }

    /// The issuer of service account tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        start::ISSUER
    }

    /// The public keys of service account tokens.
    ///
    /// # Errors
    ///
    /// When the API server does not answer.
    pub fn jwks(&self) -> Result<serde_json::Value, Error> {
        let keys = self.kubectl_output(REQUEST_LIMIT, &["get", "--raw", "/openid/v1/jwks"])?;
        serde_json::from_str(&keys).map_err(|source| Error::Json { what: "the list of public keys", source })
    }

    /// The requests that have been answered since the start, without the API server's own. A line may
    /// come a few milliseconds after its answer, and that of a watch when the watch ends.
    ///
    /// # Errors
    ///
    /// When the log cannot be read.
    pub fn audit_events(&self) -> Result<Vec<AuditEvent>, Error> {
        let path = self.folder.path().join(start::AUDIT_LOG);
        let log = fs::read_to_string(&path).map_err(Error::io(format!("read {}", path.display())))?;
        audit::parse(&log)
    }

    /// Where the state, the logs (`kube-apiserver.log`, …) and the kubeconfig are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The names and process ids of the programs.
    pub fn pids(&self) -> impl Iterator<Item = (&'static str, u32)> {
        let programs = self.programs.iter();
        programs.map(|program| (program.name, program.process.pid()))
    }

    /// Ends the programs and removes the folder if it is a temporary one, as dropping does.
    pub fn stop(self) {
        drop(self);
    }

    fn kubectl_output(&self, limit: Duration, arguments: &[&str]) -> Result<String, Error> {
        let output = self
            .kubectl()
            .arg(format!("--request-timeout={}s", limit.as_secs()))
            .args(arguments)
            .output()
            .map_err(Error::io(format!("start {}", self.kubectl.display())))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(Error::Kubectl {
            arguments: arguments.join(" "),
            message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }
}
