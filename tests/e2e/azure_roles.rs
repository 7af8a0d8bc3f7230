//! The custom roles in `config/azure` are what the operator's identity needs in Azure, and no more.

use std::collections::BTreeSet;

use arm_emulator::{Permissions, RegistrationState, action_of};
use foundry_operator::api::{FoundryConnection, FoundryHub};
use serde_json::{Value, json};
use stage::OPERATOR_CLIENT_ID;

use crate::harness::{Scene, hub_spec};

/// What the service asks for besides, by the kind of a workspace: no call is named so.
const BY_KIND: &str = "Microsoft.MachineLearningServices/workspaces/hubs/";

fn role(file: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(stage::repository().join("config/azure").join(file)).unwrap();
    let role: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&role["NotActions"], &role["DataActions"]), (&json!([]), &json!([])), "{file}");
    role["Actions"].as_array().unwrap().iter().map(|action| action.as_str().unwrap().to_owned()).collect()
}

/// Every kind of call that the operator makes: all there is to a hub, a project and a connection, from the first to the last.
async fn life(scene: &Scene) {
    let mut hub = hub_spec(&scene.unique("contoso"));
    let rule = |name: &str| json!({"name": name, "type": "FQDN", "fqdn": format!("{name}.org")});
    hub["managedNetwork"] = json!({
        "isolationMode": "AllowOnlyApprovedOutbound", "outboundRules": [rule("pypi"), rule("conda")], "provisionNow": true,
    });
    scene.apply::<FoundryHub>(&scene.platform, "contoso", hub).await;
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    let fewer = json!({"friendlyName": "Contoso", "managedNetwork": {"outboundRules": [rule("pypi")]}});
    scene.change::<FoundryHub>(&scene.platform, "contoso", fewer).await;
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    scene.ready_project("churn", "contoso").await;
    scene.apply_secret(&scene.team, "aoai", &[("key", "k")]).await;
    scene.apply_keyed_connection("aoai").await;
    scene.until_ready::<FoundryConnection>(&scene.team, "aoai").await;
    scene.delete_the_usual_three().await;
}

#[tokio::test]
async fn the_custom_roles_allow_exactly_what_the_operator_does() {
    let granted = &role("foundry-operator-resources.json") | &role("foundry-operator-subscription.json");
    assert!(!granted.iter().any(|action| action.contains('*')), "{granted:?}");
    let scene = Scene::new().await;
    scene.azure.set_provider_state("Microsoft.MachineLearningServices", RegistrationState::NotRegistered);
    scene.azure.set_permissions(OPERATOR_CLIENT_ID, Permissions::only(granted.iter().map(String::as_str)));
    life(&scene).await;
    let calls = scene.calls("", "");
    let refused: Vec<_> = calls.iter().filter(|call| call.status == 403).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    let made: BTreeSet<String> = calls.iter().map(|call| action_of(&call.method, &call.path).to_lowercase()).collect();
    let asked: BTreeSet<String> =
        granted.iter().filter(|action| !action.starts_with(BY_KIND)).map(|action| action.to_lowercase()).collect();
    assert_eq!(made, asked);
}

/// *Azure AI Developer*, as Azure's documentation of the built-in roles has it.
fn developer() -> Permissions {
    let of = |what: &str| format!("Microsoft.MachineLearningServices/{what}");
    Permissions {
        actions: ["workspaces/*/read", "workspaces/*/action", "workspaces/*/delete", "workspaces/*/write"]
            .map(of)
            .into(),
        not_actions: ["workspaces/delete", "workspaces/write", "workspaces/hubs/write", "workspaces/hubs/delete"]
            .map(of)
            .into(),
    }
}

#[test]
fn azure_ai_developer_serves_for_connections_and_not_for_projects() {
    let role = role("foundry-operator-resources.json");
    let (of_connections, others): (Vec<_>, Vec<_>) = role.iter().partition(|action| action.contains("/connections/"));
    assert_eq!(of_connections.len(), 3);
    assert!(of_connections.iter().all(|action| developer().allow(action)));
    assert!(others.iter().any(|action| !developer().allow(action)));
}
