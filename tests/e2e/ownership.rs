//! What is in Azure already, and what may be done with it.

use foundry_operator::api::conditions::ConditionType;
use foundry_operator::api::{FoundryConnection, FoundryHub, FoundryProject};
use serde_json::json;

use crate::harness::{Driven as _, Scene, hub_spec, says};

#[tokio::test]
async fn what_exists_already_is_not_taken_over_silently() {
    let scene = Scene::new().await;
    let id = scene.put_hub(&json!({"theirs": "x"}));
    let before = scene.azure.resource(&id);
    scene.apply_hub("contoso").await;
    let refused = |hub: &FoundryHub| {
        says(hub, ConditionType::Ready, "False", "AlreadyExists")
            && says(hub, ConditionType::Stalled, "True", "AlreadyExists")
    };
    let hub = scene.until(&scene.platform, "contoso", "refused", refused).await;
    let message = &hub.engine().conditions[0].message;
    let made = &before.as_ref().unwrap()["systemData"];
    for part in ["adoptionPolicy: Adopt", made["createdBy"].as_str().unwrap(), made["createdAt"].as_str().unwrap()] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }

    scene.delete::<FoundryHub>(&scene.platform, "contoso").await;
    scene.until_gone::<FoundryHub>(&scene.platform, "contoso").await;
    assert_eq!(scene.azure.resource(&id), before);
    assert_eq!(scene.writes().len(), 0, "{:#?}", scene.writes());
}

#[tokio::test]
async fn what_exists_is_adopted_where_the_owner_says_so_and_keeps_what_the_spec_does_not_mention() {
    let scene = Scene::new().await;
    let id = scene.put_hub(&json!({"theirs": "x"}));
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
    let id = scene.put_hub(&json!({"foundryoperator.dev.owner": "other-cluster/platform/contoso"}));
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
    let id = scene.workspace_id("taken");
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

#[tokio::test]
async fn adopting_keeps_the_identities_that_the_spec_does_not_mention() {
    let scene = Scene::new().await;
    let id = scene.put_hub(&json!({}));
    let identity = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/storage";
    let theirs = json!({"identity": {"type": "SystemAssigned,UserAssigned", "userAssignedIdentities": {identity: {}}}});
    scene.azure.patch_resource(&id, &theirs).unwrap();
    let before = scene.azure.resource(&id).unwrap()["identity"].clone();
    let mut spec = hub_spec(&scene.unique("contoso"));
    spec["adoptionPolicy"] = json!("Adopt");
    scene.apply::<FoundryHub>(&scene.platform, "contoso", spec).await;
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    assert_eq!(scene.azure.resource(&id).unwrap()["identity"], before);
}

#[tokio::test]
async fn an_object_in_conflict_gives_nobody_a_way_into_the_workspace() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    scene.ready_project("theirs", "contoso").await;
    scene.azure.clear_journal();

    // A project that names another's workspace, and a connection that would go into it.
    let mut spec = scene.project_spec("contoso");
    spec["azureName"] = json!(format!("{}-theirs", scene.team));
    spec["adoptionPolicy"] = json!("Adopt");
    for policy in ["Manage", "Observe"] {
        let name = format!("rival-{}", policy.to_lowercase());
        spec["managementPolicy"] = json!(policy);
        scene.apply::<FoundryProject>(&scene.team, &name, spec.clone()).await;
        let conflict = |project: &FoundryProject| says(project, ConditionType::Ready, "False", "Conflict");
        let project = scene.until(&scene.team, &name, "in conflict", conflict).await.status.unwrap();
        assert_eq!((project.workspace.workspace_id, project.engine.resource_id), (None, None), "{policy}");
        assert!(project.containers.is_empty(), "{policy}");
        let connection =
            json!({"projectRef": {"name": name}, "category": "AIServices", "target": "https://a", "authType": "AAD"});
        scene.apply::<FoundryConnection>(&scene.team, &name, connection).await;
        let held_up = |c: &FoundryConnection| says(c, ConditionType::ReferencesResolved, "False", "ProjectNotReady");
        scene.until(&scene.team, &name, "held up", held_up).await;
    }

    // A hub object of the team's own that names the platform's hub, and a project that would get around its consent.
    scene.apply::<FoundryHub>(&scene.team, "rival", hub_spec(&scene.unique("contoso"))).await;
    let conflict = |hub: &FoundryHub| says(hub, ConditionType::Ready, "False", "Conflict");
    scene.until(&scene.team, "rival", "in conflict", conflict).await;
    scene.apply::<FoundryProject>(&scene.team, "around", json!({"hubRef": {"name": "rival"}})).await;
    let held_up = |project: &FoundryProject| {
        says(project, ConditionType::ReferencesResolved, "False", "HubNotReady")
            || says(project, ConditionType::ReferencesResolved, "False", "NotAllowedByHub")
    };
    scene.until(&scene.team, "around", "held up", held_up).await;
    assert_eq!(scene.writes().len(), 0, "{:#?}", scene.writes());
}

#[tokio::test]
async fn an_object_whose_finalizer_was_taken_off_by_hand_leaves_nothing_locked() {
    let scene = Scene::new().await;
    scene.azure.set_timings(arm_emulator::Timings::all(std::time::Duration::from_secs(2)));
    scene.apply_hub("contoso").await;
    let running = |hub: &FoundryHub| hub.status.as_ref().is_some_and(|status| status.engine.operation.is_some());
    scene.until(&scene.platform, "contoso", "being made", running).await;
    scene.delete::<FoundryHub>(&scene.platform, "contoso").await;
    scene.remove_finalizers::<FoundryHub>(&scene.platform, "contoso").await;
    scene.until_gone::<FoundryHub>(&scene.platform, "contoso").await;
    // The one that comes in its place is known by its mark, and takes over what the first one left.
    scene.apply_hub("contoso").await;
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    assert_eq!(scene.calls("PUT", "/workspaces/").len(), 1);
}

#[tokio::test]
async fn a_project_named_as_the_hub_of_its_namespace_neither_writes_nor_deletes_that() {
    let scene = Scene::new().await;
    let mut hub = hub_spec(&scene.unique("twin"));
    hub["friendlyName"] = json!("The hub's");
    let spec = json!({"azureName": scene.unique("twin"), "hubRef": {"name": "twin"}, "friendlyName": "The project's"});
    scene.apply::<FoundryHub>(&scene.team, "twin", hub).await;
    scene.until_ready::<FoundryHub>(&scene.team, "twin").await;
    scene.apply::<FoundryProject>(&scene.team, "twin", spec).await;
    let refused = |project: &FoundryProject| says(project, ConditionType::Synced, "False", "FixedFieldDiffers");
    scene.until::<FoundryProject>(&scene.team, "twin", "refused", refused).await;
    scene.delete::<FoundryProject>(&scene.team, "twin").await;
    scene.until_gone::<FoundryProject>(&scene.team, "twin").await;
    let hub = scene.azure.resource(&scene.workspace_id("twin")).unwrap();
    assert_eq!(hub["properties"]["friendlyName"], "The hub's");
    let writes: Vec<_> = scene.writes().into_iter().map(|call| call.method).collect();
    assert_eq!(writes, ["PUT"]);
}
