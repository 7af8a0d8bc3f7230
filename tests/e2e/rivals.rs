//! Several objects for one Azure resource, and an object that comes back: the first keeps it, the others say so, and whoever
//! had it gets it again.

use arm_emulator::{Fault, FaultRule};
use foundry_operator::api::conditions::ConditionType;
use foundry_operator::api::{FoundryConnection, FoundryHub, FoundryProject};
use serde_json::{Value, json};
use std::time::Duration;

use crate::harness::{Driven, Scene, from_secret, hub_spec, is_ready, says};

fn in_conflict<K: Driven>(object: &K) -> bool {
    says(object, ConditionType::Ready, "False", "Conflict")
}

fn decided<K: Driven>(object: &K) -> bool {
    is_ready(object) || in_conflict(object)
}

/// A connection of hub `contoso` to a resource that several objects name.
fn shared(target: &str) -> Value {
    json!({"hubRef": {"name": "contoso"}, "azureName": "shared", "category": "AIServices", "target": target, "authType": "AAD"})
}

fn owner(scene: &Scene, id: &str) -> Value {
    let resource = scene.azure.resource(id).unwrap();
    let marked = if id.contains("/connections/") { &resource["properties"]["metadata"] } else { &resource["tags"] };
    marked["foundryoperator.dev.owner"].clone()
}

impl Scene {
    /// Waits until each of these objects is Ready or in conflict, and gives the one that is Ready and the one that is not.
    async fn first_and_second<K: Driven>(
        &self,
        namespace: &str,
        names: [&'static str; 2],
    ) -> (&'static str, &'static str) {
        let [a, b] = names;
        let is_first = is_ready(&self.until::<K>(namespace, a, "decided", decided).await);
        assert_ne!(is_first, is_ready(&self.until::<K>(namespace, b, "decided", decided).await));
        if is_first { (a, b) } else { (b, a) }
    }
}

#[tokio::test]
async fn of_two_connections_applied_at_once_for_one_resource_the_first_keeps_it() {
    let scene = Scene::new().await;
    let hub = scene.ready_hub("contoso").await.engine().resource_id.unwrap();
    let id = format!("{hub}/connections/shared");
    // Each has seen that there is none before the other has made it.
    scene.azure.add_fault(FaultRule::new("PUT", "/connections/shared", Fault::Delay(Duration::from_secs(2))).times(1));
    for name in ["one", "two"] {
        scene.apply::<FoundryConnection>(&scene.platform, name, shared(&format!("https://{name}"))).await;
    }
    let (first, second) = scene.first_and_second::<FoundryConnection>(&scene.platform, ["one", "two"]).await;
    assert_eq!(scene.calls("PUT", "/connections/shared").len(), 1);
    assert_eq!(scene.azure.resource(&id).unwrap()["properties"]["target"], format!("https://{first}"));
    let told = scene.until::<FoundryConnection>(&scene.platform, second, "in conflict", in_conflict).await.engine();
    let message = &told.conditions[0].message;
    assert!(message.contains(&format!("/{}/{first} (cluster/namespace/name)", scene.platform)), "{message}");
}

#[tokio::test]
async fn of_two_hubs_applied_at_once_for_one_workspace_the_first_keeps_it() {
    let scene = Scene::new().await;
    scene.azure.add_fault(FaultRule::new("PUT", "/workspaces/", Fault::Delay(Duration::from_secs(2))).times(1));
    for name in ["one", "two"] {
        scene.apply::<FoundryHub>(&scene.platform, name, hub_spec(&scene.unique("contoso"))).await;
    }
    let (first, second) = scene.first_and_second::<FoundryHub>(&scene.platform, ["one", "two"]).await;
    let id = scene.workspace_id("contoso");
    assert!(owner(&scene, &id).as_str().unwrap().ends_with(&format!("/{first}")));
    assert_eq!(scene.calls("PUT", "/workspaces/").len(), 1);

    scene.delete::<FoundryHub>(&scene.platform, second).await;
    scene.until_gone::<FoundryHub>(&scene.platform, second).await;
    assert_eq!(scene.calls("DELETE", "").len(), 0);
}

#[tokio::test]
async fn a_second_object_takes_over_only_when_the_first_is_deleted() {
    let mut scene = Scene::new().await;
    scene.apply::<FoundryHub>(&scene.platform, "one", hub_spec(&scene.unique("contoso"))).await;
    scene.until_ready::<FoundryHub>(&scene.platform, "one").await;
    let mut spec = hub_spec(&scene.unique("contoso"));
    spec["adoptionPolicy"] = json!("Adopt");
    scene.apply::<FoundryHub>(&scene.platform, "two", spec).await;
    scene.until(&scene.platform, "two", "in conflict", in_conflict::<FoundryHub>).await;
    // Who is asked first after a restart makes no difference.
    let id = scene.workspace_id("contoso");
    let before = scene.azure.resource(&id);
    scene.stop_operator();
    scene.annotate::<FoundryHub>(&scene.platform, "two", "foundryoperator.dev/reconcile-at", "now").await;
    scene.azure.clear_journal();
    scene.start_operator();
    scene.eventually("looked at by both", || scene.calls("GET", &id).len() >= 2).await;
    scene.until(&scene.platform, "two", "in conflict", in_conflict::<FoundryHub>).await;
    scene.until_ready::<FoundryHub>(&scene.platform, "one").await;
    assert_eq!(scene.azure.resource(&id), before);

    scene.delete::<FoundryHub>(&scene.platform, "one").await;
    scene.until_gone::<FoundryHub>(&scene.platform, "one").await;
    scene.annotate::<FoundryHub>(&scene.platform, "two", "foundryoperator.dev/reconcile-at", "later").await;
    scene.until_ready::<FoundryHub>(&scene.platform, "two").await;
    assert!(owner(&scene, &id).as_str().unwrap().ends_with("/two"));
}

#[tokio::test]
async fn a_restored_cluster_gets_its_resources_back_without_being_asked() {
    let mut scene = Scene::new().await;
    let (platform, team) = (scene.platform.clone(), scene.team.clone());
    scene.apply_secret(&team, "aoai", &[("key", "k-1")]).await;
    let connection = json!({
        "projectRef": {"name": "churn"}, "category": "AzureOpenAI", "target": "https://a", "authType": "ApiKey",
        "credentials": {"key": from_secret("aoai", "key")}, "metadata": {"ApiType": "Azure"},
    });
    scene.ready_hub("contoso").await;
    let before = scene.ready_project("churn", "contoso").await.status.unwrap().workspace;
    scene.apply::<FoundryConnection>(&team, "aoai", connection.clone()).await;
    let id = scene.until_ready::<FoundryConnection>(&team, "aoai").await.engine().resource_id.unwrap();

    // The cluster is lost with all that the objects remembered, and comes back from manifests.
    scene.stop_operator();
    lose::<FoundryConnection>(&scene, &team, "aoai").await;
    lose::<FoundryProject>(&scene, &team, "churn").await;
    lose::<FoundryHub>(&scene, &platform, "contoso").await;
    scene.azure.clear_journal();
    scene.apply::<FoundryConnection>(&team, "aoai", connection).await;
    scene.apply_project("churn", "contoso").await;
    scene.apply_hub("contoso").await;
    scene.start_operator();

    scene.until_ready::<FoundryHub>(&platform, "contoso").await;
    let project: FoundryProject = scene.until_ready(&team, "churn").await;
    let connection: FoundryConnection = scene.until_ready(&team, "aoai").await;
    assert_eq!(project.status.unwrap().workspace, before);
    assert_eq!(connection.engine().resource_id, Some(id.clone()));
    // Nobody can see which key a connection has, so that alone is written.
    assert_eq!(scene.writes().iter().map(|call| call.path.as_str()).collect::<Vec<_>>(), [id.as_str()]);
}

/// An object goes, and what it owns in Azure stays marked.
async fn lose<K: Driven>(scene: &Scene, namespace: &str, name: &str) {
    scene.delete::<K>(namespace, name).await;
    scene.remove_finalizers::<K>(namespace, name).await;
    scene.until_gone::<K>(namespace, name).await;
}

#[tokio::test]
async fn a_project_never_adopts_a_workspace_of_another_hub() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    let elsewhere = scene.ready_hub("elsewhere").await.engine().resource_id.unwrap();
    let id = scene.workspace_id("taken");
    let workspace = json!({
        "kind": "Project", "location": "westeurope", "identity": {"type": "SystemAssigned"},
        "properties": {"hubResourceId": elsewhere},
    });
    scene.azure.put_resource(&id, &workspace).unwrap();
    let before = scene.azure.resource(&id);
    scene.change::<FoundryHub>(&scene.platform, "contoso", json!({"allowedProjects": {"adoption": "Allowed"}})).await;
    let mut spec = scene.project_spec("contoso");
    spec["azureName"] = json!(scene.unique("taken"));
    spec["adoptionPolicy"] = json!("Adopt");
    scene.apply::<FoundryProject>(&scene.team, "churn", spec).await;
    let refused = |project: &FoundryProject| says(project, ConditionType::Stalled, "True", "FixedFieldDiffers");
    let project = scene.until(&scene.team, "churn", "refused", refused).await;
    assert_eq!(project.status.unwrap().workspace.workspace_id, None);
    scene.delete::<FoundryProject>(&scene.team, "churn").await;
    scene.until_gone::<FoundryProject>(&scene.team, "churn").await;
    assert_eq!(scene.azure.resource(&id), before);
}
