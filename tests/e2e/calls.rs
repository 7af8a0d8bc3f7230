//! What things cost, in calls to Azure and to the API server.

use std::time::Duration;

use foundry_operator::api::FoundryConnection;
use serde_json::json;
use stage::{OPERATOR_ACCOUNT, OPERATOR_NAMESPACE};

use crate::harness::{Scene, Setting, cluster, from_secret};

#[tokio::test]
async fn a_project_costs_one_put_its_polls_and_at_most_four_reads() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    scene.azure.clear_journal();
    scene.ready_project("churn", "contoso").await;
    // Time for whatever the operator's own writes to the object might set off.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let calls = scene.calls("", "");
    let (polls, others): (Vec<_>, Vec<_>) =
        calls.iter().partition(|call| call.path.contains("/workspaceOperationsStatus/"));
    let count = |method: &str| others.iter().filter(|call| call.method == method).count();
    assert!(!polls.is_empty());
    assert_eq!(count("PUT"), 1, "{others:#?}");
    assert!(count("GET") <= 4, "{others:#?}");
    assert_eq!(others.len(), count("PUT") + count("GET"), "{others:#?}");
}

#[tokio::test]
async fn a_reconcile_with_nothing_changed_writes_nothing() {
    let scene = Scene::with(Setting { flags: vec!["--resync", "1s"], ..Setting::default() }).await;
    scene.ready_hub("contoso").await;
    scene.ready_project("churn", "contoso").await;
    scene.apply_secret(&scene.team, "aoai", &[("key", "k-1")]).await;
    let spec = json!({
        "projectRef": {"name": "churn"}, "category": "AzureOpenAI", "target": "https://a", "authType": "ApiKey",
        "credentials": {"key": from_secret("aoai", "key")},
    });
    scene.apply::<FoundryConnection>(&scene.team, "aoai", spec).await;
    scene.until_ready::<FoundryConnection>(&scene.team, "aoai").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    scene.azure.clear_journal();
    let before = writes_to_kubernetes(&scene).len();

    // The reads of three resyncs prove that reconciles took place.
    let reads = |path: &str| scene.calls("GET", path).len();
    scene.eventually("read again three times", || reads("/connections/aoai") >= 3 && reads("/datastores") >= 3).await;
    assert_eq!(scene.writes().len(), 0, "{:#?}", scene.writes());
    let after = writes_to_kubernetes(&scene);
    assert_eq!(after.len(), before, "{:#?}", &after[before..]);
}

/// What operators wrote to the API server in the scene's namespaces: only this scene's operator serves them.
fn writes_to_kubernetes(scene: &Scene) -> Vec<control_plane::AuditEvent> {
    let user = format!("system:serviceaccount:{OPERATOR_NAMESPACE}:{OPERATOR_ACCOUNT}");
    let ours = |event: &control_plane::AuditEvent| {
        event.user == user && [&scene.platform, &scene.team].contains(&&event.namespace)
    };
    let events = cluster().control_plane().audit_events().unwrap();
    let writes =
        events.into_iter().filter(|event| ours(event) && !["get", "list", "watch"].contains(&event.verb.as_str()));
    let writes: Vec<_> = writes.collect();
    assert!(!writes.is_empty(), "the audit log does not show the operator at all");
    writes
}
