//! A hundred objects are made, changed and deleted at random while the operator is killed, paused and doubled, Azure throttles,
//! fails and drops connections, and the API server is restarted. Then all trouble ends, and cluster and Azure have to agree.
//!
//! `cargo test --test chaos -- SECONDS SEED`. The seed decides what is done; when it meets what, the machine decides too.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "this program tells by itself what it did")]

mod compare;
mod trouble;
mod users;
mod wishes;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arm_emulator::{Bucket, Config, Limits, Settings, Timings};
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use stage::{Azure, Cluster};

use trouble::Trouble;
use users::Users;

/// How long it may take, after all trouble, until everything is as it was wished to be.
const PATIENCE: Duration = Duration::from_mins(6);
const NAMESPACE: &str = "chaos";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let seconds = arguments.next().map_or(600, |seconds| seconds.parse().unwrap());
    let seed = arguments.next().map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap());
    rustls::crypto::aws_lc_rs::default_provider().install_default().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cluster = Cluster::start(None).unwrap();
    println!("chaos: seed {seed}, {seconds} s");
    let differences = runtime.block_on(run(cluster, seed, Duration::from_secs(seconds)));
    for difference in &differences {
        println!("DIFFERENCE  {difference}");
    }
    println!("chaos: seed {seed}, {} differences", differences.len());
    if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run(cluster: Cluster, seed: u64, lasts: Duration) -> Vec<String> {
    let client = admin(&cluster).await;
    cluster.kubectl(&["create", "namespace", NAMESPACE]).unwrap();
    let azure = Arc::new(Azure::start(&cluster, slow_azure()).await.unwrap());
    let mut trouble = Trouble::new(cluster, azure.clone(), seed);
    let mut users = Users::new(client.clone(), seed);
    let ends = Instant::now() + lasts;
    tokio::join!(users.act_until(ends), trouble.make_until(ends));
    println!("operations  {}", told(&users.done));
    println!("faults      {}", told(&trouble.done));
    trouble.end().await;

    let since = Instant::now();
    let mut differences = loop {
        let differences = compare::differences(&client, &azure, users.wishes()).await;
        if differences.is_empty() || since.elapsed() > PATIENCE {
            break differences;
        }
        trouble.replace_who_ended();
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    println!("answered    {}", told(&answers(&azure)));
    println!(
        "{} objects; compared until {} s after the last trouble",
        users.wishes().there(),
        since.elapsed().as_secs()
    );
    differences.extend(azure.schema_violations().iter().map(|violation| format!("{violation:?}")));
    differences.extend(trouble.panics());
    if !differences.is_empty() {
        trouble.keep_logs(env!("CARGO_TARGET_TMPDIR"));
    }
    differences
}

async fn admin(cluster: &Cluster) -> Client {
    let kubeconfig = Kubeconfig::read_from(cluster.control_plane().admin_kubeconfig()).unwrap();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

/// An Azure that takes its time, and lets nobody call as often as they like.
fn slow_azure() -> Config {
    let of = |capacity, refill_per_second| Bucket { capacity, refill_per_second };
    Config {
        settings: Settings { timings: Timings::all(Duration::from_secs(2)), ..Settings::default() },
        limits: Limits { reads: of(100, 15.0), writes: of(40, 6.0), deletes: of(40, 6.0), ..Limits::default() },
        journal_capacity: 1_000_000,
        ..Config::default()
    }
}

/// How many calls were answered how.
fn answers(azure: &Azure) -> BTreeMap<&'static str, usize> {
    let mut answers = BTreeMap::new();
    for call in azure.journal() {
        let how = match (call.fault.is_some(), call.status) {
            (true, _) => "with a fault",
            (false, 429) => "429",
            (false, 409) => "409",
            (false, 500..) => "5xx",
            (false, _) => "as usual",
        };
        *answers.entry(how).or_default() += 1;
    }
    answers
}

fn told(counts: &BTreeMap<&'static str, usize>) -> String {
    let all: usize = counts.values().sum();
    let each: Vec<String> = counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
    format!("{all}: {}", each.join(", "))
}
