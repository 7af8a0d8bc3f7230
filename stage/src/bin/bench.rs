//! `make bench`: 300 projects at once at ARM's real limits. How close to what the limits allow, and without one 429.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use arm_emulator::{Bucket, Config, ConflictScope, JournalEntry, Limits, Settings as AzureSettings, Timings};
use stage::many::{NAMESPACE, hub, make, number, object};
use stage::{Azure, Cluster, Failure, Operator, Settings, repository, say};

const HUBS: usize = 3;
const PROJECTS_OF_A_HUB: usize = 100;
/// How long Azure takes to make a workspace, in seconds by its own clock, unless told otherwise: short enough for the limits,
/// and not the waiting for it, to decide how long all takes.
const AZURE_TAKES: u64 = 5;
/// How long either part of the bench may take, by the emulator's clock.
const PATIENCE: Duration = Duration::from_mins(10);
/// How many projects one kubectl creates.
const AT_ONCE: usize = 30;

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let program = arguments.next().map_or_else(|| repository().join("target/debug/foundry-operator"), PathBuf::from);
    let factor = arguments.next().and_then(|factor| factor.parse().ok()).unwrap_or(1);
    let azure_takes = arguments.next().and_then(|seconds| seconds.parse().ok()).unwrap_or(AZURE_TAKES);
    let azure_takes = Duration::from_secs(azure_takes);
    let outcome = tokio::select! {
        outcome = measure(program, factor, azure_takes) => outcome,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    match outcome {
        Ok(report) if report.refused == 0 => ExitCode::SUCCESS,
        Ok(report) => {
            say(&format!("\nARM answered 429 to {} calls: the operator has to slow down before that", report.refused));
            ExitCode::FAILURE
        }
        Err(failure) => {
            say(&format!("\nThe bench failed: {failure}"));
            ExitCode::FAILURE
        }
    }
}

async fn measure(program: PathBuf, factor: u32, azure_takes: Duration) -> Result<Report, Failure> {
    let folder = repository().join("target/bench-run");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    say("Starting a control plane, Azure (emulated) and the operator");
    let cluster_folder = folder.join("control-plane");
    let cluster = tokio::task::spawn_blocking(move || Cluster::start(Some(cluster_folder))).await??;
    let config = Config {
        settings: AzureSettings {
            timings: Timings::all(azure_takes),
            conflict_scope: ConflictScope::Workspace,
            time_factor: factor,
            ..AzureSettings::default()
        },
        limits: Limits::default(),
        journal_capacity: 100_000,
        ..Config::default()
    };
    let limits = config.limits;
    let azure = Azure::start(&cluster, config).await?;
    let operator = Operator::start(
        &cluster,
        &azure,
        &Settings { program, folder: folder.clone(), flags: Vec::new(), environment: Vec::new() },
    )?;
    let stage = Stage { cluster, azure, operator, factor };

    say(&format!("Creating {HUBS} hubs"));
    stage.cluster.kubectl(&["create", "namespace", NAMESPACE])?;
    stage.cluster.apply(&(0..HUBS).map(hub).collect::<String>())?;
    stage.until_ready("foundryhubs", HUBS).await?;
    stage.azure.clear_journal();

    let projects = HUBS * PROJECTS_OF_A_HUB;
    say(&format!("Creating {projects} projects, {PROJECTS_OF_A_HUB} in each hub, at once"));
    let began = Instant::now();
    let all: Vec<String> = (0..projects).map(project).collect();
    make("create", &stage.cluster, &folder, &all, AT_ONCE)?;
    say(&format!("{:6.1} s  all are in Kubernetes", began.elapsed().as_secs_f64()));
    stage.until_ready("foundryprojects", projects).await?;
    let round = Round { projects, limits, factor, azure_takes, took: began.elapsed() };
    let report = Report::of(&stage.azure.journal(), &round);
    say(&report.told(projects));
    Ok(report)
}

struct Stage {
    cluster: Cluster,
    azure: Azure,
    operator: Operator,
    factor: u32,
}

impl Stage {
    async fn until_ready(&self, kind: &str, count: usize) -> Result<(), Failure> {
        let (began, mut told) = (Instant::now(), 0);
        loop {
            let ready = self.ready(kind)?;
            if ready / 50 != told / 50 || ready == count {
                say(&format!("{:6.1} s  {ready} {kind} are Ready", began.elapsed().as_secs_f64()));
            }
            told = ready;
            if ready == count {
                return Ok(());
            }
            if began.elapsed() > PATIENCE / self.factor.max(1) || !self.operator.is_running() {
                let log = self.operator.log().display();
                return Err(format!("{ready} of {count} {kind} became Ready; the operator's log is {log}").into());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn ready(&self, kind: &str) -> Result<usize, Failure> {
        const STATUS: &str = r#"jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}"#;
        let statuses = self.cluster.kubectl(&["get", kind, "-n", NAMESPACE, "-o", STATUS])?;
        Ok(statuses.lines().filter(|status| *status == "True").count())
    }
}

/// What was done.
struct Round {
    projects: usize,
    limits: Limits,
    factor: u32,
    azure_takes: Duration,
    took: Duration,
}

/// What it took.
struct Report {
    refused: usize,
    busy: usize,
    /// Word, count, and the least time in seconds that the bucket allows for them.
    kinds: Vec<(&'static str, usize, f64)>,
    polls: usize,
    /// The least time in seconds where, besides, nobody knows how an operation ended before it has.
    least_with_operations: f64,
    azure_takes: Duration,
    took: Duration,
}

impl Report {
    fn of(journal: &[JournalEntry], round: &Round) -> Self {
        let &Round { projects, limits, factor, azure_takes, took } = round;
        let calls: Vec<_> = journal.iter().filter(|call| !call.path.ends_with("/token")).collect();
        let answered = |status| calls.iter().filter(|call| call.status == status).count();
        let least = |count: usize, bucket: Bucket| {
            let beyond = number(count) - f64::from(bucket.capacity);
            beyond.max(0.0) / bucket.refill_per_second / f64::from(factor)
        };
        let kind = |word, methods: &[&str], bucket: Bucket| {
            let count = calls.iter().filter(|call| methods.contains(&call.method.as_str())).count();
            (word, count, least(count, bucket))
        };
        let reads = calls.iter().filter(|call| call.method == "GET").count();
        // Each project is looked at once before its operation; while the first ones run, the bucket at best fills up.
        let afterwards = least(reads.saturating_sub(projects), limits.reads);
        Self {
            least_with_operations: azure_takes.as_secs_f64() / f64::from(factor) + afterwards,
            refused: answered(429),
            busy: answered(409),
            kinds: vec![
                kind("reads", &["GET"], limits.reads),
                kind("writes", &["PUT", "PATCH", "POST"], limits.writes),
                kind("deletes", &["DELETE"], limits.deletes),
            ],
            azure_takes,
            polls: calls.iter().filter(|call| call.path.contains("/workspaceOperationsStatus/")).count(),
            took,
        }
    }

    fn told(&self, projects: usize) -> String {
        let mut text = format!("\nAnswered 429: {}   answered 409: {}\n", self.refused, self.busy);
        let mut all = 0;
        for (word, count, least) in &self.kinds {
            all += count;
            let _ = writeln!(text, "{word:<8} {count:>6}   the limits allow them in {least:.1} s");
        }
        let least = self.kinds.iter().map(|(.., least)| *least).fold(0.0, f64::max);
        let took = self.took.as_secs_f64();
        let (each, followed) = (number(all) / number(projects), number(self.polls) / number(projects));
        let with = self.least_with_operations.max(least);
        let _ = write!(
            text,
            "{each:.2} calls a project, {followed:.2} of them to follow its operation\n\
             It took {took:.1} s. The limits alone allow as many calls in {least:.1} s: {:.0} %\n\
             As operations take {} s by Azure's clock, and two reads and a poll come after: {with:.1} s: {:.0} %",
            100.0 * least / took,
            self.azure_takes.as_secs(),
            100.0 * with / took
        );
        text
    }
}

fn project(number: usize) -> String {
    let spec = format!("hubRef: {{name: hub-{}}}, friendlyName: Project {number}", number % HUBS);
    object("FoundryProject", &format!("project-{number}"), &spec)
}
