//! The life of hubs and projects, and the traps of their bodies.

use arm_emulator::ContainerNaming;
use serde_json::{Value, json};

use crate::session::{CLIENT, Session, hub_body, project_body, workspace};

#[tokio::test]
async fn a_hub_reads_in_the_recorded_shape() {
    let session = Session::start().await;
    let hub = workspace("hub");
    session.accepted(&hub, hub_body()).await;
    let read = session.get(&hub).await.body();
    assert_eq!(read["id"], hub.as_str());
    assert_eq!(read["type"], "Microsoft.MachineLearningServices/workspaces");
    assert_eq!(read["sku"], json!({"name": "Basic", "tier": "Basic"}));
    assert_eq!(read["etag"], Value::Null);
    assert!(read.as_object().unwrap().contains_key("etag"));
    assert_eq!(read["systemData"]["createdBy"], CLIENT);
    assert_eq!(read["systemData"]["createdByType"], "Application");
    assert_eq!(read["identity"]["type"], "SystemAssigned");
    assert!(read["identity"]["principalId"].is_string() && read["identity"]["tenantId"].is_string());
    assert_eq!(read["tags"]["team"], "a");
    assert!(read["tags"]["__SYSTEM__AzureOpenAI_Default_AzureOpenAI"].is_string());
    let properties = &read["properties"];
    assert_eq!(properties["provisioningState"], "Succeeded");
    assert_eq!(properties["description"], "");
    assert_eq!(properties["imageBuildCompute"], Value::Null);
    assert_eq!(properties["managedNetwork"]["isolationMode"], "Disabled");
    assert!(properties["keyVault"].as_str().unwrap().contains("/Microsoft.Keyvault/vaults/vault"));
    assert!(properties["storageAccount"].as_str().unwrap().contains("/Microsoft.Storage/storageaccounts/store"));
    assert_eq!(properties["workspaceId"].as_str().unwrap().len(), 36);
    assert_eq!(properties["discoveryUrl"], "https://eastus.api.azureml.ms/discovery");
    assert!(properties.get("associatedWorkspaces").is_none());
    assert!(properties.get("hubResourceId").is_none());
}

#[tokio::test]
async fn a_project_inherits_from_its_hub_and_the_hub_names_it() {
    let session = Session::start().await;
    let (hub, project) = session.hub_and_project().await;
    let (hub_read, read) = (session.get(&hub).await.body(), session.get(&project).await.body());
    for name in ["storageAccount", "keyVault", "managedNetwork", "containerRegistry"] {
        assert_eq!(read["properties"][name], hub_read["properties"][name], "{name}");
    }
    assert_eq!(read["properties"]["hubResourceId"], hub.as_str());
    assert!(read["tags"].as_object().unwrap().is_empty());
    assert_eq!(hub_read["properties"]["associatedWorkspaces"], json!([project]));
    assert_ne!(read["properties"]["workspaceId"], hub_read["properties"]["workspaceId"]);
}

#[tokio::test]
async fn paths_and_hub_ids_are_compared_without_case() {
    let session = Session::start().await;
    let hub = workspace("hub");
    session.accepted(&hub, hub_body()).await;
    session.accepted(&workspace("project"), project_body(&hub.to_uppercase())).await;
    let read = session.get(&hub.to_lowercase()).await.body();
    assert_eq!(read["properties"]["associatedWorkspaces"], json!([workspace("project")]));
}

#[tokio::test]
async fn a_put_replaces_what_can_be_written_and_keeps_what_the_service_made() {
    let session = Session::start().await;
    let hub = workspace("hub");
    session.accepted(&hub, hub_body()).await;
    let before = session.get(&hub).await.body();
    let mut body = hub_body();
    body["tags"] = json!({"owner": "b"});
    body["properties"]["friendlyName"] = Value::Null;
    body["properties"]["description"] = json!("changed");
    session.accepted(&hub, body).await;
    let after = session.get(&hub).await.body();
    assert_eq!(after["properties"]["description"], "changed");
    assert_eq!(after["properties"]["friendlyName"], Value::Null);
    assert_eq!(after["tags"]["owner"], "b");
    assert_eq!(after["tags"], json!({"owner": "b"}));
    for name in ["workspaceId", "creationTime", "notebookInfo"] {
        assert_eq!(after["properties"][name], before["properties"][name], "{name}");
    }
    assert_eq!(after["identity"], before["identity"]);
    assert_eq!(after["systemData"]["createdAt"], before["systemData"]["createdAt"]);
}

#[tokio::test]
async fn a_patch_takes_only_what_is_listed() {
    let session = Session::start().await;
    let hub = workspace("hub");
    session.accepted(&hub, hub_body()).await;
    let change = json!({"tags": {"x": "y"}, "properties": {"description": "patched"}});
    assert_eq!(session.arm("PATCH", &hub, Some(change)).await.status, 202);
    let read = session.get(&hub).await.body();
    assert_eq!(read["properties"]["description"], "patched");
    assert_eq!(read["properties"]["friendlyName"], "The hub");
    assert_eq!(read["tags"], json!({"x": "y"}));
    for body in [
        json!({"properties": {"storageAccount": "/x"}}),
        json!({"properties": {"hubResourceId": "/x"}}),
        json!({"kind": "Project"}),
        json!({"location": "westus"}),
        json!({"properties": {"encryption": {"status": "Enabled"}}}),
    ] {
        let reply = session.arm("PATCH", &hub, Some(body.clone())).await;
        assert_eq!(reply.status, 400, "{body}: {}", reply.text);
    }
}

#[tokio::test]
async fn a_hub_without_its_dependent_resources_is_refused() {
    let session = Session::start().await;
    let mut body = hub_body();
    body["properties"].as_object_mut().unwrap().remove("keyVault");
    let reply = session.put(&workspace("hub"), body).await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "ValidationError"));
    assert_eq!(reply.message(), "Missing dependent resources in workspace json");
    assert_eq!(reply.body()["error"]["target"], "workspace");
    assert_eq!(reply.body()["error"]["details"][0]["code"], "Invalid");
    assert_eq!(reply.header("x-ms-response-type"), "error");
}

#[tokio::test]
async fn a_project_that_echoes_what_it_inherits_is_refused() {
    let session = Session::start().await;
    let (hub, project) = session.hub_and_project().await;
    let read = session.get(&project).await.body();
    for name in ["managedNetwork", "keyVault", "storageAccount"] {
        let mut body = project_body(&hub);
        body["properties"][name] = read["properties"][name].clone();
        let reply = session.put(&project, body).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "ValidationError"), "{name}");
        assert!(reply.message().starts_with("Project workspace shouldn't define it's own"), "{}", reply.message());
    }
}

#[tokio::test]
async fn a_project_needs_a_hub_in_its_region() {
    let session = Session::start().await;
    let hub = workspace("hub");
    session.accepted(&hub, hub_body()).await;
    session.accepted(&workspace("other"), project_body(&hub)).await;
    let mut elsewhere = project_body(&hub);
    elsewhere["location"] = json!("westus");
    for body in [project_body(&workspace("missing")), project_body(&workspace("other")), elsewhere] {
        let reply = session.put(&workspace("project"), body).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "ValidationError"), "{}", reply.text);
    }
}

#[tokio::test]
async fn what_is_fixed_cannot_be_changed() {
    let session = Session::start().await;
    let (hub, project) = session.hub_and_project().await;
    session.accepted(&workspace("hub2"), hub_body()).await;
    let mut moved = hub_body();
    moved["location"] = json!("westus");
    assert_eq!(session.put(&hub, moved).await.code(), "InvalidResourceLocation");
    let reply = session.put(&project, project_body(&workspace("hub2"))).await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "PropertyChangeNotAllowed"));
    let mut isolated = hub_body();
    isolated["properties"]["enableDataIsolation"] = json!(false);
    assert_eq!(session.put(&hub, isolated).await.code(), "PropertyChangeNotAllowed");
}

#[tokio::test]
async fn a_managed_network_cannot_be_taken_away() {
    let session = Session::start().await;
    let hub = workspace("hub");
    let mut body = hub_body();
    body["properties"]["managedNetwork"] = json!({"isolationMode": "AllowInternetOutbound"});
    session.accepted(&hub, body.clone()).await;
    let network = session.get(&hub).await.body()["properties"]["managedNetwork"].clone();
    assert_eq!(network["isolationMode"], "AllowInternetOutbound");
    assert!(network["outboundRules"].as_object().unwrap().values().all(|rule| rule["category"] == "Required"));
    body["properties"]["managedNetwork"]["isolationMode"] = json!("Disabled");
    let reply = session.put(&hub, body).await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "ValidationError"));
    assert_eq!(reply.message(), "Managed network cannot be disabled once enabled.");
}

#[tokio::test]
async fn a_hub_with_projects_cannot_be_deleted() {
    let session = Session::start().await;
    let (hub, project) = session.hub_and_project().await;
    let reply = session.arm("DELETE", &hub, None).await;
    assert_eq!(reply.status, 400);
    assert_eq!(reply.message(), "AI hub still has associated AI projects");
    assert_eq!(session.arm("DELETE", &project, None).await.status, 202);
    assert_eq!(session.get(&project).await.status, 404);
    assert!(session.get(&hub).await.body()["properties"].get("associatedWorkspaces").is_none());
    assert_eq!(session.arm("DELETE", &hub, None).await.status, 202);
    assert_eq!(session.arm("DELETE", &hub, None).await.status, 204);
}

#[tokio::test]
async fn names_locations_and_bodies_are_checked() {
    let session = Session::start().await;
    assert_eq!(session.put(&workspace("ab"), hub_body()).await.status, 400);
    assert_eq!(session.put(&workspace("a.bc"), hub_body()).await.status, 400);
    let mut body = hub_body();
    body.as_object_mut().unwrap().remove("location");
    assert_eq!(session.put(&workspace("hub"), body).await.code(), "LocationRequired");
    assert_eq!(session.put(&workspace("hub"), json!([])).await.code(), "InvalidRequestContent");
    let mut body = hub_body();
    body["properties"]["publicNetworkAccess"] = json!("Sometimes");
    assert_eq!(session.put(&workspace("hub"), body).await.code(), "ValidationError");
}

#[tokio::test]
async fn every_workspace_comes_with_datastores_named_after_its_id() {
    let session = Session::start().await;
    let (hub, project) = session.hub_and_project().await;
    let id = session.get(&project).await.body()["properties"]["workspaceId"].as_str().unwrap().to_owned();
    let listed = session.get(&format!("{project}/datastores")).await.body();
    assert_eq!(listed["value"].as_array().unwrap().len(), 4);
    let blob = session.get(&format!("{project}/datastores/workspaceblobstore")).await.body();
    assert_eq!(blob["type"], "Microsoft.MachineLearningServices/workspaces/datastores");
    assert_eq!(blob["properties"]["containerName"], format!("{id}-blobstore"));
    assert_eq!(blob["properties"]["accountName"], "store");
    assert_eq!(blob["properties"]["isDefault"], true);
    assert_eq!(blob["properties"]["credentials"], json!({"credentialsType": "AccountKey"}));

    session.emulator.set_container_naming(ContainerNaming::DashedBlobstore);
    session.accepted(&workspace("later"), project_body(&hub)).await;
    let later = session.get(&format!("{}/datastores/workspaceblobstore", workspace("later"))).await.body();
    assert!(later["properties"]["containerName"].as_str().unwrap().ends_with("-azureml-blobstore"));

    session.emulator.set_datastores_appear(false);
    assert_eq!(session.get(&format!("{project}/datastores")).await.body()["value"], json!([]));
    assert_eq!(session.get(&format!("{project}/datastores/workspaceblobstore")).await.status, 404);
}
