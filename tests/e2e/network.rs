//! A hub's managed network: its rules, and that it is set up.

use arm_emulator::{Outcome, PlannedFailure};
use foundry_operator::api::FoundryHub;
use foundry_operator::api::conditions::ConditionType;
use foundry_operator::api::network::OutboundRuleStatus;
use serde_json::{Value, json};

use crate::harness::{Driven as _, SUBSCRIPTION, Scene, Setting, hub_spec, says};

fn fqdn(name: &str, host: &str) -> Value {
    json!({"name": name, "type": "FQDN", "fqdn": host})
}

fn approved(rules: &[Value]) -> Value {
    json!({"isolationMode": "AllowOnlyApprovedOutbound", "outboundRules": rules})
}

async fn apply(scene: &Scene, network: Value) -> FoundryHub {
    let mut spec = hub_spec(&scene.unique("contoso"));
    spec["managedNetwork"] = network;
    scene.apply(&scene.platform, "contoso", spec).await
}

async fn ready(scene: &Scene, network: Value) -> FoundryHub {
    apply(scene, network).await;
    scene.until_ready(&scene.platform, "contoso").await
}

fn rules(hub: &FoundryHub) -> Vec<OutboundRuleStatus> {
    hub.status.clone().unwrap().managed_network.unwrap_or_default().outbound_rules
}

/// Names of the rules that users made, as the hub's status tells them.
fn told(hub: &FoundryHub) -> Vec<String> {
    let of_users = rules(hub).into_iter().filter(|rule| rule.category.as_deref() == Some("UserDefined"));
    of_users.map(|rule| rule.name).collect()
}

/// The rule as Azure has it.
fn in_azure(scene: &Scene, name: &str) -> Option<Value> {
    scene.azure.resource(&format!("{}/outboundRules/{name}", scene.workspace_id("contoso")))
}

#[tokio::test]
async fn rules_of_each_type_are_made_and_told_with_those_that_azure_requires() {
    let scene = Scene::new().await;
    let registry = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-ai/providers/Microsoft.ContainerRegistry/registries/contoso"
    );
    let hub = ready(
        &scene,
        approved(&[
            fqdn("pypi", "*.pypi.org"),
            json!({"name": "registry", "type": "PrivateEndpoint",
                "privateEndpoint": {"serviceResourceId": registry, "subresourceTarget": "registry", "sparkEnabled": false}}),
            json!({"name": "monitor", "type": "ServiceTag",
                "serviceTag": {"tag": "AzureMonitor", "protocol": "TCP", "portRanges": "443"}}),
        ]),
    )
    .await;
    assert_eq!(told(&hub), ["monitor", "pypi", "registry"]);
    assert!(rules(&hub).iter().all(|rule| rule.status.as_deref() == Some("Inactive")), "{:?}", rules(&hub));
    assert!(rules(&hub).iter().any(|rule| rule.category.as_deref() == Some("Required")), "{:?}", rules(&hub));
    assert_eq!(in_azure(&scene, "pypi").unwrap()["properties"]["destination"], "*.pypi.org");
    let destination = in_azure(&scene, "registry").unwrap()["properties"]["destination"].clone();
    assert_eq!(destination["serviceResourceId"], registry);
    let destination = in_azure(&scene, "monitor").unwrap()["properties"]["destination"].clone();
    assert_eq!((&destination["serviceTag"], &destination["portRanges"]), (&json!("AzureMonitor"), &json!("443")));
}

#[tokio::test]
async fn a_rule_that_leaves_the_spec_is_removed_and_nobody_elses_is() {
    let scene = Scene::new().await;
    ready(&scene, approved(&[fqdn("pypi", "pypi.org"), fqdn("conda", "conda.io")])).await;
    let theirs = format!("{}/outboundRules/theirs", scene.workspace_id("contoso"));
    let rule = json!({"properties": {"type": "FQDN", "category": "UserDefined", "destination": "theirs.org"}});
    scene.azure.put_resource(&theirs, &rule).unwrap();
    apply(&scene, approved(&[fqdn("conda", "conda.io")])).await;
    let hub = scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    assert_eq!(told(&hub), ["conda", "theirs"]);
    assert_eq!(in_azure(&scene, "pypi"), None);
    let deletions = scene.calls("DELETE", "/outboundRules/");
    assert_eq!(deletions.len(), 1, "{deletions:#?}");
}

#[tokio::test]
async fn a_rule_that_was_changed_or_removed_in_azure_is_put_right() {
    let scene = Scene::with(Setting { flags: vec!["--resync", "1s"], ..Setting::default() }).await;
    ready(&scene, approved(&[fqdn("pypi", "pypi.org"), fqdn("conda", "conda.io")])).await;
    let id = |name: &str| format!("{}/outboundRules/{name}", scene.workspace_id("contoso"));
    scene.azure.patch_resource(&id("pypi"), &json!({"properties": {"destination": "evil.org"}})).unwrap();
    scene.azure.remove_resource(&id("conda")).unwrap();
    let destination = |name: &str| in_azure(&scene, name).map(|rule| rule["properties"]["destination"].clone());
    scene
        .eventually("put right", || {
            destination("pypi") == Some(json!("pypi.org")) && destination("conda") == Some(json!("conda.io"))
        })
        .await;
    let events = scene.events(&scene.platform, "contoso").await;
    let tells = |reason: &str, rule: &str| {
        let rule = format!("outbound rule {rule} ");
        events.iter().any(|event| event.starts_with(reason) && event.contains(&rule))
    };
    assert!(tells("DriftCorrected:", "pypi") && tells("Recreating:", "conda"), "{events:#?}");
}

#[tokio::test]
async fn a_rule_that_azure_refuses_is_named_and_holds_up_no_other() {
    let scene = Scene::new().await;
    scene.azure.fail_next(PlannedFailure {
        method: "PUT".into(),
        path: "/outboundRules/bad".into(),
        outcome: Outcome::Failed,
        status: Some(400),
        code: "ValidationError".into(),
        message: "no such place".into(),
    });
    apply(&scene, approved(&[fqdn("bad", "bad.org"), fqdn("good", "good.org")])).await;
    let stalled = |hub: &FoundryHub| {
        says(hub, ConditionType::Stalled, "True", "Refused") && told(hub).contains(&"good".to_owned())
    };
    let hub = scene.until(&scene.platform, "contoso", "stalled with the good rule made", stalled).await;
    let message = &hub.engine().conditions[0].message;
    for part in ["outbound rule bad of workspace contoso", "no such place"] {
        assert!(message.contains(part), "{message}");
    }
    apply(&scene, approved(&[fqdn("bad", "better.org"), fqdn("good", "good.org")])).await;
    let hub: FoundryHub = scene.until_ready(&scene.platform, "contoso").await;
    assert_eq!(told(&hub), ["bad", "good"]);
}

#[tokio::test]
async fn a_network_is_set_up_when_the_spec_asks_for_it() {
    let scene = Scene::new().await;
    ready(&scene, approved(&[fqdn("pypi", "pypi.org")])).await;
    assert_eq!(scene.calls("POST", "/provisionManagedNetwork").len(), 0);
    let mut network = approved(&[fqdn("pypi", "pypi.org"), fqdn("conda", "conda.io")]);
    network["provisionNow"] = json!(true);
    let hub = ready(&scene, network).await;
    let status = hub.status.clone().unwrap().managed_network.unwrap();
    assert_eq!(status.status.as_deref(), Some("Active"));
    assert!(rules(&hub).iter().all(|rule| rule.status.as_deref() == Some("Active")), "{:?}", rules(&hub));
    let order: Vec<String> = scene.writes().into_iter().map(|call| format!("{} {}", call.method, call.path)).collect();
    assert!(order.last().unwrap().contains("provisionManagedNetwork"), "{order:#?}");
    assert_eq!(scene.calls("POST", "/provisionManagedNetwork").len(), 1);
    let events = scene.events(&scene.platform, "contoso").await;
    assert!(events.iter().any(|event| event.starts_with("Provisioned:")), "{events:#?}");
}

#[tokio::test]
async fn another_firewall_keeps_the_rules() {
    let scene = Scene::new().await;
    ready(&scene, approved(&[fqdn("pypi", "pypi.org")])).await;
    let mut network = approved(&[fqdn("pypi", "pypi.org")]);
    network["firewallSku"] = json!("Basic");
    let hub = ready(&scene, network).await;
    assert_eq!(told(&hub), ["pypi"]);
    let workspace = scene.azure.resource(&scene.workspace_id("contoso")).unwrap();
    assert_eq!(workspace["properties"]["managedNetwork"]["firewallSku"], "Basic");
    assert_eq!(scene.calls("PUT", "/outboundRules/").len(), 1, "the rule was never away");
}

#[tokio::test]
async fn projects_do_not_wait_for_the_hubs_rules() {
    let scene = Scene::new().await;
    let rules: Vec<Value> = (0..8).map(|n| fqdn(&format!("rule-{n}"), &format!("host-{n}.org"))).collect();
    apply(&scene, approved(&rules)).await;
    scene.ready_project("churn", "contoso").await;
    let hub: FoundryHub = scene.until_ready(&scene.platform, "contoso").await;
    assert_eq!(told(&hub).len(), 8);
}

#[tokio::test]
async fn a_hub_goes_with_its_rules_by_one_deletion() {
    let scene = Scene::new().await;
    ready(&scene, approved(&[fqdn("pypi", "pypi.org"), fqdn("conda", "conda.io")])).await;
    scene.delete::<FoundryHub>(&scene.platform, "contoso").await;
    scene.until_gone::<FoundryHub>(&scene.platform, "contoso").await;
    let deletions = scene.calls("DELETE", "");
    assert_eq!(deletions.len(), 1, "{deletions:#?}");
    assert!(!deletions[0].path.contains("outboundRules"), "{deletions:#?}");
    assert_eq!(scene.azure.resources(), Vec::<Value>::new());
}

#[tokio::test]
async fn an_idle_network_costs_two_reads_and_no_write() {
    let scene = Scene::with(Setting { flags: vec!["--resync", "1s"], ..Setting::default() }).await;
    ready(&scene, approved(&[fqdn("pypi", "pypi.org"), fqdn("conda", "conda.io")])).await;
    scene.azure.clear_journal();
    scene.eventually("read again three times", || scene.calls("GET", "/outboundRules").len() >= 3).await;
    let (lists, all) = (scene.calls("GET", "/outboundRules").len(), scene.calls("GET", "").len());
    assert!(all <= 2 * lists + 1, "{lists} lists among {all} reads");
    assert_eq!(scene.writes().len(), 0, "{:#?}", scene.writes());
}
