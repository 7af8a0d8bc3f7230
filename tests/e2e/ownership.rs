//! What is in Azure already, and what may be done with it.

use foundry_operator::api::FoundryHub;
use foundry_operator::api::FoundryProject;
use foundry_operator::api::conditions::ConditionType;
use serde_json::{Value, json};

use crate::harness::{Driven as _, SUBSCRIPTION, Scene, hub_spec, says};

fn workspace_id(scene: &Scene, name: &str) -> String {
    let name = scene.unique(name);
    format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-ai/providers/Microsoft.MachineLearningServices/workspaces/{name}"
    )
}

/// A hub that somebody else made.
fn put_hub(scene: &Scene, tags: &Value) -> String {
    let id = workspace_id(scene, "contoso");
    let spec = hub_spec(&scene.unique("contoso"));
    let hub = json!({
        "kind": "Hub", "location": "westeurope", "tags": tags, "identity": {"type": "SystemAssigned"},
        "properties": {"storageAccount": spec["storageAccount"]["resourceId"], "keyVault": spec["keyVault"]["resourceId"], "description": "theirs"},
    });
    scene.azure.put_resource(&id, &hub).unwrap();
    id
}

#[tokio::test]
async fn what_exists_already_is_not_taken_over_silently() {
    let scene = Scene::new().await;
    let id = put_hub(&scene, &json!({"theirs": "x"}));
    let before = scene.azure.resource(&id);
    scene.apply_hub("contoso").await;
    let refused = |hub: &FoundryHub| {
        says(hub, ConditionType::Ready, "False", "AlreadyExists")
            && says(hub, ConditionType::Stalled, "True", "AlreadyExists")
    };
    let hub = scene.until(&scene.platform, "contoso", "refused", refused).await;
    let message = &hub.engine().conditions[0].message;
    assert!(message.contains("adoptionPolicy: Adopt"), "{message}");

    scene.delete::<FoundryHub>(&scene.platform, "contoso").await;
    scene.until_gone::<FoundryHub>(&scene.platform, "contoso").await;
    assert_eq!(scene.azure.resource(&id), before);
    assert_eq!(scene.writes().len(), 0, "{:#?}", scene.writes());
}

#[tokio::test]
async fn what_exists_is_adopted_where_the_owner_says_so_and_keeps_what_the_spec_does_not_mention() {
    let scene = Scene::new().await;
    let id = put_hub(&scene, &json!({"theirs": "x"}));
    let mut spec = hub_spec(&scene.unique("contoso"));
    spec["adoptionPolicy"] = json!("Adopt");
    spec["friendlyName"] = json!("Ours now");
    scene.apply::<FoundryHub>(&scene.platform, "contoso", spec).await;
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    let workspace = scene.azure.resource(&id).unwrap();
    assert_eq!(workspace["properties"]["friendlyName"], "Ours now");
    assert_eq!(workspace["properties"]["description"], "theirs");
    assert_eq!(workspace["tags"]["theirs"], "x");
    assert!(workspace["tags"]["foundryoperator.dev.owner"].is_string());
    assert_eq!(scene.calls("PUT", "/workspaces/").len(), 0);
}

#[tokio::test]
async fn what_belongs_to_another_object_is_a_conflict_that_names_the_owner() {
    let scene = Scene::new().await;
    let id = put_hub(&scene, &json!({"foundryoperator.dev.owner": "other-cluster/platform/contoso"}));
    let before = scene.azure.resource(&id);
    let mut spec = hub_spec(&scene.unique("contoso"));
    spec["adoptionPolicy"] = json!("Adopt");
    scene.apply::<FoundryHub>(&scene.platform, "contoso", spec).await;
    let conflict = |hub: &FoundryHub| says(hub, ConditionType::Ready, "False", "Conflict");
    let hub = scene.until(&scene.platform, "contoso", "in conflict", conflict).await;
    let message = &hub.engine().conditions[0].message;
    assert!(message.contains("other-cluster/platform/contoso"), "{message}");
    scene.delete::<FoundryHub>(&scene.platform, "contoso").await;
    scene.until_gone::<FoundryHub>(&scene.platform, "contoso").await;
    assert_eq!(scene.azure.resource(&id), before);
}

#[tokio::test]
async fn a_project_of_another_namespace_adopts_only_where_the_hubs_owner_allows_it() {
    let scene = Scene::new().await;
    let hub = scene.ready_hub("contoso").await.status.unwrap().engine.resource_id.unwrap();
    let id = workspace_id(&scene, "taken");
    let workspace = json!({
        "kind": "Project", "location": "westeurope", "identity": {"type": "SystemAssigned"}, "properties": {"hubResourceId": hub},
    });
    scene.azure.put_resource(&id, &workspace).unwrap();
    let mut spec = scene.project_spec("contoso");
    spec["azureName"] = json!(scene.unique("taken"));
    spec["adoptionPolicy"] = json!("Adopt");
    scene.apply::<FoundryProject>(&scene.team, "churn", spec).await;
    let refused = |project: &FoundryProject| says(project, ConditionType::Ready, "False", "AlreadyExists");
    let project = scene.until(&scene.team, "churn", "refused", refused).await;
    let message = &project.engine().conditions[0].message;
    assert!(message.contains("allowedProjects.adoption"), "{message}");

    let consent = json!({"allowedProjects": {"adoption": "Allowed"}});
    scene.change::<FoundryHub>(&scene.platform, "contoso", consent).await;
    scene.until_ready::<FoundryProject>(&scene.team, "churn").await;
}
