//! `make bench`, its second part: how long the operator takes to be ready in a cluster with 1,000 objects, how much memory it
//! has when they all are Ready, and how much of it an image has to hold.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use arm_emulator::{Config, ConflictScope, Limits, Settings as AzureSettings, Timings};
use stage::many::{NAMESPACE, hub, make, number, object};
use stage::{Azure, Cluster, Failure, Operator, Settings, repository, say};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const HUBS: usize = 10;
const PROJECTS: usize = 490;
const CONNECTIONS: usize = 500;
/// How often the operator is started to see how long that takes.
const STARTS: usize = 5;
/// What has to be kept: seconds, and bytes.
const START: f64 = 1.0;
const MEMORY: f64 = 64e6;
const IMAGE: f64 = 25e6;
/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_mins(10);
/// How many objects one kubectl creates.
const AT_ONCE: usize = 50;

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(PathBuf::from);
    let program = arguments.next().unwrap_or_else(|| repository().join("target/release/foundry-operator"));
    // Where the image's content lies; without it, the program alone.
    let image = arguments.next().unwrap_or_else(|| program.clone());
    let outcome = tokio::select! {
        outcome = measure(program, &image) => outcome,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            say(&format!("\nThe bench failed: {failure}"));
            ExitCode::FAILURE
        }
    }
}

/// True where all is as it has to be.
async fn measure(program: PathBuf, image: &Path) -> Result<bool, Failure> {
    let folder = repository().join("target/footprint-run");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let image = size(image)?;
    say("Starting a control plane and Azure (emulated)");
    let cluster_folder = folder.join("control-plane");
    let cluster = tokio::task::spawn_blocking(move || Cluster::start(Some(cluster_folder))).await??;
    let settings = AzureSettings {
        timings: Timings::all(Duration::from_millis(50)),
        conflict_scope: ConflictScope::Workspace,
        ..AzureSettings::default()
    };
    let config = Config { settings, limits: Limits::generous(), journal_capacity: 100, ..Config::default() };
    let azure = Azure::start(&cluster, config).await?;
    let environment = vec![("FOUNDRY_POLL_INTERVAL".to_owned(), "100ms".to_owned())];
    // A busy machine is no reason for the only replica to end.
    let flags = vec!["--lease-duration".to_owned(), "2m".to_owned()];
    let settings = Settings { program, folder: folder.clone(), flags, environment };

    let operator = Operator::start(&cluster, &azure, &settings)?;
    let objects = HUBS + PROJECTS + CONNECTIONS;
    say(&format!("Creating {objects} objects: {HUBS} hubs, {PROJECTS} projects, {CONNECTIONS} connections"));
    cluster.kubectl(&["create", "namespace", NAMESPACE])?;
    let all: Vec<String> =
        (0..HUBS).map(hub).chain((0..PROJECTS).map(project)).chain((0..CONNECTIONS).map(connection)).collect();
    make("apply", &cluster, &folder, &all, AT_ONCE)?;
    until_ready(&operator, objects).await?;
    let first = memory(&operator).await?;
    operator.terminate(Duration::from_secs(30))?;

    let mut starts = Vec::new();
    let mut again = 0.0;
    for start in 1..=STARTS {
        let began = Instant::now();
        let operator = Operator::start(&cluster, &azure, &settings)?;
        until_ok(&operator).await?;
        starts.push(began.elapsed().as_secs_f64());
        if start == STARTS {
            until_observed(&operator, objects).await?;
            again = memory(&operator).await?;
        }
        operator.terminate(Duration::from_secs(30))?;
    }
    starts.sort_by(f64::total_cmp);
    let (median, worst) = (starts[STARTS / 2], starts[STARTS - 1]);

    let mut text = String::from("\n");
    let megabytes = |bytes: f64| bytes / 1e6;
    let _ = writeln!(
        text,
        "start to /readyz    {median:6.2} s  with {objects} objects in the cluster, median of {STARTS} (worst {worst:.2} s): {:3.0} % of {START} s",
        100.0 * median / START
    );
    let most = first.max(again);
    let _ = writeln!(
        text,
        "resident memory     {:6.1} MB with {objects} objects Ready ({:.1} MB after making them, {:.1} MB after a restart): {:3.0} % of {} MB",
        megabytes(most),
        megabytes(first),
        megabytes(again),
        100.0 * most / MEMORY,
        megabytes(MEMORY)
    );
    let _ = write!(
        text,
        "image content       {:6.1} MB: {:3.0} % of {} MB",
        megabytes(image),
        100.0 * image / IMAGE,
        megabytes(IMAGE)
    );
    say(&text);
    Ok(median <= START && most <= MEMORY && image <= IMAGE)
}

/// Waits until the operator says that it is ready.
async fn until_ok(operator: &Operator) -> Result<(), Failure> {
    let began = Instant::now();
    while !get(operator, "/readyz").await.is_some_and(|answer| answer.starts_with("HTTP/1.1 200")) {
        alive(operator, began)?;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Waits until so many objects are Ready, by the operator's own metrics.
async fn until_ready(operator: &Operator, objects: usize) -> Result<(), Failure> {
    let (began, mut told) = (Instant::now(), 0);
    loop {
        let metrics = get(operator, "/metrics").await.unwrap_or_default();
        let ready = sum(&metrics, |series| {
            series.starts_with("foundry_objects{condition=\"Ready\"") && series.contains("status=\"True\"")
        });
        if ready >= number(objects) {
            say(&format!("{:6.1} s  all are Ready", began.elapsed().as_secs_f64()));
            return Ok(());
        }
        if began.elapsed().as_secs() / 20 != told {
            told = began.elapsed().as_secs() / 20;
            say(&format!("{:6.1} s  {ready} are Ready", began.elapsed().as_secs_f64()));
        }
        alive(operator, began)?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Waits until so many reconciles have found all as it should be.
async fn until_observed(operator: &Operator, objects: usize) -> Result<(), Failure> {
    let began = Instant::now();
    loop {
        let metrics = get(operator, "/metrics").await.unwrap_or_default();
        let settled = sum(&metrics, |series| {
            series.starts_with("foundry_reconciles_total{") && series.contains("outcome=\"settled\"")
        });
        if settled >= number(objects) {
            return Ok(());
        }
        alive(operator, began)?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn alive(operator: &Operator, began: Instant) -> Result<(), Failure> {
    let fine = operator.is_running() && began.elapsed() < PATIENCE;
    if fine { Ok(()) } else { Err(format!("it took too long; the log is {}", operator.log().display()).into()) }
}

async fn memory(operator: &Operator) -> Result<f64, Failure> {
    let metrics = get(operator, "/metrics").await.unwrap_or_default();
    let memory = sum(&metrics, |series| series == "process_resident_memory_bytes");
    if memory > 0.0 { Ok(memory) } else { Err("the operator does not tell its memory".into()) }
}

/// The sum of the series that are asked for.
fn sum(metrics: &str, is_asked_for: impl Fn(&str) -> bool) -> f64 {
    let values = metrics.lines().filter_map(|line| line.rsplit_once(' ')).filter(|(series, _)| is_asked_for(series));
    values.filter_map(|(_, value)| value.parse::<f64>().ok()).sum()
}

/// One GET, as plainly as HTTP has it.
async fn get(operator: &Operator, path: &str) -> Option<String> {
    let address = operator.http_address()?;
    let mut stream = TcpStream::connect(address.strip_prefix("http://")?).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    Some(answer)
}

/// Bytes of a file, or of all files in a folder.
fn size(path: &Path) -> Result<f64, Failure> {
    let metadata = fs::symlink_metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    if !metadata.is_dir() {
        return Ok(number(usize::try_from(metadata.len())?));
    }
    fs::read_dir(path)?.try_fold(0.0, |all, entry| Ok(all + size(&entry?.path())?))
}

fn project(number: usize) -> String {
    let spec =
        format!("hubRef: {{name: hub-{}}}, friendlyName: Project {number}, tags: {{team: bench}}", number % HUBS);
    object("FoundryProject", &format!("project-{number}"), &spec)
}

fn connection(number: usize) -> String {
    let spec = format!(
        "projectRef: {{name: project-{}}}, category: AzureOpenAI, target: 'https://{number}.example', authType: AAD",
        number % PROJECTS
    );
    object("FoundryConnection", &format!("connection-{number}"), &spec)
}
