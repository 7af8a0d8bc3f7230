//! Azure is changed behind the operator's back.

use std::time::Duration;

use foundry_operator::api::{FoundryConnection, FoundryHub, FoundryProject};
use serde_json::json;

use crate::harness::{Scene, Setting, from_secret};

fn soon() -> Setting {
    Setting { flags: vec!["--resync", "2s"], ..Setting::default() }
}

#[tokio::test]
async fn what_somebody_changed_is_put_right_and_what_is_theirs_stays() {
    let scene = Scene::with(soon()).await;
    scene.ready_hub("contoso").await;
    let project = scene.ready_project("churn", "contoso").await;
    let id = project.status.unwrap().engine.resource_id.unwrap();
    let drift = json!({"tags": {"team": "theirs", "their-own": "x"}, "properties": {"friendlyName": "Theirs"}});
    scene.azure.patch_resource(&id, &drift).unwrap();

    scene
        .eventually("put right", || {
            let workspace = scene.azure.resource(&id).unwrap();
            workspace["tags"]["team"] == "churn" && workspace["properties"]["friendlyName"] == "Churn"
        })
        .await;
    assert_eq!(scene.azure.resource(&id).unwrap()["tags"]["their-own"], "x");
    scene.until_ready::<FoundryProject>(&scene.team, "churn").await;
    let told = scene.events(&scene.team, "churn").await;
    let corrected =
        told.iter().find(|event| event.starts_with("DriftCorrected:")).unwrap_or_else(|| panic!("{told:?}"));
    assert!(corrected.contains("tags.team") && corrected.contains("friendlyName"), "{corrected}");
}

#[tokio::test]
async fn a_lost_owner_mark_is_put_back() {
    let scene = Scene::with(soon()).await;
    let hub = scene.ready_hub("contoso").await;
    let id = hub.status.unwrap().engine.resource_id.unwrap();
    let mark = |scene: &Scene| scene.azure.resource(&id).unwrap()["tags"]["foundryoperator.dev.owner"].clone();
    let before = mark(&scene);
    assert!(before.as_str().unwrap().ends_with(&format!("/{}/contoso", scene.platform)), "{before}");
    scene.azure.patch_resource(&id, &json!({"tags": {"foundryoperator.dev.owner": null}})).unwrap();
    scene.eventually("marked again", || mark(&scene) == before).await;
}

#[tokio::test]
async fn a_changed_connection_is_put_right_with_its_key() {
    let scene = Scene::with(soon()).await;
    scene.ready_hub("contoso").await;
    scene.apply_secret(&scene.platform, "aoai", &[("key", "k-1")]).await;
    let spec = json!({
        "hubRef": {"name": "contoso"}, "category": "AzureOpenAI", "target": "https://ours", "authType": "ApiKey",
        "credentials": {"key": from_secret("aoai", "key")}, "metadata": {"ApiType": "Azure"},
    });
    scene.apply::<FoundryConnection>(&scene.platform, "aoai", spec).await;
    let connection: FoundryConnection = scene.until_ready(&scene.platform, "aoai").await;
    let id = connection.status.unwrap().engine.resource_id.unwrap();
    let drift = json!({"properties": {"target": "https://theirs", "metadata": {"theirs": "kept"}}});
    scene.azure.patch_resource(&id, &drift).unwrap();

    scene
        .eventually("put right", || scene.azure.resource(&id).unwrap()["properties"]["target"] == "https://ours")
        .await;
    let properties = scene.azure.resource(&id).unwrap()["properties"].clone();
    assert_eq!(properties["metadata"]["theirs"], "kept");
    assert!(properties["metadata"]["DeploymentApiVersion"].is_string(), "{properties}");
    assert_eq!(scene.azure.connection_credentials(&id), Some(json!({"key": "k-1"})));
}

#[tokio::test]
async fn what_somebody_deleted_is_made_again() {
    let scene = Scene::with(soon()).await;
    let hub = scene.ready_hub("contoso").await.status.unwrap();
    let (id, before) = (hub.engine.resource_id.unwrap(), hub.workspace.workspace_id.unwrap());
    scene.azure.remove_resource(&id).unwrap();
    let new = |hub: &FoundryHub| {
        hub.status.as_ref().and_then(|status| status.workspace.workspace_id.as_ref()).is_some_and(|id| *id != before)
    };
    scene.until(&scene.platform, "contoso", "there with a new workspace id", new).await;
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    let told = scene.events(&scene.platform, "contoso").await;
    let recreating = told.iter().find(|event| event.starts_with("Recreating:")).unwrap_or_else(|| panic!("{told:?}"));
    assert!(recreating.contains(&format!("its workspaceId was {before}")), "{recreating}");
}

#[tokio::test]
async fn a_workspace_that_somebody_made_anew_is_told_with_the_id_that_it_had() {
    let scene = Scene::new().await;
    let hub = scene.ready_hub("contoso").await.status.unwrap();
    let (id, before) = (hub.engine.resource_id.unwrap(), hub.workspace.workspace_id.unwrap());
    let there = scene.azure.resource(&id).unwrap();
    scene.azure.remove_resource(&id).unwrap();
    let again = json!({
        "kind": there["kind"], "location": there["location"], "tags": there["tags"], "identity": {"type": "SystemAssigned"},
        "properties": {"storageAccount": there["properties"]["storageAccount"], "keyVault": there["properties"]["keyVault"]},
    });
    scene.azure.put_resource(&id, &again).unwrap();
    scene.annotate::<FoundryHub>(&scene.platform, "contoso", "foundryoperator.dev/reconcile-at", "now").await;
    let new = |hub: &FoundryHub| {
        hub.status.as_ref().and_then(|status| status.workspace.workspace_id.as_ref()).is_some_and(|id| *id != before)
    };
    scene.until(&scene.platform, "contoso", "there with a new workspace id", new).await;
    let events = async || scene.events(&scene.platform, "contoso").await;
    let mut told = events().await;
    // Events follow the status.
    for _ in 0..50 {
        if told.iter().any(|event| event.starts_with("Replaced:")) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        told = events().await;
    }
    let replaced = told.iter().find(|event| event.starts_with("Replaced:")).unwrap_or_else(|| panic!("{told:?}"));
    assert!(replaced.contains(&format!("its workspaceId was {before}")), "{replaced}");
}
