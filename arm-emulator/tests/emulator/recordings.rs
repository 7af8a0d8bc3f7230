//! Recorded traffic of the real service, sent again to the emulator: status, headers and the shape of bodies must be those of
//! the recording. The recordings are not part of this repository: the variable `ARM_RECORDINGS` names their folder.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, io};

use arm_emulator::{Config, Settings, Timings};
use serde_json::{Value, json};

use crate::session::{Reply, Session, config};

/// Where the emulator may differ in the shape of a body: a property, and why.
const MAY_DIFFER: &[(&str, &str)] = &[
    ("properties._omitted", "not of the service: what was cut out of the recording"),
    ("error.message", "cut out of the recording of a deleted workspace"),
];
/// Recorded headers that the emulator does without, and why.
const NOT_SENT: &[(&str, &str)] = &[("azureml-served-by-cluster", "names a machine of the service's")];
/// Headers that say something by not being there.
const TELLING: [&str; 4] = ["azure-asyncoperation", "location", "retry-after", "x-ms-failure-cause"];
/// Properties whose text is part of the form, wherever they stand.
const SAME_TEXT: [&str; 14] = [
    "authType",
    "category",
    "code",
    "componentName",
    "credentialsType",
    "datastoreType",
    "group",
    "isolationMode",
    "kind",
    "message",
    "name",
    "provisioningState",
    "status",
    "type",
];
const ENDPOINT: &str = "https://management.azure.com";

/// The recordings; `None`, loudly, where none are at hand.
fn files(wanted: &str) -> Option<Vec<PathBuf>> {
    let Some(folder) = env::var_os("ARM_RECORDINGS").filter(|folder| !folder.is_empty()) else {
        // Past the capture of a test's output, which would hide it.
        let _ = writeln!(io::stderr(), "SKIPPED: {wanted} not replayed: ARM_RECORDINGS names no folder");
        return None;
    };
    Some(fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect())
}

fn is_called(file: &Path, name: &str) -> bool {
    file.file_name().unwrap().to_string_lossy().starts_with(name)
}

fn recording(name: &str) -> Option<Value> {
    let file = files(name)?.into_iter().find(|file| is_called(file, name));
    Some(serde_json::from_str(&fs::read_to_string(file.unwrap_or_else(|| panic!("no {name}"))).unwrap()).unwrap())
}

/// An emulator with the subscription of the recordings.
async fn session() -> Session {
    let settings = Settings { timings: Timings::instant(), ..Settings::default() };
    let limits = Config::default().limits;
    let subscriptions = vec!["00000001-0000-4000-8000-000000000001".to_owned()];
    Session::with(Config { settings, limits, subscriptions, ..config() }).await
}

/// The path of a request's URL.
fn path(request: &Value) -> String {
    let url = request["url"].as_str().unwrap().trim_start_matches(ENDPOINT);
    url.split('?').next().unwrap().to_owned()
}

/// What was sent to make a workspace that reads like this.
fn sent(workspace: &Value) -> Value {
    let is_project = workspace["kind"] == "Project";
    let mut body = json!({"location": workspace["location"], "kind": workspace["kind"], "tags": workspace["tags"],
        "identity": {"type": workspace["identity"]["type"]}});
    let own = ["friendlyName", "description", "hubResourceId"];
    let inherited = ["storageAccount", "keyVault", "applicationInsights", "containerRegistry"];
    for name in own.iter().chain(inherited.iter().filter(|_| !is_project)) {
        if let Some(value) = workspace["properties"].get(*name) {
            body["properties"][*name] = value.clone();
        }
    }
    body
}

/// A workspace of no importance, at once.
fn put_workspace(session: &Session, path: &str, kind: &str, storage: &str) {
    let group = path.split("/providers/").next().unwrap();
    let body = json!({"location": "eastus2", "kind": kind, "identity": {"type": "SystemAssigned"}, "properties": {
        "storageAccount": format!("{group}/providers/Microsoft.Storage/storageAccounts/{storage}"),
        "keyVault": format!("{group}/providers/Microsoft.KeyVault/vaults/vault")}});
    session.emulator.put_resource(path, &body).unwrap();
}

/// Sends what was recorded and compares what is answered.
async fn replay(session: &Session, exchange: &Value) -> Reply {
    let (request, recorded) = (&exchange["request"], &exchange["response"]);
    let url = request["url"].as_str().unwrap().replace(ENDPOINT, session.emulator.endpoint());
    let body = request.get("body").filter(|body| !body.is_null()).cloned();
    let reply = session.url(request["method"].as_str().unwrap(), &url, body).await;
    assert_eq!(Some(u64::from(reply.status)), recorded["status"].as_u64(), "{url}: {}", reply.text);
    let mut different = headers(recorded, &reply);
    if recorded["body"].is_null() {
        different.extend((!reply.text.is_empty()).then(|| format!("a body where none was recorded: {}", reply.text)));
    } else {
        compare(&recorded["body"], &reply.body(), "", &mut different);
    }
    assert!(different.is_empty(), "{} {url}:\n{}", request["method"], different.join("\n"));
    reply
}

fn headers(recorded: &Value, reply: &Reply) -> Vec<String> {
    let mut different = Vec::new();
    let Some(recorded) = recorded["headers"].as_object() else { return different };
    for (name, value) in recorded {
        let name = name.to_lowercase();
        if NOT_SENT.iter().any(|(unsent, _)| *unsent == name) {
            continue;
        }
        let value = value.as_str().unwrap();
        match reply.headers.get(&name).map(|answered| answered.to_str().unwrap()) {
            None => different.push(format!("the header {name} is missing")),
            Some(answered) if header_form(&name, answered) != header_form(&name, value) => {
                different.push(format!("the header {name} is {answered}, and was {value}"));
            }
            Some(_) => {}
        }
    }
    let unrecorded = TELLING.iter().filter(|name| !recorded.keys().any(|recorded| recorded.eq_ignore_ascii_case(name)));
    different.extend(
        unrecorded.filter(|name| reply.headers.contains_key(**name)).map(|name| format!("{name} was not recorded")),
    );
    different
}

/// What of a header does not change from one call to the next.
fn header_form(name: &str, value: &str) -> Vec<String> {
    let counts = |text: &str| text.parse::<u32>().is_ok();
    match name {
        "azure-asyncoperation" | "location" => {
            let (path, query) = value.split_once('?').unwrap_or((value, ""));
            let path = path.split("/subscriptions/").last().unwrap_or_default();
            let parents = path.rsplit_once('/').unwrap_or_default().0.to_owned();
            let names = query.split('&').map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                if matches!(name, "api-version" | "type") { format!("{name}={value}") } else { name.to_owned() }
            });
            std::iter::once(parents).chain(names).collect()
        }
        "x-ms-routing-request-id" => vec![value.split(':').count().to_string()],
        _ if name.starts_with("x-ms-ratelimit-") => vec![counts(value).to_string()],
        _ if name.ends_with("-request-id") => vec![value.len().to_string()],
        _ => vec![value.to_owned()],
    }
}

/// Compares the shape: the same properties of the same types, and the same text where that is part of the form.
fn compare(recorded: &Value, answered: &Value, at: &str, different: &mut Vec<String>) {
    match (recorded, answered) {
        (Value::Object(recorded), Value::Object(answered)) => {
            for name in recorded.keys().chain(answered.keys()).collect::<BTreeSet<_>>() {
                let place = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                if MAY_DIFFER.iter().any(|(excused, _)| *excused == place)
                    && (recorded.get(name).is_none() || answered.get(name).is_none())
                {
                    continue;
                }
                match (recorded.get(name), answered.get(name)) {
                    (Some(recorded), Some(answered)) => {
                        if recorded.is_string() && SAME_TEXT.contains(&name.as_str()) && recorded != answered {
                            different.push(format!("{place} is {answered}, and was {recorded}"));
                        }
                        compare(recorded, answered, &place, different);
                    }
                    (Some(_), None) => different.push(format!("{place} is missing")),
                    (None, _) => different.push(format!("{place} was not recorded")),
                }
            }
        }
        (Value::Array(recorded), Value::Array(answered)) => {
            if recorded.len() != answered.len() {
                different.push(format!("{at} has {} entries, and had {}", answered.len(), recorded.len()));
            }
            for (place, recorded) in recorded.iter().enumerate() {
                // The order of a list is not known to mean anything.
                let namesake =
                    answered.iter().find(|entry| entry["name"].is_string() && entry["name"] == recorded["name"]);
                if let Some(answered) = namesake.or(answered.get(place)) {
                    compare(recorded, answered, &format!("{at}[{place}]"), different);
                }
            }
        }
        (recorded, answered) => {
            let (was, is) = (json_type(recorded), json_type(answered));
            if was != is {
                different.push(format!("{at} is {is}, and was {was}"));
            }
        }
    }
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The hub and the project of the recordings, which belong together.
async fn hub_and_project() -> Option<(Session, Value, Value)> {
    let (hub, project) = (recording("rec-01")?, recording("rec-02")?);
    let session = session().await;
    for recorded in [&hub, &project] {
        session.accepted(&path(&recorded["request"]), sent(&recorded["response"]["body"])).await;
    }
    Some((session, hub, project))
}

#[tokio::test]
async fn a_hub_reads_as_recorded() {
    let Some((session, hub, _)) = hub_and_project().await else { return };
    replay(&session, &hub).await;
}

#[tokio::test]
async fn a_project_reads_as_recorded() {
    let Some((session, _, project)) = hub_and_project().await else { return };
    replay(&session, &project).await;
}

#[tokio::test]
async fn a_project_is_deleted_as_recorded() {
    let Some((session, _, _)) = hub_and_project().await else { return };
    let Some(recorded) = recording("rec-04") else { return };
    let exchanges = recorded["exchange"].as_array().unwrap();
    let took = exchanges.iter().filter_map(|exchange| exchange["after_seconds"].as_u64()).sum();
    session.emulator.set_timings(Timings::all(Duration::from_secs(took)));
    let mut links = [("<Azure-AsyncOperation>", String::new()), ("<Location>", String::new())];
    let mut workspace = String::new();
    for (place, exchange) in exchanges.iter().enumerate() {
        if exchange["after_seconds"].is_number() {
            session.emulator.set_time_factor(10_000);
            tokio::time::sleep(Duration::from_millis(took)).await;
            session.emulator.set_time_factor(1);
        }
        let mut exchange = exchange.clone();
        let url = exchange["request"]["url"].as_str().unwrap().to_owned();
        if let Some((_, link)) = links.iter().find(|(name, _)| *name == url) {
            exchange["request"]["url"] = json!(link);
        } else if url == "workspace" {
            exchange["request"]["url"] = json!(workspace);
        }
        let reply = replay(&session, &exchange).await;
        if place == 0 {
            workspace = url;
            links[0].1 = reply.header("azure-asyncoperation").to_owned();
            links[1].1 = reply.header("location").to_owned();
        }
    }
}

#[tokio::test]
async fn a_workspace_is_put_as_recorded() {
    let Some(recorded) = recording("rec-06") else { return };
    replay(&session().await, &recorded).await;
}

/// A connection's recording, and an emulator that has its workspace.
async fn connection(name: &str) -> Option<(Session, Value)> {
    let recorded = recording(name)?;
    let session = session().await;
    let path = path(&recorded["request"]);
    put_workspace(&session, path.split("/connections/").next().unwrap(), "Hub", "store");
    Some((session, recorded))
}

#[tokio::test]
async fn a_connection_is_put_as_recorded() {
    let Some((session, recorded)) = connection("rec-07").await else { return };
    replay(&session, &recorded).await;
}

#[tokio::test]
async fn a_connection_is_deleted_as_recorded() {
    let Some((session, recorded)) = connection("rec-09").await else { return };
    let body = json!({"properties": {"authType": "None", "category": "Git", "target": "t"}});
    session.emulator.put_resource(&path(&recorded["request"]), &body).unwrap();
    replay(&session, &recorded).await;
}

#[tokio::test]
async fn a_connection_that_is_not_there_is_told_as_recorded() {
    let Some((session, recorded)) = connection("rec-10").await else { return };
    replay(&session, &recorded).await;
}

#[tokio::test]
async fn the_datastores_of_a_classic_workspace_are_listed_as_recorded() {
    let Some(recorded) = recording("rec-12") else { return };
    let session = session().await;
    let path = path(&recorded["request"]);
    put_workspace(&session, path.trim_end_matches("/datastores"), "Default", "mltestaccount03");
    replay(&session, &recorded).await;
}

#[tokio::test]
async fn no_recording_is_left_out() {
    let Some(files) = files("the rest of the recordings is") else { return };
    let replayed = ["rec-01", "rec-02", "rec-04", "rec-06", "rec-07", "rec-09", "rec-10", "rec-12"];
    let known = |file: &PathBuf| replayed.iter().any(|name| is_called(file, name));
    let forgotten: Vec<PathBuf> = files.into_iter().filter(|file| !known(file)).collect();
    assert!(forgotten.is_empty(), "these recordings are not replayed: {forgotten:?}");
}
