//! The cluster.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use control_plane::{ControlPlane, Options};
use serde_json::Value;

use crate::{Failure, OPERATOR_ACCOUNT, OPERATOR_NAMESPACE};

/// The folder of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap_or_else(|_| PathBuf::from("."))
}

/// A control plane in which the operator's charts are installed.
#[derive(Debug)]
pub struct Cluster {
    control_plane: ControlPlane,
}

impl Cluster {
    /// Starts a control plane, in `folder` or in a temporary one, and installs the charts with the values that nobody chose.
    /// The Deployment comes with them, and no pod of it runs: there are no nodes.
    ///
    /// # Errors
    /// Where a program is missing or does not start, or a chart is refused.
    pub fn start(folder: Option<PathBuf>) -> Result<Self, Failure> {
        let options = Options { folder, ..Options::find()? };
        let cluster = Self { control_plane: control_plane::start(options)? };
        cluster.install("foundry-operator-crds", "foundry-operator-crds", OPERATOR_NAMESPACE, &[])?;
        cluster.kubectl(&["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"])?;
        cluster.install(OPERATOR_ACCOUNT, "foundry-operator", OPERATOR_NAMESPACE, &[])?;
        Ok(cluster)
    }

    /// Installs a chart of the repository's, or upgrades the release to it. `flags` are helm's.
    ///
    /// # Errors
    /// What helm printed to standard error, where it failed.
    pub fn install(&self, release: &str, chart: &str, namespace: &str, flags: &[&str]) -> Result<String, Failure> {
        let chart = repository().join("charts").join(chart).display().to_string();
        let upgrade = ["upgrade", "--install", release, &chart, "-n", namespace, "--create-namespace"];
        self.helm(&[&upgrade, flags].concat())
    }

    /// Runs helm as an administrator and gives what it printed.
    ///
    /// # Errors
    /// What helm printed to standard error, where it failed.
    pub fn helm(&self, arguments: &[&str]) -> Result<String, Failure> {
        printed(self.control_plane.helm().args(arguments), None)
    }

    /// The control plane itself.
    #[must_use]
    pub fn control_plane(&self) -> &ControlPlane {
        &self.control_plane
    }

    /// Kills the API server and starts it again, and blocks until it is ready.
    ///
    /// # Errors
    /// Where it does not start within `limit`.
    pub fn restart_api_server(&mut self, limit: Duration) -> Result<(), Failure> {
        Ok(self.control_plane.restart_api_server(limit)?)
    }

    /// Runs kubectl as an administrator and gives what it printed.
    ///
    /// # Errors
    /// What kubectl printed to standard error, where it failed.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, Failure> {
        printed(self.control_plane.kubectl().args(arguments), None)
    }

    /// Applies a manifest.
    ///
    /// # Errors
    /// The API server's own words, where it refuses.
    pub fn apply(&self, manifest: &str) -> Result<String, Failure> {
        printed(self.control_plane.kubectl().args(["apply", "-f", "-"]), Some(manifest))
    }

    /// Reads an object; `None` where there is none.
    ///
    /// # Errors
    /// Where kubectl fails.
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Result<Option<Value>, Failure> {
        let found = self.kubectl(&["get", kind, "-n", namespace, name, "-o", "json", "--ignore-not-found"])?;
        Ok(if found.trim().is_empty() { None } else { Some(serde_json::from_str(&found)?) })
    }

    /// A token of the operator's ServiceAccount: for the API server itself, or for another audience.
    ///
    /// # Errors
    /// Where the API server gives none.
    pub fn operator_token(&self, audience: Option<&str>) -> Result<String, Failure> {
        Ok(self.control_plane.service_account_token(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT, audience)?)
    }
}

fn printed(command: &mut Command, input: Option<&str>) -> Result<String, Failure> {
    use std::io::Write as _;
    use std::process::Stdio;

    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
        pipe.write_all(input.as_bytes())?;
    }
    let Output { status, stdout, stderr } = child.wait_with_output()?;
    if status.success() {
        Ok(String::from_utf8_lossy(&stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&stderr).into_owned().into())
    }
}
