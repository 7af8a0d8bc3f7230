//! What the policies of an object keep the operator from doing.

use std::collections::BTreeMap;

use arm_emulator::{Fault, FaultRule};
use foundry_operator::api::conditions::{ConditionType, find};
use foundry_operator::api::{FoundryConnection, FoundryHub, FoundryProject};
use serde_json::json;

use crate::harness::{Scene, from_secret, hub_spec, says};

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
async fn what_was_managed_and_is_then_only_observed_is_no_longer_written_and_let_go() {
    let scene = Scene::new().await;
    let id = scene.ready_hub("contoso").await.status.unwrap().engine.resource_id.unwrap();
    let before = scene.azure.resource(&id);
    scene.azure.clear_journal();
    let change = json!({"managementPolicy": "Observe", "friendlyName": "Another"});
    scene.change::<FoundryHub>(&scene.platform, "contoso", change).await;
    let drifted = |hub: &FoundryHub| says(hub, ConditionType::Synced, "False", "Drifted");
    let hub = scene.until(&scene.platform, "contoso", "observed", drifted).await;
    let synced = find(&hub.status.unwrap().engine.conditions, ConditionType::Synced).unwrap().message.clone();
    assert!(synced.contains("friendlyName"), "{synced}");
    scene.delete::<FoundryHub>(&scene.platform, "contoso").await;
    scene.until_gone::<FoundryHub>(&scene.platform, "contoso").await;
    assert_eq!(scene.azure.resource(&id), before);
    assert_eq!(scene.writes().len(), 0, "{:#?}", scene.writes());
}

#[tokio::test]
async fn what_was_only_observed_is_written_once_it_is_managed_and_may_be_adopted() {
    let scene = Scene::new().await;
    let id = scene.put_hub(&json!({"theirs": "x"}));
    let mut spec = hub_spec(&scene.unique("contoso"));
    spec["managementPolicy"] = json!("Observe");
    spec["friendlyName"] = json!("Ours");
    scene.apply::<FoundryHub>(&scene.platform, "contoso", spec).await;
    let drifted = |hub: &FoundryHub| says(hub, ConditionType::Synced, "False", "Drifted");
    scene.until(&scene.platform, "contoso", "observed", drifted).await;
    scene.change::<FoundryHub>(&scene.platform, "contoso", json!({"managementPolicy": "Manage"})).await;
    let refused = |hub: &FoundryHub| says(hub, ConditionType::Ready, "False", "AlreadyExists");
    scene.until(&scene.platform, "contoso", "refused", refused).await;
    scene.change::<FoundryHub>(&scene.platform, "contoso", json!({"adoptionPolicy": "Adopt"})).await;
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    let workspace = scene.azure.resource(&id).unwrap();
    assert_eq!((&workspace["properties"]["friendlyName"], &workspace["tags"]["theirs"]), (&json!("Ours"), &json!("x")));
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

#[tokio::test]
async fn what_is_orphaned_keeps_all_but_our_mark() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    scene.ready_project("churn", "contoso").await;
    scene.apply_secret(&scene.team, "aoai", &[("key", "k-1")]).await;
    let spec = json!({
        "projectRef": {"name": "churn"}, "category": "AzureOpenAI", "target": "https://a", "authType": "ApiKey",
        "credentials": {"key": from_secret("aoai", "key")}, "deletionPolicy": "Orphan", "metadata": {"ApiType": "Azure"},
    });
    scene.apply::<FoundryConnection>(&scene.team, "aoai", spec).await;
    let connection: FoundryConnection = scene.until_ready(&scene.team, "aoai").await;
    let id = connection.status.unwrap().engine.resource_id.unwrap();
    scene.azure.patch_resource(&id, &json!({"properties": {"metadata": {"theirs": "kept"}}})).unwrap();
    scene.delete::<FoundryConnection>(&scene.team, "aoai").await;
    scene.until_gone::<FoundryConnection>(&scene.team, "aoai").await;
    let left = scene.azure.resource(&id).unwrap();
    let metadata = &left["properties"]["metadata"];
    assert_eq!((&metadata["theirs"], &metadata["ApiType"]), (&json!("kept"), &json!("Azure")), "{left}");
    assert_eq!(metadata.get("foundryoperator.dev.owner"), None, "{left}");
    assert_eq!(scene.azure.connection_credentials(&id), Some(json!({"key": "k-1"})));

    let change = json!({"deletionPolicy": "Orphan"});
    scene.change::<FoundryProject>(&scene.team, "churn", change).await;
    let project = scene.until_ready::<FoundryProject>(&scene.team, "churn").await;
    let id = project.status.unwrap().engine.resource_id.unwrap();
    scene.delete::<FoundryProject>(&scene.team, "churn").await;
    scene.until_gone::<FoundryProject>(&scene.team, "churn").await;
    let tags = || scene.azure.resource(&id).unwrap()["tags"].clone();
    scene.eventually("without our mark", || tags().get("foundryoperator.dev.owner").is_none()).await;
    assert_eq!(tags()["team"], "churn");
}

#[tokio::test]
async fn a_mark_that_cannot_be_taken_off_is_told_and_keeps_nobody() {
    let scene = Scene::new().await;
    let hub = scene.ready_hub("contoso").await;
    scene.change::<FoundryHub>(&scene.platform, "contoso", json!({"deletionPolicy": "Orphan"})).await;
    let id = hub.status.unwrap().engine.resource_id.unwrap();
    let body = json!({"error": {"code": "AuthorizationFailed", "message": "no"}});
    let refused = Fault::Answer { status: 403, headers: BTreeMap::new(), body };
    scene.azure.add_fault(FaultRule::new("PATCH", "/workspaces/", refused));
    scene.delete::<FoundryHub>(&scene.platform, "contoso").await;
    scene.until_gone::<FoundryHub>(&scene.platform, "contoso").await;
    let told = scene.events(&scene.platform, "contoso").await;
    let orphaned = told.iter().find(|event| event.starts_with("Orphaned:")).unwrap_or_else(|| panic!("{told:?}"));
    assert!(orphaned.contains("take it off by hand") && orphaned.contains("AuthorizationFailed"), "{orphaned}");
    assert!(scene.azure.resource(&id).is_some());
}
