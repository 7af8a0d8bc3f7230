//! From `kubectl apply` to Ready, through changes, to nothing left.

use arm_emulator::ContainerNaming;
use foundry_operator::api::conditions::ConditionType;
use foundry_operator::api::status::ContainerSource;
use foundry_operator::api::{FoundryConnection, FoundryHub, FoundryProject};
use serde_json::json;

use crate::harness::{Scene, from_secret, hub_spec, is_ready, says};

#[tokio::test]
async fn everything_applied_at_once_becomes_ready() {
    let scene = Scene::new().await;
    scene.apply_secret(&scene.team, "aoai", &[("key", "k-1")]).await;
    let connection = json!({
        "projectRef": {"name": "churn"}, "category": "AzureOpenAI", "target": "https://contoso.openai.azure.com",
        "authType": "ApiKey", "credentials": {"key": from_secret("aoai", "key")}, "metadata": {"ApiType": "Azure"},
    });
    scene.apply::<FoundryConnection>(&scene.team, "aoai", connection).await;
    scene.apply_project("churn", "contoso").await;
    let shared =
        json!({"hubRef": {"name": "contoso"}, "category": "CognitiveSearch", "target": "https://s", "authType": "AAD"});
    scene.apply::<FoundryConnection>(&scene.platform, "search", shared).await;
    scene.apply_hub("contoso").await;

    let hub: FoundryHub = scene.until_ready(&scene.platform, "contoso").await;
    let project: FoundryProject = scene.until_ready(&scene.team, "churn").await;
    let own: FoundryConnection = scene.until_ready(&scene.team, "aoai").await;
    let shared: FoundryConnection = scene.until_ready(&scene.platform, "search").await;

    let in_azure = |id: &Option<String>| scene.azure.resource(id.as_deref().unwrap()).unwrap();
    let (hub, project) = (hub.status.unwrap(), project.status.unwrap());
    for (resource_id, workspace_id, principal_id) in [
        (&hub.engine.resource_id, &hub.workspace.workspace_id, &hub.workspace.principal_id),
        (&project.engine.resource_id, &project.workspace.workspace_id, &project.workspace.principal_id),
    ] {
        let workspace = in_azure(resource_id);
        assert_eq!(workspace_id.as_deref(), workspace["properties"]["workspaceId"].as_str());
        assert_eq!(principal_id.as_deref(), workspace["identity"]["principalId"].as_str());
    }
    assert_eq!(
        in_azure(&project.engine.resource_id)["properties"]["hubResourceId"].as_str(),
        hub.engine.resource_id.as_deref()
    );
    assert!(
        project
            .workspace
            .storage_account
            .unwrap()
            .ends_with(&format!("st{}", scene.unique("contoso").replace('-', "")))
    );
    let own_id = own.status.unwrap().engine.resource_id.unwrap();
    assert!(own_id.starts_with(&project.engine.resource_id.unwrap()), "{own_id}");
    assert!(shared.status.unwrap().engine.resource_id.unwrap().starts_with(&hub.engine.resource_id.unwrap()));
    assert_eq!(scene.azure.connection_credentials(&own_id), Some(json!({"key": "k-1"})));
}

#[tokio::test]
async fn containers_are_those_of_the_datastores_whatever_their_names() {
    let scene = Scene::new().await;
    for (naming, project) in [
        (ContainerNaming::Documented, "documented"),
        (ContainerNaming::DashedBlobstore, "dashed"),
        (ContainerNaming::Classic, "classic"),
    ] {
        scene.azure.set_container_naming(naming);
        if project == "documented" {
            scene.ready_hub("contoso").await;
        }
        let status = scene.ready_project(project, "contoso").await.status.unwrap();
        let datastores = scene.azure.resources();
        let prefix = format!("{}/datastores/", status.engine.resource_id.unwrap()).to_lowercase();
        let mut expected: Vec<(String, String)> = datastores
            .iter()
            .filter(|datastore| datastore["id"].as_str().unwrap().to_lowercase().starts_with(&prefix))
            .map(|datastore| {
                let properties = &datastore["properties"];
                let name = properties["containerName"].as_str().or_else(|| properties["fileShareName"].as_str());
                (datastore["name"].as_str().unwrap().to_owned(), name.unwrap().to_owned())
            })
            .collect();
        expected.sort();
        assert_eq!(expected.len(), 4, "{project}");
        assert!(status.containers.iter().all(|container| container.source == ContainerSource::Datastore), "{project}");
        let published: Vec<_> = status.containers.into_iter().map(|c| (c.datastore, c.name)).collect();
        assert_eq!(published, expected, "{project}");
    }
}

#[tokio::test]
async fn containers_that_no_datastore_names_are_derived() {
    let scene = Scene::new().await;
    scene.azure.set_datastores_appear(false);
    scene.ready_hub("contoso").await;
    let status = scene.ready_project("churn", "contoso").await.status.unwrap();
    let id = status.workspace.workspace_id.unwrap();
    let names: Vec<_> = status.containers.iter().map(|container| (container.name.clone(), container.source)).collect();
    let expected =
        ["azureml", "blobstore", "file", "code"].map(|end| (format!("{id}-{end}"), ContainerSource::Derived));
    assert_eq!(names, expected);
}

#[tokio::test]
async fn a_changed_spec_reaches_azure_and_what_left_it_is_taken_away() {
    let scene = Scene::new().await;
    let mut spec = hub_spec(&scene.unique("contoso"));
    spec["description"] = json!("first");
    spec["tags"] = json!({"cost-center": "1", "stage": "test"});
    let hub: FoundryHub = scene.apply(&scene.platform, "contoso", spec).await;
    assert!(!is_ready(&hub));
    let hub: FoundryHub = scene.until_ready(&scene.platform, "contoso").await;
    let id = hub.status.unwrap().engine.resource_id.unwrap();
    scene.azure.patch_resource(&id, &json!({"tags": {"theirs": "kept"}})).unwrap();

    let change = json!({"friendlyName": "Contoso", "description": null, "tags": {"cost-center": "2", "stage": null}});
    scene.change::<FoundryHub>(&scene.platform, "contoso", change).await;
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;

    let workspace = scene.azure.resource(&id).unwrap();
    assert_eq!(workspace["properties"]["friendlyName"], "Contoso");
    assert!(workspace["properties"]["description"].as_str().unwrap_or_default().is_empty(), "{workspace}");
    assert_eq!(workspace["tags"]["cost-center"], "2");
    assert_eq!(workspace["tags"]["theirs"], "kept");
    assert!(workspace["tags"].get("stage").is_none(), "{workspace}");
    let told = scene.events(&scene.platform, "contoso").await;
    assert!(told.iter().any(|event| event.starts_with("Created:")), "{told:?}");
    assert!(told.iter().any(|event| event.starts_with("Updated:") && event.contains("friendlyName")), "{told:?}");
}

#[tokio::test]
async fn what_azure_cannot_take_away_is_left_when_it_leaves_the_spec() {
    let scene = Scene::new().await;
    let mut spec = hub_spec(&scene.unique("contoso"));
    spec["publicNetworkAccess"] = json!("Disabled");
    scene.apply::<FoundryHub>(&scene.platform, "contoso", spec).await;
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    scene.change::<FoundryHub>(&scene.platform, "contoso", json!({"publicNetworkAccess": null})).await;
    let hub: FoundryHub = scene.until_ready(&scene.platform, "contoso").await;
    let workspace = scene.azure.resource(&hub.status.unwrap().engine.resource_id.unwrap()).unwrap();
    assert_eq!(workspace["properties"]["publicNetworkAccess"], "Disabled");
}

#[tokio::test]
async fn everything_deleted_at_once_leaves_nothing() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    scene.ready_project("churn", "contoso").await;
    let spec = |parent: serde_json::Value| {
        let mut spec = json!({"category": "AIServices", "target": "https://a", "authType": "AAD"});
        spec.as_object_mut().unwrap().extend(parent.as_object().unwrap().clone());
        spec
    };
    scene.apply::<FoundryConnection>(&scene.team, "own", spec(json!({"projectRef": {"name": "churn"}}))).await;
    scene.apply::<FoundryConnection>(&scene.platform, "shared", spec(json!({"hubRef": {"name": "contoso"}}))).await;
    scene.until_ready::<FoundryConnection>(&scene.team, "own").await;
    scene.until_ready::<FoundryConnection>(&scene.platform, "shared").await;

    scene.delete::<FoundryHub>(&scene.platform, "contoso").await;
    scene.delete::<FoundryConnection>(&scene.platform, "shared").await;
    scene.delete::<FoundryProject>(&scene.team, "churn").await;
    scene.delete::<FoundryConnection>(&scene.team, "own").await;

    scene.until_gone::<FoundryConnection>(&scene.team, "own").await;
    scene.until_gone::<FoundryConnection>(&scene.platform, "shared").await;
    scene.until_gone::<FoundryProject>(&scene.team, "churn").await;
    scene.until_gone::<FoundryHub>(&scene.platform, "contoso").await;
    assert_eq!(scene.azure.resources(), Vec::<serde_json::Value>::new());
}

#[tokio::test]
async fn a_hub_with_projects_waits_for_them_and_names_them() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    scene.ready_project("churn", "contoso").await;
    scene.delete::<FoundryHub>(&scene.platform, "contoso").await;
    let waits = |hub: &FoundryHub| says(hub, ConditionType::Ready, "False", "HubHasProjects");
    let hub = scene.until(&scene.platform, "contoso", "waiting for its projects", waits).await;
    let message = &hub.status.unwrap().engine.conditions[0].message;
    assert!(message.contains(&format!("{}/churn", scene.team)), "{message}");
    assert_eq!(scene.calls("DELETE", "/workspaces/").len(), 0);

    scene.delete::<FoundryProject>(&scene.team, "churn").await;
    scene.until_gone::<FoundryHub>(&scene.platform, "contoso").await;
}

#[tokio::test]
async fn deleting_what_is_gone_from_azure_already_succeeds() {
    let scene = Scene::new().await;
    let hub = scene.ready_hub("contoso").await;
    scene.azure.remove_resource(&hub.status.unwrap().engine.resource_id.unwrap()).unwrap();
    scene.delete::<FoundryHub>(&scene.platform, "contoso").await;
    scene.until_gone::<FoundryHub>(&scene.platform, "contoso").await;
}

#[tokio::test]
async fn an_object_that_was_never_created_in_azure_goes_at_once() {
    let scene = Scene::new().await;
    scene.apply_project("churn", "no-such-hub").await;
    let unresolved =
        |project: &FoundryProject| says(project, ConditionType::ReferencesResolved, "False", "HubNotFound");
    scene.until(&scene.team, "churn", "without a hub", unresolved).await;
    scene.delete::<FoundryProject>(&scene.team, "churn").await;
    scene.until_gone::<FoundryProject>(&scene.team, "churn").await;
    assert_eq!(scene.calls("", "/workspaces/").len(), 0);
}
