//! What the policies of an object keep the operator from doing.

use std::collections::BTreeMap;

use arm_emulator::{Fault, FaultRule};
use foundry_operator::api::FoundryHub;
use foundry_operator::api::conditions::ConditionType;
use serde_json::json;

use crate::harness::{Scene, hub_spec, says};

#[tokio::test]
async fn an_orphaned_hub_stays_in_azure() {
    let scene = Scene::new().await;
    let id = scene.ready_hub("contoso").await.status.unwrap().engine.resource_id.unwrap();
    scene.change::<FoundryHub>(&scene.platform, "contoso", json!({"deletionPolicy": "Orphan"})).await;
    scene.delete::<FoundryHub>(&scene.platform, "contoso").await;
    scene.until_gone::<FoundryHub>(&scene.platform, "contoso").await;
    assert!(scene.azure.resource(&id).is_some());
    assert_eq!(scene.calls("DELETE", "").len(), 0);
}

#[tokio::test]
async fn orphan_releases_a_hub_that_waits_for_its_projects() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    scene.ready_project("churn", "contoso").await;
    scene.delete::<FoundryHub>(&scene.platform, "contoso").await;
    let waits = |hub: &FoundryHub| says(hub, ConditionType::Ready, "False", "HubHasProjects");
    scene.until(&scene.platform, "contoso", "waiting", waits).await;
    scene.change::<FoundryHub>(&scene.platform, "contoso", json!({"deletionPolicy": "Orphan"})).await;
    scene.until_gone::<FoundryHub>(&scene.platform, "contoso").await;
}

#[tokio::test]
async fn what_is_only_observed_is_published_and_never_written() {
    let scene = Scene::new().await;
    let id = scene.put_hub(&json!({}));
    let mut spec = hub_spec(&scene.unique("contoso"));
    spec["managementPolicy"] = json!("Observe");
    spec["friendlyName"] = json!("Another");
    scene.apply::<FoundryHub>(&scene.platform, "watched", spec).await;
    let drifted = |hub: &FoundryHub| says(hub, ConditionType::Synced, "False", "Drifted");
    let hub = scene.until(&scene.platform, "watched", "observed", drifted).await;
    assert!(hub.metadata.finalizers.is_none());
    let status = hub.status.unwrap();
    assert_eq!(status.engine.resource_id.as_deref(), Some(id.as_str()));
    assert!(status.workspace.workspace_id.is_some());
    scene.delete::<FoundryHub>(&scene.platform, "watched").await;
    scene.until_gone::<FoundryHub>(&scene.platform, "watched").await;
    assert_eq!(scene.writes().len(), 0, "{:#?}", scene.writes());
}

#[tokio::test]
async fn what_is_built_on_an_observed_hub_stays_while_azure_cannot_be_reached() {
    let scene = Scene::new().await;
    let id = scene.put_hub(&json!({}));
    let mut spec = hub_spec(&scene.unique("contoso"));
    spec["managementPolicy"] = json!("Observe");
    scene.apply::<FoundryHub>(&scene.platform, "contoso", spec).await;
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    scene.ready_project("churn", "contoso").await;
    let body = json!({"error": {"code": "ServiceUnavailable", "message": "not now"}});
    let down = Fault::Answer { status: 503, headers: BTreeMap::default(), body };
    scene.azure.add_fault(FaultRule::new("GET", &id, down));
    scene.annotate::<FoundryHub>(&scene.platform, "contoso", "foundryoperator.dev/reconcile-at", "now").await;
    let unreachable = |hub: &FoundryHub| says(hub, ConditionType::Synced, "Unknown", "AzureUnavailable");
    let hub = scene.until(&scene.platform, "contoso", "unreachable", unreachable).await;
    assert!(says(&hub, ConditionType::Ready, "True", "Reconciled"));
    let status = hub.status.unwrap();
    assert_eq!(status.engine.resource_id.as_deref(), Some(id.as_str()));
    assert!(status.workspace.workspace_id.is_some());
}

#[tokio::test]
async fn what_is_only_observed_and_not_there_says_so() {
    let scene = Scene::new().await;
    let mut spec = hub_spec(&scene.unique("contoso"));
    spec["managementPolicy"] = json!("Observe");
    scene.apply::<FoundryHub>(&scene.platform, "watched", spec).await;
    let missing = |hub: &FoundryHub| says(hub, ConditionType::Ready, "False", "NotFound");
    scene.until(&scene.platform, "watched", "missing", missing).await;
    assert_eq!(scene.writes().len(), 0);
}

#[tokio::test]
async fn a_paused_hub_is_left_alone_until_it_is_managed_again() {
    let scene = Scene::new().await;
    let id = scene.ready_hub("contoso").await.status.unwrap().engine.resource_id.unwrap();
    scene.azure.clear_journal();
    let change = json!({"managementPolicy": "Pause", "friendlyName": "Changed"});
    scene.change::<FoundryHub>(&scene.platform, "contoso", change).await;
    let paused = |hub: &FoundryHub| says(hub, ConditionType::Synced, "Unknown", "Paused");
    scene.until(&scene.platform, "contoso", "paused", paused).await;
    assert_eq!(scene.calls("", "/workspaces/").len(), 0);
    scene.change::<FoundryHub>(&scene.platform, "contoso", json!({"managementPolicy": "Manage"})).await;
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    assert_eq!(scene.azure.resource(&id).unwrap()["properties"]["friendlyName"], "Changed");
}
