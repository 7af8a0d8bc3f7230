//! The hub's owner decides which namespaces may have projects.

use foundry_operator::api::conditions::ConditionType;
use foundry_operator::api::{FoundryConnection, FoundryHub, FoundryProject};
use serde_json::{Value, json};

use crate::harness::{Driven as _, Scene, says};

fn refused(project: &FoundryProject) -> bool {
    says(project, ConditionType::ReferencesResolved, "False", "NotAllowedByHub")
        && says(project, ConditionType::Ready, "False", "NotAllowedByHub")
}

async fn allow(scene: &Scene, namespaces: Value) {
    let change = json!({"allowedProjects": {"namespaces": namespaces}});
    scene.change::<FoundryHub>(&scene.platform, "contoso", change).await;
}

#[tokio::test]
async fn a_project_that_is_not_allowed_costs_no_call_and_goes_on_by_itself_once_it_is() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    allow(&scene, json!({"from": "Same", "selector": null})).await;
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    scene.azure.clear_journal();
    scene.apply_project("churn", "contoso").await;
    let project = scene.until(&scene.team, "churn", "refused", refused).await;
    let message = &project.status.unwrap().engine.conditions[0].message;
    assert!(message.contains("allowedProjects"), "{message}");
    assert_eq!(scene.calls("", &format!("{}-churn", scene.team)).len(), 0);

    allow(&scene, json!({"from": "All"})).await;
    scene.until_ready::<FoundryProject>(&scene.team, "churn").await;
}

#[tokio::test]
async fn a_hub_that_allows_only_its_own_namespace_serves_it() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    allow(&scene, json!({"from": "Same", "selector": null})).await;
    scene.apply::<FoundryProject>(&scene.platform, "own", json!({"hubRef": {"name": "contoso"}})).await;
    scene.until_ready::<FoundryProject>(&scene.platform, "own").await;
}

#[tokio::test]
async fn the_labels_of_the_namespace_are_watched() {
    let scene = Scene::new().await;
    scene.label_namespace(&scene.team, "foundry", None).await;
    scene.ready_hub("contoso").await;
    scene.apply_project("churn", "contoso").await;
    scene.until(&scene.team, "churn", "refused", refused).await;
    scene.label_namespace(&scene.team, "foundry", Some("allowed")).await;
    scene.until_ready::<FoundryProject>(&scene.team, "churn").await;
}

#[tokio::test]
async fn a_project_whose_consent_is_withdrawn_stays_in_azure_and_is_no_longer_written() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    let id = scene.ready_project("churn", "contoso").await.status.unwrap().engine.resource_id.unwrap();
    let spec =
        json!({"projectRef": {"name": "churn"}, "category": "AIServices", "target": "https://a", "authType": "AAD"});
    scene.apply::<FoundryConnection>(&scene.team, "own", spec).await;
    scene.until_ready::<FoundryConnection>(&scene.team, "own").await;

    scene.label_namespace(&scene.team, "foundry", None).await;
    let project = scene.until(&scene.team, "churn", "refused", refused).await;
    let status = project.status.unwrap();
    assert!(status.engine.conditions[0].message.contains("stays in Azure"), "{:?}", status.engine.conditions);
    assert!(status.workspace.workspace_id.is_some() && !status.containers.is_empty());

    scene.azure.clear_journal();
    scene.change::<FoundryProject>(&scene.team, "churn", json!({"friendlyName": "Changed"})).await;
    let seen = |project: &FoundryProject| {
        refused(project) && project.engine().observed_generation == project.metadata.generation
    };
    scene.until(&scene.team, "churn", "seen and refused", seen).await;
    scene.change::<FoundryConnection>(&scene.team, "own", json!({"target": "https://changed"})).await;
    let held_up = |own: &FoundryConnection| says(own, ConditionType::ReferencesResolved, "False", "ProjectNotReady");
    scene.until(&scene.team, "own", "held up with its project", held_up).await;
    assert_eq!(scene.writes().len(), 0, "{:#?}", scene.writes());
    assert_eq!(scene.azure.resource(&id).unwrap()["properties"]["friendlyName"], "Churn");

    // What is no longer allowed can still be taken away.
    scene.delete::<FoundryConnection>(&scene.team, "own").await;
    scene.delete::<FoundryProject>(&scene.team, "churn").await;
    scene.until_gone::<FoundryConnection>(&scene.team, "own").await;
    scene.until_gone::<FoundryProject>(&scene.team, "churn").await;
    assert_eq!(scene.azure.resource(&id), None);
}

#[tokio::test]
async fn pausing_a_project_does_not_keep_a_withdrawn_consent() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    scene.ready_project("churn", "contoso").await;
    scene.change::<FoundryProject>(&scene.team, "churn", json!({"managementPolicy": "Pause"})).await;
    let paused = |project: &FoundryProject| says(project, ConditionType::Synced, "Unknown", "Paused");
    scene.until(&scene.team, "churn", "paused", paused).await;
    scene.label_namespace(&scene.team, "foundry", None).await;
    scene.azure.clear_journal();
    let spec =
        json!({"projectRef": {"name": "churn"}, "category": "AIServices", "target": "https://a", "authType": "AAD"});
    scene.apply::<FoundryConnection>(&scene.team, "own", spec).await;
    let held_up = |own: &FoundryConnection| says(own, ConditionType::ReferencesResolved, "False", "ProjectNotReady");
    scene.until(&scene.team, "own", "held up with its project", held_up).await;
    assert_eq!(scene.writes().len(), 0, "{:#?}", scene.writes());
    scene.label_namespace(&scene.team, "foundry", Some("allowed")).await;
    scene.until_ready::<FoundryConnection>(&scene.team, "own").await;
}
