//! The operator's own program, as it runs in a cluster: under its ServiceAccount, with workload identity.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use control_plane::Supervised;

use crate::{Azure, Cluster, EXCHANGE_AUDIENCE, Failure, OPERATOR_CLIENT_ID, OPERATOR_NAMESPACE};

/// How the operator is started.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The program.
    pub program: PathBuf,
    /// Where its token, kubeconfig and log go.
    pub folder: PathBuf,
    /// Flags. What leads it to the cluster and to Azure is in its environment, so that flags can differ from it.
    pub flags: Vec<String>,
    /// Variables besides those, or instead of them.
    pub environment: Vec<(String, String)>,
}

/// A running operator. It ends when it is dropped.
#[derive(Debug)]
pub struct Operator {
    process: Supervised,
    command: Command,
    log: PathBuf,
    /// Where in the log this start of the operator begins, in bytes.
    log_begins: usize,
}

impl Operator {
    /// Starts the operator.
    ///
    /// # Errors
    /// Where a file cannot be written or the program does not start.
    pub fn start(cluster: &Cluster, azure: &Azure, settings: &Settings) -> Result<Self, Failure> {
        let Settings { program, folder, flags, environment } = settings;
        fs::create_dir_all(folder)?;
        let place = |name: &str, content: &str| -> Result<PathBuf, Failure> {
            let file = folder.join(name);
            fs::write(&file, content)?;
            Ok(file)
        };
        let kubeconfig = cluster.control_plane().kubeconfig_yaml("foundry-operator", &cluster.operator_token(None)?);
        let kubeconfig = place("operator.kubeconfig", &kubeconfig)?;
        let token = place("operator.token", &cluster.operator_token(Some(EXCHANGE_AUDIENCE))?)?;
        let ca = place("arm-ca.pem", azure.ca_pem())?;
        let log = folder.join("operator.log");
        let mut command = Command::new(program);
        command
            .arg("run")
            .args(flags)
            .env("FOUNDRY_AZURE_CLOUD", "custom")
            .env("FOUNDRY_ARM_ENDPOINT", azure.endpoint())
            .env("FOUNDRY_CA_BUNDLE", ca)
            .env("KUBECONFIG", kubeconfig)
            // As the workload identity webhook sets them in a pod.
            .env("AZURE_CLIENT_ID", OPERATOR_CLIENT_ID)
            .env("AZURE_TENANT_ID", azure.tenant_id())
            .env("AZURE_FEDERATED_TOKEN_FILE", token)
            .env("AZURE_AUTHORITY_HOST", azure.endpoint())
            // As the API server knows it in a pod.
            .env("POD_NAMESPACE", OPERATOR_NAMESPACE)
            .env("FOUNDRY_HTTP_ADDRESS", "127.0.0.1:0")
            // Whatever proxy this machine has: everything here is on this machine.
            .env("NO_PROXY", "127.0.0.1")
            .envs(environment.iter().map(|(name, value)| (name, value)));
        let log_begins = fs::read(&log).map_or(0, |before| before.len());
        let process = Supervised::from_command(&command, &log)?;
        Ok(Self { process, command, log, log_begins })
    }

    /// Ends it as `kill -9` does, and starts it again as it was started.
    ///
    /// # Errors
    /// Where it cannot be killed or does not start.
    pub fn crash(&mut self) -> Result<(), Failure> {
        self.process.kill()?;
        self.log_begins = fs::read(&self.log).map_or(0, |before| before.len());
        self.process = Supervised::from_command(&self.command, &self.log)?;
        Ok(())
    }

    /// Where the log is.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Where its metrics and health are, as `http://127.0.0.1:PORT`; `None` before it listens.
    #[must_use]
    pub fn http_address(&self) -> Option<String> {
        let log = fs::read_to_string(&self.log).ok()?;
        let (_, after) = log.get(self.log_begins..)?.split_once("/readyz are at ")?;
        after.split(|end: char| end == '"' || end.is_whitespace()).next().map(str::to_owned)
    }

    /// Whether it still runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.process.is_running()
    }

    /// Stops it where it stands, until [`Self::resume`].
    ///
    /// # Errors
    /// Where it has ended.
    pub fn pause(&self) -> Result<(), Failure> {
        Ok(self.process.pause()?)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// Where it has ended.
    pub fn resume(&self) -> Result<(), Failure> {
        Ok(self.process.resume()?)
    }

    /// Ends it as `kill -9` does.
    ///
    /// # Errors
    /// Where it cannot be killed.
    pub fn kill(mut self) -> Result<(), Failure> {
        self.process.kill()?;
        Ok(())
    }

    /// Asks it to end, as a pod's deletion does, and waits.
    ///
    /// # Errors
    /// Where it has not ended within `limit`, or not well.
    pub fn terminate(self, limit: Duration) -> Result<(), Failure> {
        match self.end(limit)? {
            status if status.success() => Ok(()),
            status => Err(format!("the operator ended with {status}").into()),
        }
    }

    /// The same, however it ends.
    ///
    /// # Errors
    /// Where it has not ended within `limit`.
    pub fn end(mut self, limit: Duration) -> Result<ExitStatus, Failure> {
        self.process.terminate()?;
        self.process.wait(limit)?.ok_or_else(|| format!("the operator still runs after {limit:?}").into())
    }
}
