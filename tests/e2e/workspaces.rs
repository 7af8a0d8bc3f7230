//! Identities, keys and sign-in of workspaces.

use foundry_operator::api::FoundryHub;
use foundry_operator::api::conditions::ConditionType;
use serde_json::{Value, json};

use crate::harness::{SUBSCRIPTION, Scene, Setting, hub_spec, says};

fn identity(name: &str) -> String {
    format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-ai/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
    )
}

fn key(version: char) -> String {
    format!("https://kv-contoso.vault.azure.net/keys/foundry/{}", version.to_string().repeat(32))
}

fn encrypted(scene: &Scene) -> Value {
    let mut spec = hub_spec(&scene.unique("contoso"));
    spec["identity"] = json!({"type": "SystemAssigned,UserAssigned", "userAssignedIdentities": [identity("keys")]});
    spec["encryption"] = json!({
        "keyVault": spec["keyVault"], "keyIdentifier": key('a'), "userAssignedIdentity": identity("keys"),
    });
    spec
}

fn in_azure(scene: &Scene) -> Value {
    scene.azure.resource(&scene.workspace_id("contoso")).unwrap()
}

#[tokio::test]
async fn a_hub_is_encrypted_with_a_key_of_ones_own_which_is_rotated_by_its_identifier_alone() {
    let scene = Scene::new().await;
    scene.apply::<FoundryHub>(&scene.platform, "contoso", encrypted(&scene)).await;
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    let before = in_azure(&scene)["properties"]["encryption"].clone();
    assert_eq!(
        (&before["status"], &before["keyVaultProperties"]["keyIdentifier"]),
        (&json!("Enabled"), &json!(key('a')))
    );
    assert_eq!(before["identity"]["userAssignedIdentity"], identity("keys"));

    scene.change::<FoundryHub>(&scene.platform, "contoso", json!({"encryption": {"keyIdentifier": key('b')}})).await;
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    let mut rotated = before;
    rotated["keyVaultProperties"]["keyIdentifier"] = json!(key('b'));
    assert_eq!(in_azure(&scene)["properties"]["encryption"], rotated);
    let patches = scene.calls("PATCH", "/workspaces/");
    assert_eq!(patches.len(), 1, "{patches:#?}");
}

#[tokio::test]
async fn a_hub_that_azure_encrypts_otherwise_is_not_adopted_into_something_that_it_cannot_become() {
    let scene = Scene::new().await;
    scene.put_hub(&Value::Null);
    let mut spec = encrypted(&scene);
    spec["adoptionPolicy"] = json!("Adopt");
    scene.apply::<FoundryHub>(&scene.platform, "contoso", spec).await;
    let stalled = |hub: &FoundryHub| says(hub, ConditionType::Stalled, "True", "FixedFieldDiffers");
    scene.until(&scene.platform, "contoso", "stalled", stalled).await;
    assert_eq!(scene.writes().len(), 0, "{:#?}", scene.writes());
}

#[tokio::test]
async fn user_assigned_identities_come_and_go() {
    let scene = Scene::new().await;
    let mut spec = hub_spec(&scene.unique("contoso"));
    spec["identity"] = json!({"type": "UserAssigned", "userAssignedIdentities": [identity("one"), identity("two")]});
    scene.apply::<FoundryHub>(&scene.platform, "contoso", spec).await;
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    let of = |hub: &Value| {
        let ids = hub["identity"]["userAssignedIdentities"].as_object().cloned().unwrap_or_default();
        ids.keys().filter_map(|id| id.rsplit('/').next()).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(of(&in_azure(&scene)), ["one", "two"]);
    assert_eq!(in_azure(&scene)["properties"]["primaryUserAssignedIdentity"], identity("one"));

    let other =
        json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": [identity("two"), identity("three")]}});
    scene.change::<FoundryHub>(&scene.platform, "contoso", other).await;
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    assert_eq!(of(&in_azure(&scene)), ["three", "two"]);
    assert_eq!(in_azure(&scene)["properties"]["primaryUserAssignedIdentity"], identity("two"));
}

#[tokio::test]
async fn the_way_datastores_sign_in_is_set_and_its_letter_case_is_no_drift() {
    let scene = Scene::with(Setting { flags: vec!["--resync", "1s"], ..Setting::default() }).await;
    let mut spec = hub_spec(&scene.unique("contoso"));
    spec["systemDatastoresAuthMode"] = json!("Identity");
    scene.apply::<FoundryHub>(&scene.platform, "contoso", spec).await;
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    assert_eq!(in_azure(&scene)["properties"]["systemDatastoresAuthMode"], "Identity");
    let lower = json!({"properties": {"systemDatastoresAuthMode": "identity"}});
    scene.azure.patch_resource(&scene.workspace_id("contoso"), &lower).unwrap();
    scene.azure.clear_journal();
    scene.eventually("read again twice", || scene.calls("GET", "/workspaces/").len() >= 2).await;
    assert_eq!(scene.writes().len(), 0, "{:#?}", scene.writes());
    let key = json!({"systemDatastoresAuthMode": "AccessKey"});
    scene.change::<FoundryHub>(&scene.platform, "contoso", key).await;
    scene.eventually("changed", || in_azure(&scene)["properties"]["systemDatastoresAuthMode"] == "AccessKey").await;
}
