//! What stands beside the machine learning service.

use std::time::Duration;

use arm_emulator::{Config, RegistrationState, Timings};
use serde_json::{Value, json};

use crate::session::{SUBSCRIPTION, Session, config, hub_body, workspace};

const ROLE: &str = "/providers/Microsoft.Authorization/roleDefinitions/ba92f5b4-2d11-453d-a403-e96b0029c9fe";

fn in_group(group: &str, rest: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/{rest}")
}

fn assignment(number: u8) -> String {
    let scope = in_group("rg", "Microsoft.Storage/storageAccounts/store");
    format!("{scope}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-0000000000{number:02}")
}

fn role(principal: &str) -> Value {
    json!({"properties": {"roleDefinitionId": ROLE, "principalId": principal, "principalType": "ServicePrincipal"}})
}

#[tokio::test]
async fn dependent_resources_are_kept_and_checked() {
    let session = Session::start().await;
    let body = json!({"kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "location": "eastus", "properties": {}});
    let account = in_group("rg", "Microsoft.Storage/storageAccounts/mystore");
    assert_eq!(session.get(&account).await.code(), "ResourceNotFound");
    let made = session.put(&account, body.clone()).await;
    assert_eq!((made.status, &made.body()["properties"]["provisioningState"]), (200, &json!("Succeeded")));
    assert_eq!(session.get(&account).await.body()["id"], account);
    let other = in_group("other", "Microsoft.Storage/storageAccounts/mystore");
    assert_eq!(session.put(&other, body.clone()).await.code(), "StorageAccountAlreadyTaken");
    let bad = in_group("rg", "Microsoft.Storage/storageAccounts/My-Store");
    assert_eq!(session.put(&bad, body.clone()).await.code(), "AccountNameInvalid");
    let list = session.get(&in_group("rg", "Microsoft.Storage/storageAccounts")).await.body();
    assert_eq!(list["value"].as_array().unwrap().len(), 1);
    let vault = in_group("rg", "Microsoft.KeyVault/vaults/my-vault");
    assert_eq!(session.put(&vault, body).await.code(), "InvalidParameter");
    assert_eq!(session.arm("DELETE", &account, None).await.status, 200);
    assert_eq!(session.arm("DELETE", &account, None).await.status, 204);
    assert_eq!(session.arm("GET", &format!("{vault}?api-version=newest"), None).await.status, 400);
}

#[tokio::test]
async fn role_assignments_are_unique_by_principal_role_and_scope() {
    let session = Session::start().await;
    assert_eq!(session.put(&assignment(1), role("p")).await.status, 201);
    assert_eq!(session.put(&assignment(1), role("p")).await.status, 200);
    let twice = session.put(&assignment(2), role("P")).await;
    assert_eq!((twice.status, twice.code().as_str()), (409, "RoleAssignmentExists"));
    assert_eq!(session.put(&assignment(1), role("other")).await.status, 400);
    let blobs = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs";
    for (action, status) in [("read", 201), ("runAsSuperUser/action", 400)] {
        let mut body = role("q");
        body["properties"]["condition"] = json!(format!("(!(ActionMatches{{'{blobs}/{action}'}}))"));
        body["properties"]["conditionVersion"] = json!("2.0");
        assert_eq!(session.put(&assignment(3), body).await.status, status);
        session.arm("DELETE", &assignment(3), None).await;
    }
    assert_eq!(session.arm("DELETE", &assignment(1), None).await.status, 200);
    assert_eq!(session.arm("DELETE", &assignment(1), None).await.status, 204);
}

#[tokio::test]
async fn a_diagnostic_setting_stands_on_a_hub() {
    let session = Session::start().await;
    let hub = workspace("hub");
    let setting = format!("{hub}/providers/Microsoft.Insights/diagnosticSettings/logs");
    let body =
        json!({"properties": {"storageAccountId": "/x", "logs": [{"categoryGroup": "allLogs", "enabled": true}]}});
    assert_eq!(session.put(&setting, body.clone()).await.status, 404);
    session.accepted(&hub, hub_body()).await;
    assert_eq!(session.put(&setting, body).await.status, 200);
    assert_eq!(session.put(&setting, json!({"properties": {}})).await.status, 400);
    let list = session.get(&format!("{hub}/providers/Microsoft.Insights/diagnosticSettings")).await.body();
    assert_eq!(list["value"][0]["name"], "logs");
}

#[tokio::test]
async fn a_provider_that_is_not_registered_can_be() {
    let session = Session::start().await;
    let namespace = "Microsoft.MachineLearningServices";
    let body = json!({"registrationState": "NotRegistered"});
    assert_eq!(session.control("PUT", &format!("providers/{namespace}"), Some(body)).await.status, 204);
    let refused = session.put(&workspace("hub"), hub_body()).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "MissingSubscriptionRegistration"));
    let provider = format!("/subscriptions/{SUBSCRIPTION}/providers/{namespace}");
    session.emulator.set_timings(Timings::all(Duration::from_millis(50)));
    let answer = session.arm("POST", &format!("{provider}/register"), None).await;
    assert_eq!((answer.status, &answer.body()["registrationState"]), (200, &json!("Registering")));
    tokio::time::sleep(Duration::from_millis(80)).await;
    assert_eq!(session.get(&provider).await.body()["registrationState"], "Registered");
    session.accepted(&workspace("hub"), hub_body()).await;
    session.emulator.set_provider_state("Microsoft.Storage", RegistrationState::NotRegistered);
    let account = in_group("rg", "Microsoft.Storage/storageAccounts/mystore");
    assert_eq!(session.put(&account, json!({"location": "eastus"})).await.status, 409);
}

#[tokio::test]
async fn resource_groups_come_and_go_with_what_they_hold() {
    let session = Session::with(Config { resource_groups: Some(Vec::new()), ..config() }).await;
    let group = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg");
    assert_eq!(session.get(&group).await.code(), "ResourceGroupNotFound");
    assert_eq!(session.put(&workspace("hub"), hub_body()).await.code(), "ResourceGroupNotFound");
    assert_eq!(session.put(&group, json!({})).await.code(), "LocationRequired");
    assert_eq!(session.put(&group, json!({"location": "eastus"})).await.status, 201);
    session.accepted(&workspace("hub"), hub_body()).await;
    let groups = session.get(&format!("/subscriptions/{SUBSCRIPTION}/resourcegroups")).await.body();
    assert_eq!(groups["value"][0]["name"], "rg");
    assert_eq!(session.arm("DELETE", &group, None).await.status, 200);
    assert_eq!(session.get(&workspace("hub")).await.code(), "ResourceGroupNotFound");
    assert_eq!(session.put(&group, json!({"location": "eastus"})).await.status, 201);
    assert_eq!(session.get(&workspace("hub")).await.code(), "ResourceNotFound");
}
