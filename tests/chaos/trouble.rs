//! What goes wrong, at random.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arm_emulator::{Fault, FaultRule, Moment, OperationFault, Outcome};
use fastrand::Rng;
use serde_json::{Value, json};
use stage::{Azure, Cluster, Operator, Settings};
use tempfile::TempDir;

/// How often it is looked at what has ended and what has to begin.
const TICK: Duration = Duration::from_millis(200);
/// How many replicas there are where nobody changes it, and at most.
const REPLICAS: (usize, usize) = (2, 3);
const LIMIT: Duration = Duration::from_mins(1);
const FLAGS: [&str; 6] = ["--poll-interval", "500ms", "--lease-duration", "4s", "--log-level", "debug"];

struct Replica {
    name: String,
    operator: Operator,
    /// Until when it stands still.
    paused: Option<Instant>,
}

pub struct Trouble {
    cluster: Cluster,
    azure: Arc<Azure>,
    rng: Rng,
    folder: TempDir,
    replicas: Vec<Replica>,
    /// How many replicas there should be.
    wanted: usize,
    started: usize,
    /// Faults of Azure, and when they end.
    faults: Vec<(u64, Instant)>,
    /// What was done how often.
    pub done: BTreeMap<&'static str, usize>,
}

impl Trouble {
    pub fn new(cluster: Cluster, azure: Arc<Azure>, seed: u64) -> Self {
        let mut trouble = Self {
            cluster,
            azure,
            rng: Rng::with_seed(seed.wrapping_add(1)),
            folder: TempDir::new().unwrap(),
            replicas: Vec::new(),
            wanted: REPLICAS.0,
            started: 0,
            faults: Vec::new(),
            done: BTreeMap::new(),
        };
        trouble.replace_who_ended();
        trouble
    }

    pub async fn make_until(&mut self, ends: Instant) {
        let mut next = Instant::now() + Duration::from_secs(5);
        while Instant::now() < ends {
            self.end_what_is_over();
            self.replace_who_ended();
            if Instant::now() > next {
                next = Instant::now() + Duration::from_millis(self.rng.u64(500..4000));
                let what = self.make();
                *self.done.entry(what).or_default() += 1;
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// All trouble is over.
    pub async fn end(&mut self) {
        self.azure.clear_faults();
        self.faults.clear();
        for replica in &mut self.replicas {
            replica.paused = None;
            // It may have ended by now.
            let _ = replica.operator.resume();
        }
        tokio::time::sleep(TICK).await;
        self.wanted = REPLICAS.0;
        self.replace_who_ended();
    }

    /// As a Deployment does.
    pub fn replace_who_ended(&mut self) {
        self.replicas.retain(|replica| replica.operator.is_running());
        while self.replicas.len() < self.wanted {
            self.started += 1;
            let name = format!("replica-{}", self.started);
            let settings = Settings {
                program: PathBuf::from(env!("CARGO_BIN_EXE_foundry-operator")),
                folder: self.folder.path().join(&name),
                flags: FLAGS.map(str::to_owned).to_vec(),
                environment: vec![("HOSTNAME".to_owned(), name.clone())],
            };
            let operator = Operator::start(&self.cluster, &self.azure, &settings).unwrap();
            self.replicas.push(Replica { name, operator, paused: None });
        }
    }

    /// What replicas said that panicked.
    pub fn panics(&self) -> Vec<String> {
        let log = |number| std::fs::read_to_string(self.log(number)).unwrap_or_default();
        let lines = (1..=self.started).flat_map(|number| log(number).lines().map(str::to_owned).collect::<Vec<_>>());
        lines.filter(|line| line.contains("panicked at")).collect()
    }

    fn log(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("replica-{number}")).join("operator.log")
    }

    /// The logs of all replicas there ever were.
    pub fn keep_logs(&self, folder: &str) {
        for number in 1..=self.started {
            let log = self.log(number);
            let kept = Path::new(folder).join(format!("chaos-replica-{number}.log"));
            if std::fs::copy(&log, &kept).is_ok() {
                println!("log: {}", kept.display());
            }
        }
        let running: Vec<&str> = self.replicas.iter().map(|replica| replica.name.as_str()).collect();
        println!("running at the end: {}", running.join(", "));
    }

    fn end_what_is_over(&mut self) {
        let now = Instant::now();
        for replica in &mut self.replicas {
            if replica.paused.is_some_and(|until| until < now) {
                replica.paused = None;
                // It may have ended by now.
                let _ = replica.operator.resume();
            }
        }
        self.faults.retain(|(rule, until)| {
            if *until < now {
                self.azure.remove_fault(*rule);
            }
            *until >= now
        });
    }

    fn make(&mut self) -> &'static str {
        match self.rng.u8(..20) {
            0..3 => self.kill(),
            3..6 => self.pause(),
            6..9 => self.scale(),
            9 => self.restart_api_server(),
            _ => self.break_azure(),
        }
    }

    fn kill(&mut self) -> &'static str {
        let which = self.rng.usize(..self.replicas.len());
        self.replicas.swap_remove(which).operator.kill().unwrap();
        "kills"
    }

    fn pause(&mut self) -> &'static str {
        let which = self.rng.usize(..self.replicas.len());
        let replica = &mut self.replicas[which];
        // It may have ended by now.
        let _ = replica.operator.pause();
        replica.paused = Some(Instant::now() + Duration::from_millis(self.rng.u64(500..9000)));
        "pauses"
    }

    /// One replica more, or one that is asked to end.
    fn scale(&mut self) -> &'static str {
        let running = self.replicas.iter().position(|replica| replica.paused.is_none());
        match running {
            Some(which) if self.wanted == REPLICAS.1 => {
                self.wanted -= 1;
                let replica = self.replicas.swap_remove(which);
                // It may lose the lease, and end for that, just then.
                tokio::task::block_in_place(|| replica.operator.end(LIMIT)).unwrap();
                "replicas asked to end"
            }
            _ => {
                self.wanted = (self.wanted + 1).min(REPLICAS.1);
                "more replicas"
            }
        }
    }

    fn restart_api_server(&mut self) -> &'static str {
        tokio::task::block_in_place(|| self.cluster.restart_api_server(LIMIT)).unwrap();
        "restarts of the API server"
    }

    fn break_azure(&mut self) -> &'static str {
        let error = |status: u16, code: &str, headers: &[(&str, &str)]| Fault::Answer {
            status,
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: if code.is_empty() { Value::Null } else { json!({"error": {"code": code, "message": "no"}}) },
        };
        let ends = |outcome, code: &str| {
            let (code, message) = (code.to_owned(), "no".to_owned());
            Fault::Operation(OperationFault::Ends { outcome, code, message })
        };
        let (everywhere, sign_in) = ("/subscriptions/", "/oauth2/");
        let (what, path, fault) = match self.rng.u8(..12) {
            0 => ("times with 500", everywhere, error(500, "InternalServerError", &[])),
            1 => ("times with 503", everywhere, error(503, "ServerBusy", &[("Retry-After", "2")])),
            2 => ("times with 429", everywhere, error(429, "TooManyRequests", &[("Retry-After", "3")])),
            3 => ("times with 409", everywhere, error(409, "AnotherOperationInProgress", &[])),
            4 => ("times with 401", everywhere, error(401, "ExpiredAuthenticationToken", &[])),
            5 => {
                ("times with a proxy's page", everywhere, Fault::Html { status: 502, page: "<html></html>".to_owned() })
            }
            6 => ("times with lost requests", everywhere, Fault::DropConnection(Moment::Before)),
            7 => ("times with lost answers", everywhere, Fault::DropConnection(Moment::After)),
            8 => ("times with slow answers", everywhere, Fault::Delay(Duration::from_secs(3))),
            9 => ("times with halved answers", everywhere, Fault::TruncateAfter(30)),
            10 => ("times with failing operations", everywhere, ends(Outcome::Failed, "AnotherOperationInProgress")),
            _ => ("times without sign-in", sign_in, error(503, "", &[])),
        };
        let chance = *self.rng.choice(&[0.1, 0.3, 1.0]).unwrap();
        let rule = FaultRule::new("", path, fault).by_chance(chance, self.rng.u64(..));
        let until = Instant::now() + Duration::from_millis(self.rng.u64(1000..8000));
        self.faults.push((self.azure.add_fault(rule), until));
        what
    }
}
