//! The metrics: what is documented is what is served, and what the dashboard and the alerts are made of.

use std::collections::{BTreeMap, BTreeSet};

use foundry_operator::api::{FoundryConnection, FoundryHub};
use serde_json::{Value, json};
use stage::repository;

use crate::harness::{Scene, Setting, says};

/// Type and labels of each metric, by its name.
type Metrics = BTreeMap<String, (String, BTreeSet<String>)>;

/// A scene in which everything has happened that a metric tells of.
async fn eventful() -> Scene {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    scene.ready_project("churn", "contoso").await;
    let spec =
        json!({"projectRef": {"name": "churn"}, "category": "AzureOpenAI", "target": "https://a", "authType": "AAD"});
    scene.apply::<FoundryConnection>(&scene.team, "aoai", spec).await;
    scene.until_ready::<FoundryConnection>(&scene.team, "aoai").await;
    scene
}

async fn served(scene: &Scene) -> Metrics {
    let (_, text) = scene.http("/metrics").await;
    let mut metrics: Metrics = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, type_)| (name.to_owned(), (type_.to_owned(), BTreeSet::new())))
        .collect();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let series = line.rsplit_once(' ').unwrap().0;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let family = family(name, &metrics).unwrap_or_else(|| panic!("{name} has no type"));
        let labels = labels.trim_end_matches('}').split("\",").filter_map(|label| label.split_once('='));
        metrics.get_mut(&family).unwrap().1.extend(labels.map(|(label, _)| label.to_owned()).filter(|it| it != "le"));
    }
    metrics
}

/// The metric that a series belongs to: a histogram has three.
fn family(series: &str, metrics: &Metrics) -> Option<String> {
    let parts = ["_bucket", "_sum", "_count"].iter().filter_map(|part| series.strip_suffix(part));
    let histogram = parts.into_iter().find(|name| metrics.get(*name).is_some_and(|(type_, _)| type_ == "histogram"));
    histogram.or(metrics.contains_key(series).then_some(series)).map(str::to_owned)
}

fn documented() -> Metrics {
    let text = std::fs::read_to_string(repository().join("docs/metrics.md")).unwrap();
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<_>>();
    let row = |line: &str| {
        let cells: Vec<&str> = line.strip_prefix("| `")?.split('|').collect();
        let name = cells[0].trim().trim_matches('`').to_owned();
        Some((name, (cells[1].trim().to_owned(), quoted(cells[2]))))
    };
    text.lines().filter_map(row).collect()
}

#[tokio::test]
async fn the_documented_metrics_are_those_that_are_served() {
    let (served, documented) = (served(&eventful().await).await, documented());
    assert_eq!(served, documented);
}

/// The identifiers in a query that stand for metrics, and those that stand for labels.
fn names(query: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    const GROUPING: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
    const WORDS: [&str; 4] = ["and", "or", "unless", "bool"];
    let (mut metrics, mut labels) = (BTreeSet::new(), BTreeSet::new());
    let mut rest = query;
    let mut in_labels = false;
    while let Some(first) = rest.chars().next() {
        let word: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == ':').collect();
        match first {
            '"' => rest = rest[1..].split_once('"').unwrap().1,
            '[' => rest = rest.split_once(']').unwrap().1,
            _ if word.is_empty() => {
                in_labels = (in_labels || first == '{') && first != '}' && first != ')';
                rest = &rest[first.len_utf8()..];
            }
            _ => {
                rest = &rest[word.len()..];
                let calls = ["(", "by ", "without "].iter().any(|next| rest.trim_start().starts_with(next));
                if GROUPING.contains(&word.as_str()) {
                    in_labels = true;
                } else if in_labels {
                    labels.insert(word);
                } else if !calls && !WORDS.contains(&word.as_str()) && !first.is_ascii_digit() {
                    metrics.insert(word);
                }
            }
        }
    }
    (metrics, labels)
}

fn queries(file: &str) -> Vec<String> {
    fn expressions(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| expressions(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
            _ => {}
        }
    }
    let text = std::fs::read_to_string(repository().join("charts/foundry-operator/files").join(file)).unwrap();
    let mut found = Vec::new();
    // JSON is YAML, too.
    expressions(&serde_yaml_ng::from_str(&text).unwrap(), &mut found);
    found
}

/// What a query names that no operator serves. Prometheus itself adds where a series comes from.
fn unserved(query: &str, served: &Metrics) -> Vec<String> {
    let from_prometheus = ["namespace", "pod", "le"].map(str::to_owned);
    let (metrics, labels) = names(query);
    let families: Vec<_> = metrics.iter().map(|name| (name, family(name, served))).collect();
    let known: BTreeSet<&String> =
        families.iter().filter_map(|(_, family)| family.as_ref()).flat_map(|family| &served[family].1).collect();
    let no_metric = families.iter().filter(|(_, family)| family.is_none()).map(|(name, _)| (*name).clone());
    let no_label = labels.iter().filter(|label| !known.contains(label) && !from_prometheus.contains(label)).cloned();
    no_metric.chain(no_label).collect()
}

#[tokio::test]
async fn dashboard_and_alerts_ask_only_for_what_is_served() {
    let served = served(&eventful().await).await;
    for (file, at_least) in [("alerts.yaml", 11), ("dashboard.json", 30)] {
        let queries = queries(file);
        assert!(queries.len() >= at_least, "{file} has only {}", queries.len());
        for query in queries {
            let unserved = unserved(&query, &served);
            assert!(unserved.is_empty(), "{file}: {unserved:?} in {query}");
        }
    }
}

#[test]
fn a_query_that_asks_for_something_else_is_found() {
    let served = Metrics::from([
        ("foundry_x".to_owned(), ("gauge".to_owned(), BTreeSet::from(["kind".to_owned()]))),
        ("foundry_y_seconds".to_owned(), ("histogram".to_owned(), BTreeSet::new())),
    ]);
    let good = r#"sum by (kind, namespace) (rate(foundry_x{kind="a) b", pod!~"z"}[5m])) > 0.5 and on (le) foundry_y_seconds_bucket or vector(0)"#;
    assert_eq!(unserved(good, &served), [""; 0]);
    assert_eq!(unserved("max by (name) (foundry_x) > bool foundry_z", &served), ["foundry_z", "name"]);
    assert_eq!(unserved(r#"foundry_x_bucket{color="red"}"#, &served), ["foundry_x_bucket", "color"]);
}

#[tokio::test]
async fn objects_are_counted_by_kind_and_reason() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    scene.apply_project("lost", "nowhere").await;
    let unresolved = r#"foundry_objects{condition="Ready",kind="FoundryProject",reason="HubNotFound",status="False"}"#;
    let ready = r#"foundry_objects{condition="Ready",kind="FoundryHub",reason="Reconciled",status="True"}"#;
    scene.until_metric(unresolved, 1).await;
    scene.until_metric(ready, 1).await;
    scene.delete::<foundry_operator::api::FoundryProject>(&scene.team, "lost").await;
    scene.until_metric(unresolved, 0).await;
}

#[tokio::test]
async fn an_operation_is_counted_until_it_ends() {
    let settings = arm_emulator::Settings {
        timings: arm_emulator::Timings::all(std::time::Duration::from_secs(3)),
        ..arm_emulator::Settings::default()
    };
    let azure = arm_emulator::Config { settings, ..crate::harness::quick_azure() };
    let scene = Scene::with(Setting { azure: Some(azure), ..Setting::default() }).await;
    scene.apply_hub("contoso").await;
    let creates = r#"foundry_operations{kind="FoundryHub",operation="create"}"#;
    scene.until_metric(creates, 1).await;
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    scene.until_metric(creates, 0).await;
}

#[tokio::test]
async fn drift_is_counted_when_it_is_corrected_and_reconciles_by_their_end() {
    let scene = Scene::with(Setting { flags: vec!["--resync", "1s"], ..Setting::default() }).await;
    let hub = scene.ready_hub("contoso").await;
    let drift = r#"foundry_drift_total{kind="FoundryHub",reason="DriftCorrected"}"#;
    assert_eq!(scene.metric(drift).await, 0);
    let id = hub.status.unwrap().engine.resource_id.unwrap();
    scene.azure.patch_resource(&id, &json!({"tags": {"foundryoperator.dev.owner": null}})).unwrap();
    scene.until_metric(drift, 1).await;
    assert!(scene.metric(r#"foundry_reconciles_total{kind="FoundryHub",outcome="settled"}"#).await >= 1);
}

#[tokio::test]
async fn an_object_that_cannot_be_read_from_azure_shows_as_long_not_observed() {
    let scene = Scene::with(Setting { flags: vec!["--resync", "1s"], ..Setting::default() }).await;
    let hub = scene.ready_hub("contoso").await;
    let id = hub.status.unwrap().engine.resource_id.unwrap();
    let age = async || -> f64 {
        let (_, text) = scene.http("/metrics").await;
        let line = r#"foundry_observation_age_seconds{kind="FoundryHub"} "#;
        text.lines().find_map(|it| it.strip_prefix(line)).unwrap().parse().unwrap()
    };
    let body = json!({"error": {"code": "ServiceUnavailable", "message": "down"}});
    let down = arm_emulator::Fault::Answer { status: 503, headers: BTreeMap::default(), body };
    scene.azure.add_fault(arm_emulator::FaultRule::new("GET", &id, down));
    let is_down = |hub: &FoundryHub| {
        says(hub, foundry_operator::api::conditions::ConditionType::Synced, "Unknown", "AzureUnavailable")
    };
    scene.until(&scene.platform, "contoso", "unavailable", is_down).await;
    let first = age().await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    // It is asked for each second, and would be younger than at the first look.
    assert!(age().await >= first + 2.0);
}
