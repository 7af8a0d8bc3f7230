//! What Azure refuses, or fails to do, and how that is told.

use arm_emulator::{Outcome, PlannedFailure};
use foundry_operator::api::conditions::ConditionType;
use foundry_operator::api::{FoundryConnection, FoundryHub};
use serde_json::json;

use crate::harness::{Driven as _, Scene, Setting, hub_spec, says};

fn failure(path: &str, status: Option<u16>, code: &str, message: &str) -> PlannedFailure {
    PlannedFailure {
        method: "PUT".into(),
        path: path.into(),
        outcome: Outcome::Failed,
        status,
        code: code.into(),
        message: message.into(),
    }
}

#[tokio::test]
async fn what_azure_refuses_for_good_is_told_and_not_tried_again_until_the_spec_changes() {
    let scene = Scene::with(Setting { flags: vec!["--resync", "1s"], ..Setting::default() }).await;
    scene.azure.fail_next(failure("/workspaces/", Some(400), "ValidationError", "Missing dependent resources"));
    scene.apply_hub("contoso").await;
    let stalled = |hub: &FoundryHub| says(hub, ConditionType::Stalled, "True", "Refused");
    let hub = scene.until(&scene.platform, "contoso", "stalled", stalled).await;
    let message = &hub.engine().conditions[0].message;
    for part in ["could not create", "Missing dependent resources", "ValidationError", "correlation id"] {
        assert!(message.contains(part), "{message}");
    }
    let reads = || scene.calls("GET", "/workspaces/").len();
    let before = reads();
    scene.eventually("looked at again", || reads() >= before + 2).await;
    assert_eq!(scene.calls("PUT", "/workspaces/").len(), 1);

    scene.change::<FoundryHub>(&scene.platform, "contoso", json!({"friendlyName": "Another try"})).await;
    let hub: FoundryHub = scene.until_ready(&scene.platform, "contoso").await;
    assert!(hub.engine().conditions.iter().all(|condition| condition.type_ != "Stalled"));
}

#[tokio::test]
async fn a_stalled_object_is_tried_again_when_somebody_asks() {
    let scene = Scene::new().await;
    scene.azure.fail_next(failure("/workspaces/", Some(400), "ValidationError", "no"));
    scene.apply_hub("contoso").await;
    let stalled = |hub: &FoundryHub| says(hub, ConditionType::Stalled, "True", "Refused");
    scene.until(&scene.platform, "contoso", "stalled", stalled).await;
    scene.annotate::<FoundryHub>(&scene.platform, "contoso", "foundryoperator.dev/reconcile-at", "now").await;
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
}

#[tokio::test]
async fn an_operation_that_fails_is_told_in_azures_words() {
    let scene = Scene::new().await;
    scene.azure.fail_next(failure("/workspaces/", None, "BadRequest", "The storage account is not to our liking"));
    scene.apply_hub("contoso").await;
    let stalled = |hub: &FoundryHub| says(hub, ConditionType::Stalled, "True", "Refused");
    let hub = scene.until(&scene.platform, "contoso", "stalled", stalled).await;
    let message = &hub.engine().conditions[0].message;
    assert!(message.contains("not to our liking"), "{message}");
    let told = scene.events(&scene.platform, "contoso").await;
    assert!(told.iter().any(|event| event.starts_with("Refused:")), "{told:?}");
    scene.change::<FoundryHub>(&scene.platform, "contoso", json!({"friendlyName": "Another try"})).await;
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
}

#[tokio::test]
async fn an_operation_that_fails_for_a_passing_cause_is_tried_again() {
    let scene = Scene::new().await;
    scene.azure.fail_next(failure("/workspaces/", None, "Conflict", "somebody was faster"));
    scene.apply_hub("contoso").await;
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
}

#[tokio::test]
async fn a_connection_that_azure_fails_to_create_is_tried_again() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    scene.azure.fail_next(failure("/connections/conn", Some(502), "BadGateway", "oops"));
    let spec =
        json!({"hubRef": {"name": "contoso"}, "category": "AIServices", "target": "https://a", "authType": "AAD"});
    scene.apply::<FoundryConnection>(&scene.platform, "conn", spec).await;
    scene.until_ready::<FoundryConnection>(&scene.platform, "conn").await;
    assert_eq!(scene.calls("PUT", "/connections/conn").len(), 2);
}

#[tokio::test]
async fn a_storage_account_that_azure_has_otherwise_is_told_before_anything_is_sent() {
    let scene = Scene::new().await;
    let id = scene.ready_hub("contoso").await.engine().resource_id.unwrap();
    let other = format!(
        "/subscriptions/{}/resourceGroups/rg-ai/providers/Microsoft.Storage/storageAccounts/other",
        crate::harness::SUBSCRIPTION
    );
    scene.azure.patch_resource(&id, &json!({"properties": {"storageAccount": other}})).unwrap();
    scene.annotate::<FoundryHub>(&scene.platform, "contoso", "foundryoperator.dev/reconcile-at", "now").await;
    let differs = |hub: &FoundryHub| says(hub, ConditionType::Stalled, "True", "FixedFieldDiffers");
    let hub = scene.until(&scene.platform, "contoso", "stalled", differs).await;
    let message = &hub.engine().conditions[0].message;
    assert!(message.contains("storageAccount") && message.contains("/other"), "{message}");
    assert_eq!(scene.calls("PATCH", "").len(), 0);
}

#[tokio::test]
async fn a_hub_without_a_subscription_says_where_one_comes_from() {
    let scene = Scene::new().await;
    let mut spec = hub_spec(&scene.unique("contoso"));
    spec.as_object_mut().unwrap().remove("subscriptionId");
    scene.apply::<FoundryHub>(&scene.platform, "contoso", spec).await;
    let unknown = |hub: &FoundryHub| says(hub, ConditionType::Ready, "False", "SubscriptionUnknown");
    let hub = scene.until(&scene.platform, "contoso", "without a subscription", unknown).await;
    assert!(hub.engine().conditions[0].message.contains("--subscription-id"));
}

#[tokio::test]
async fn the_operators_subscription_serves_hubs_that_name_none() {
    let scene =
        Scene::with(Setting { flags: vec!["--subscription-id", crate::harness::SUBSCRIPTION], ..Setting::default() })
            .await;
    let mut spec = hub_spec(&scene.unique("contoso"));
    spec.as_object_mut().unwrap().remove("subscriptionId");
    scene.apply::<FoundryHub>(&scene.platform, "contoso", spec).await;
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
}
