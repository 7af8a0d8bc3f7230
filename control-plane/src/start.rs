use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::{ControlPlane, Error, Folder, Options, Supervised, audit, keys};

pub(crate) const ISSUER: &str = "https://kubernetes.default.svc";
pub(crate) const AUDIT_LOG: &str = "audit.log";
const AUDIT_POLICY: &str = "audit-policy.yaml";
const TOKENS: &str = "tokens.csv";
const CONTROLLERS_KUBECONFIG: &str = "kube-controller-manager.kubeconfig";
const CONTROLLERS_USER: &str = "system:kube-controller-manager";
// Sockets, because a port may be taken by the etcd of another control plane, whose state we would then
// write to. Relative, because the path of a socket is short; and etcd wants a port in each name.
const ETCD_CLIENTS: &str = "unix://etcd.sock:0";
const ETCD_PEERS: &str = "unix://etcd-peers.sock:0";
// Short, because whoever took our port may accept connections and never answer.
const CHECK_LIMIT: Duration = Duration::from_secs(3);
const TAIL_LINES: usize = 30;
const API_SERVER: &str = "kube-apiserver";
const READY: [&str; 3] = ["get", "--raw", "/readyz"];

#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) process: Supervised,
    command: Command,
    log: PathBuf,
}

/// Starts etcd, kube-apiserver and kube-controller-manager, and blocks until they are ready.
///
/// It needs no async runtime, and the result may be kept in a static.
///
/// # Errors
///
/// When a program ends or is not ready in time, with the end of its log; or when the folder cannot be
/// written.
pub fn start(options: Options) -> Result<ControlPlane, Error> {
    start_on(options, free_port)
}

fn free_port() -> Result<u16, Error> {
    let address = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    address.map(|address| address.port()).map_err(Error::io("find a free port"))
}

fn start_on(options: Options, mut port: impl FnMut() -> Result<u16, Error>) -> Result<ControlPlane, Error> {
    let deadline = Deadline::after(options.time_limit);
    let binaries = options.binaries;
    let folder = Folder::open(options.folder.as_deref())?;
    let etcd = spawn(&folder, "etcd", &binaries.etcd, &etcd_arguments())?;

    let admin_token = keys::make_token()?;
    let controllers_token = keys::make_token()?;
    let ca_pem = keys::make_certificate(&folder)?;
    keys::make_token_key(&folder)?;
    folder.write(AUDIT_POLICY, audit::POLICY)?;
    folder.write(AUDIT_LOG, "")?;
    let tokens = format!(
        "{admin_token},admin,admin,\"system:masters\"\n\
         {controllers_token},{CONTROLLERS_USER},{CONTROLLERS_USER},\"system:masters\"\n"
    );
    folder.write(TOKENS, &tokens)?;

    let mut control_plane = ControlPlane {
        programs: vec![etcd],
        kubectl: binaries.kubectl,
        helm: binaries.helm,
        server: String::new(),
        ca_pem,
        admin_kubeconfig: folder.path().join("admin.kubeconfig"),
        folder,
    };
    loop {
        let port = port()?;
        control_plane.server = format!("https://127.0.0.1:{port}");
        let admin = control_plane.kubeconfig_yaml("admin", &admin_token);
        control_plane.folder.write("admin.kubeconfig", &admin)?;
        let arguments = api_server_arguments(port);
        control_plane.run(API_SERVER, &binaries.kube_apiserver, &arguments)?;
        match control_plane.wait_for(deadline, &READY) {
            Ok(()) => break,
            // Somebody took the port between our look and the API server's.
            Err(Error::Ended { tail, log, .. })
                if tail.contains("address already in use") && !deadline.has_passed() =>
            {
                let _ = fs::remove_file(log);
                control_plane.programs.remove(0);
            }
            Err(error) => return Err(error),
        }
    }

    let controllers = control_plane.kubeconfig_yaml(CONTROLLERS_USER, &controllers_token);
    control_plane.folder.write(CONTROLLERS_KUBECONFIG, &controllers)?;
    control_plane.run("kube-controller-manager", &binaries.kube_controller_manager, &controllers_arguments())?;
    // Who makes the default service accounts also does the rest.
    let account = ["get", "serviceaccount", "default", "--namespace=default"];
    control_plane.wait_for(deadline, &account)?;
    Ok(control_plane)
}

fn etcd_arguments() -> Vec<String> {
    vec![
        "--name=control-plane".into(),
        "--data-dir=etcd".into(),
        "--unsafe-no-fsync".into(),
        format!("--listen-client-urls={ETCD_CLIENTS}"),
        format!("--advertise-client-urls={ETCD_CLIENTS}"),
        format!("--listen-peer-urls={ETCD_PEERS}"),
        format!("--initial-advertise-peer-urls={ETCD_PEERS}"),
        format!("--initial-cluster=control-plane={ETCD_PEERS}"),
    ]
}

fn api_server_arguments(port: u16) -> Vec<String> {
    vec![
        format!("--etcd-servers={ETCD_CLIENTS}"),
        format!("--secure-port={port}"),
        "--bind-address=127.0.0.1".into(),
        // No endpoints for the `kubernetes` service: they may not be loopback addresses, and without
        // an address given the API server looks for a network that a sandbox may not have.
        "--advertise-address=127.0.0.1".into(),
        "--endpoint-reconciler-type=none".into(),
        "--service-cluster-ip-range=10.0.0.0/24".into(),
        format!("--tls-cert-file={}", keys::SERVER_CERTIFICATE),
        format!("--tls-private-key-file={}", keys::SERVER_KEY),
        format!("--service-account-issuer={ISSUER}"),
        format!("--service-account-key-file={}", keys::TOKEN_PUBLIC_KEY),
        format!("--service-account-signing-key-file={}", keys::TOKEN_KEY),
        "--service-account-max-token-expiration=168h".into(),
        format!("--token-auth-file={TOKENS}"),
        "--authorization-mode=RBAC".into(),
        // It would refuse pods until a controller has made their service account.
        "--disable-admission-plugins=ServiceAccount".into(),
        "--allow-privileged=true".into(),
        "--profiling=false".into(),
        format!("--audit-policy-file={AUDIT_POLICY}"),
        format!("--audit-log-path={AUDIT_LOG}"),
        "--audit-log-mode=blocking".into(),
        // In megabytes: never begin another file, because only one is read.
        "--audit-log-maxsize=100000".into(),
    ]
}

fn controllers_arguments() -> Vec<String> {
    vec![
        format!("--kubeconfig={CONTROLLERS_KUBECONFIG}"),
        "--controllers=namespace-controller,garbage-collector-controller,\
         serviceaccount-controller,clusterrole-aggregation-controller"
            .into(),
        "--concurrent-namespace-syncs=10".into(),
        // The default of 20 a second makes every namespace wait for the deletion of the one before.
        "--kube-api-qps=500".into(),
        "--kube-api-burst=1000".into(),
        "--leader-elect=false".into(),
        "--secure-port=0".into(),
        "--profiling=false".into(),
    ]
}

fn spawn(folder: &Folder, name: &'static str, program: &Path, arguments: &[String]) -> Result<Program, Error> {
    // Begun anew, so that what an earlier start wrote does not explain this one's end.
    let log = folder.write(&format!("{name}.log"), "")?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder.path());
    let process = Supervised::from_command(&command, &log)?;
    Ok(Program { name, process, command, log })
}

impl ControlPlane {
    /// Kills the API server, starts it again at the same address with what etcd holds, and blocks until it is ready.
    ///
    /// # Errors
    ///
    /// When it does not start, or is not ready within the limit, with the end of its log.
    pub fn restart_api_server(&mut self, time_limit: Duration) -> Result<(), Error> {
        let deadline = Deadline::after(time_limit);
        for program in self.programs.iter_mut().filter(|program| program.name == API_SERVER) {
            program.process.kill()?;
            program.process = Supervised::from_command(&program.command, &program.log)?;
        }
        self.wait_for(deadline, &READY)
    }

    fn run(&mut self, name: &'static str, program: &Path, arguments: &[String]) -> Result<(), Error> {
        let program = spawn(&self.folder, name, program, arguments)?;
        self.programs.insert(0, program);
        Ok(())
    }

    /// Repeats a kubectl command until it succeeds; the program that was started last is the one it
    /// depends on.
    fn wait_for(&mut self, deadline: Deadline, arguments: &[&str]) -> Result<(), Error> {
        loop {
            // First, so that the answer comes from a server that is ours.
            let ended = self.programs.iter().position(|it| !it.process.is_running());
            if let Some(index) = ended {
                let program = &mut self.programs[index];
                let status = program.process.kill()?;
                return Err(Error::Ended {
                    program: program.name,
                    status,
                    tail: tail(&program.log),
                    log: self.folder.keep_log(&program.log),
                });
            }
            let Err(answer) = self.kubectl_output(CHECK_LIMIT, arguments) else {
                return Ok(());
            };
            if deadline.has_passed() {
                let program = &self.programs[0];
                return Err(Error::NotReady {
                    program: program.name,
                    limit: deadline.limit,
                    reason: answer.to_string(),
                    tail: tail(&program.log),
                    log: self.folder.keep_log(&program.log),
                });
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}

fn tail(log: &Path) -> String {
    let log = fs::read(log).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

#[derive(Clone, Copy)]
struct Deadline {
    begin: Instant,
    limit: Duration,
}

impl Deadline {
    fn after(limit: Duration) -> Self {
        let begin = Instant::now();
        Self { begin, limit }
    }

    fn has_passed(self) -> bool {
        self.begin.elapsed() >= self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_was_taken_meanwhile_is_left() -> Result<(), Box<dyn std::error::Error>> {
        let taken = TcpListener::bind(("127.0.0.1", 0))?;
        let taken = (taken.local_addr()?.port(), taken);
        let mut tries = 0;
        let control_plane = start_on(Options::find()?, || {
            tries += 1;
            if tries == 1 { Ok(taken.0) } else { free_port() }
        })?;
        let names: Vec<_> = control_plane.pids().map(|(name, _)| name).collect();
        assert_eq!(names, ["kube-controller-manager", "kube-apiserver", "etcd"]);
        assert_eq!(tries, 2);
        Ok(())
    }

    #[test]
    fn the_time_limit_holds() -> Result<(), Box<dyn std::error::Error>> {
        let mut options = Options::find()?;
        options.time_limit = Duration::ZERO;
        let Err(Error::NotReady { log, .. }) = start_on(options, free_port) else {
            return Err("not the error of a start that takes too long".into());
        };
        fs::remove_file(log)?;
        Ok(())
    }
}
