//! `make demo`: the whole way from `kubectl apply` to a workspace id, on this machine alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use arm_emulator::{Config, Settings as AzureSettings, Timings};
use stage::{Azure, Cluster, Failure, Operator, Settings, repository, say};

/// How long Azure takes here to make, change or delete a workspace: long enough to be seen.
const AZURE_TAKES: Duration = Duration::from_secs(4);
/// How long the demonstration may take to be ready.
const PATIENCE: Duration = Duration::from_mins(2);

const OBJECTS: &[(&str, &str, &str)] = &[
    ("foundryhub", "ai-platform", "contoso"),
    ("foundryconnection", "ai-platform", "shared-search"),
    ("foundryproject", "team-churn", "churn"),
    ("foundryconnection", "team-churn", "aoai"),
    ("foundryconnection", "team-churn", "documents"),
];

#[tokio::main]
async fn main() -> ExitCode {
    let program =
        std::env::args_os().nth(1).map_or_else(|| repository().join("target/debug/foundry-operator"), PathBuf::from);
    let outcome = tokio::select! {
        outcome = demonstrate(program) => outcome,
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    match outcome {
        Ok(()) => {
            say("\nStopped: control plane, emulator and operator are gone.");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            say(&format!("\nThe demonstration failed: {failure}"));
            ExitCode::FAILURE
        }
    }
}

async fn demonstrate(program: PathBuf) -> Result<(), Failure> {
    let folder = repository().join("target/demo");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    say("1/4  Starting a Kubernetes control plane, with the operator's CRDs and RBAC");
    let cluster_folder = folder.join("control-plane");
    let cluster = tokio::task::spawn_blocking(move || Cluster::start(Some(cluster_folder))).await??;
    fs::copy(cluster.control_plane().admin_kubeconfig(), folder.join("kubeconfig"))?;

    say("2/4  Starting the Azure emulator");
    let timings = Timings::all(AZURE_TAKES);
    let config = Config { settings: AzureSettings { timings, ..AzureSettings::default() }, ..Config::default() };
    let azure = Azure::start(&cluster, config).await?;
    let ca = folder.join("arm-ca.pem");
    fs::write(&ca, azure.ca_pem())?;
    fs::write(folder.join("arm.env"), format!("ARM_ENDPOINT={}\nCA_BUNDLE={}\n", azure.endpoint(), ca.display()))?;

    say("3/4  Starting the operator under its own ServiceAccount");
    let flags = ["--log-format", "text", "--resync", "30s", "--poll-interval", "1s"].map(str::to_owned).to_vec();
    let settings = Settings { program, folder: folder.clone(), flags, environment: Vec::new() };
    let operator = Operator::start(&cluster, &azure, &settings)?;

    say("4/4  kubectl apply -f config/demo\n");
    cluster.kubectl(&["apply", "-f", &repository().join("config/demo").display().to_string()])?;
    wait_until_ready(&cluster, &operator).await?;
    show(&cluster, &folder, &operator)?;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if !operator.is_running() {
            return Err(format!("the operator has ended; its log is {}", operator.log().display()).into());
        }
    }
}

/// Shows each object's way to Ready as it happens.
async fn wait_until_ready(cluster: &Cluster, operator: &Operator) -> Result<(), Failure> {
    let began = Instant::now();
    let mut shown = vec![String::new(); OBJECTS.len()];
    loop {
        let mut ready = 0;
        for (shown, (kind, namespace, name)) in shown.iter_mut().zip(OBJECTS) {
            let object = cluster.get(kind, namespace, name)?.unwrap_or_default();
            let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let Some(condition) = conditions.iter().find(|condition| condition["type"] == "Ready") else {
                continue;
            };
            let is_ready = condition["status"] == "True";
            ready += usize::from(is_ready);
            let mark = if is_ready { "Ready  " } else { "       " };
            let now =
                format!("{mark} {kind:<17} {namespace}/{name}: {}", condition["message"].as_str().unwrap_or_default());
            if now != *shown {
                say(&format!("     {:>5.1}s  {now}", began.elapsed().as_secs_f64()));
                *shown = now;
            }
        }
        if ready == OBJECTS.len() {
            return Ok(());
        }
        if began.elapsed() > PATIENCE || !operator.is_running() {
            return Err(
                format!("not all objects became Ready; the operator's log is {}", operator.log().display()).into()
            );
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

fn show(cluster: &Cluster, folder: &Path, operator: &Operator) -> Result<(), Failure> {
    say(&format!("\n$ kubectl get foundry -A\n{}", cluster.kubectl(&["get", "foundry", "-A"])?));
    let project = cluster.get("foundryproject", "team-churn", "churn")?.unwrap_or_default();
    let status = &project["status"];
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    say(&format!("The project's workspace id: {}", text(&status["workspaceId"])));
    say(&format!("Its containers in {}:", text(&status["storageAccount"])));
    for container in status["containers"].as_array().into_iter().flatten() {
        let (name, datastore) = (text(&container["name"]), text(&container["datastore"]));
        say(&format!("  {name:<52} {:<9} {datastore} ({})", text(&container["type"]), text(&container["source"])));
    }
    say(&format!(
        "
From another terminal:
  export KUBECONFIG={folder}/kubeconfig
  kubectl get foundry -A
  kubectl describe fproj churn -n team-churn
  kubectl delete -f config/demo

What Azure was asked, and what it has now:
  . {folder}/arm.env
  curl -s --cacert $CA_BUNDLE $ARM_ENDPOINT/_emulator/journal
  curl -s --cacert $CA_BUNDLE $ARM_ENDPOINT/_emulator/resources

The operator's log: {log}
Ctrl-C stops everything.",
        folder = folder.display(),
        log = operator.log().display()
    ));
    Ok(())
}
