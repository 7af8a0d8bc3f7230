//! What the release lets the operator do is what it needs: nothing is missing, and nothing is granted in vain.

use std::collections::BTreeSet;
use std::time::Duration;

use foundry_operator::api::FoundryConnection;
use foundry_operator::api::conditions::ConditionType;
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};

use super::release::{Release, shared};
use crate::harness::{Driven as _, says};

/// Group, resource, subresource, verb.
type Right = (String, String, String, String);

/// Everything that an operator ever does in a cluster.
async fn life(release: &Release) {
    let scene = &release.scene;
    let operator = release.start();
    scene.ready_hub("contoso").await;
    scene.ready_project("churn", "contoso").await;
    scene.apply_secret(&scene.team, "aoai", &[("key", "first")]).await;
    scene.apply_keyed_connection("aoai").await;
    let connection = scene.until_ready::<FoundryConnection>(&scene.team, "aoai").await;
    // The second event of its kind is counted with the first.
    for value in ["second", "third"] {
        scene.apply_secret(&scene.team, "aoai", &[("key", value)]).await;
        let id = connection.engine().resource_id.unwrap();
        let arrived = || scene.azure.connection_credentials(&id) == Some(json!({"key": value}));
        scene.eventually("rotated", arrived).await;
        scene.until_ready::<FoundryConnection>(&scene.team, "aoai").await;
    }
    let counted = || release.requests().iter().any(|it| it.resource == "events" && it.verb == "patch");
    scene.eventually("counted", counted).await;
    scene.delete_the_usual_three().await;
    // A watch is told of when it ends.
    operator.terminate(Duration::from_secs(15)).unwrap();
}

fn granted(release: &Release) -> BTreeSet<Right> {
    let of_release = format!("app.kubernetes.io/instance={}", release.name);
    let roles = shared().kubectl(&["get", "clusterroles,roles", "-A", "-l", &of_release, "-o", "json"]).unwrap();
    let roles: Value = serde_json::from_str(&roles).unwrap();
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let mut rights = BTreeSet::new();
    for rule in roles["items"].as_array().unwrap().iter().flat_map(|role| role["rules"].as_array().unwrap()) {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                let (resource, subresource) = resource.split_once('/').unwrap_or((&resource, ""));
                for verb in texts(&rule["verbs"]) {
                    rights.insert((group.clone(), resource.to_owned(), subresource.to_owned(), verb));
                }
            }
        }
    }
    rights
}

fn used(release: &Release) -> BTreeSet<Right> {
    let allowed = release.requests().into_iter().filter(|request| request.code != 403 && !request.resource.is_empty());
    allowed.map(|it| (it.group, it.resource, it.subresource, it.verb)).collect()
}

async fn uses_all_that_it_is_granted(release: &Release) {
    life(release).await;
    let granted = granted(release);
    assert!(
        !granted.is_empty()
            && !granted.iter().any(|(group, resource, _, verb)| [group, resource, verb].iter().any(|it| *it == "*"))
    );
    let all_told = || used(release).is_superset(&granted);
    let patience = async {
        while !all_told() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(10), patience).await.is_ok();
    let used = used(release);
    assert!(in_time, "granted in vain: {:?}", granted.difference(&used).collect::<Vec<_>>());
    let beyond: Vec<_> = used.difference(&granted).collect();
    assert!(beyond.is_empty(), "granted by something else: {beyond:?}");
    let refused: Vec<_> = release.requests().into_iter().filter(|request| request.code == 403).collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

const WITH_LEASE: [&str; 2] = ["--leader-elect", "true"];

#[tokio::test]
async fn a_release_grants_exactly_what_the_operator_uses() {
    let release = Release::install(&WITH_LEASE, |_, _| json!({})).await;
    uses_all_that_it_is_granted(&release).await;
}

#[tokio::test]
async fn a_release_for_some_namespaces_grants_exactly_what_the_operator_uses_there() {
    let values = |platform: &str, team: &str| {
        json!({
            "watchNamespaces": [platform, team],
            "secrets": {"access": "namespaces", "namespaces": [team]},
        })
    };
    let release = Release::install(&WITH_LEASE, values).await;
    uses_all_that_it_is_granted(&release).await;
    let of_cluster = shared().get("clusterrole", "default", &release.name).unwrap().unwrap();
    for rule in of_cluster["rules"].as_array().unwrap() {
        assert_eq!(rule["resources"], json!(["namespaces"]), "{rule}");
        assert!(rule["resourceNames"].is_array(), "{rule}");
    }
}

#[tokio::test]
async fn a_connection_whose_secret_may_not_be_read_says_which_binding_is_missing() {
    let release = Release::install(&WITH_LEASE, |_, _| json!({"secrets": {"access": "rolebinding"}})).await;
    let scene = &release.scene;
    let _operator = release.start();
    scene.ready_hub("contoso").await;
    scene.ready_project("churn", "contoso").await;
    scene.apply_secret(&scene.team, "aoai", &[("key", "k")]).await;
    scene.apply_keyed_connection("aoai").await;
    let forbidden = |c: &FoundryConnection| says(c, ConditionType::ReferencesResolved, "False", "SecretForbidden");
    let connection = scene.until(&scene.team, "aoai", "without its Secret", forbidden).await;
    let engine = connection.engine();
    let message = &engine.conditions.iter().find(|it| it.type_ == "ReferencesResolved").unwrap().message;
    // One without a Secret does not need what is missing.
    let spec =
        json!({"projectRef": {"name": "churn"}, "category": "AIServices", "target": "https://a", "authType": "AAD"});
    scene.apply::<FoundryConnection>(&scene.team, "keyless", spec).await;
    scene.until_ready::<FoundryConnection>(&scene.team, "keyless").await;
    // What the message says is done as it stands.
    let command = message.split_once("kubectl ").unwrap().1.split_once(" (").unwrap().0;
    shared().kubectl(&command.split(' ').collect::<Vec<_>>()).unwrap();
    scene.until_ready::<FoundryConnection>(&scene.team, "aoai").await;
    // What is taken away is told when a Secret has to be read again.
    let role = format!("{}-secrets", release.name);
    shared().kubectl(&["delete", "rolebinding", "-n", &scene.team, &role]).unwrap();
    scene.change::<FoundryConnection>(&scene.team, "aoai", json!({"target": "https://b"})).await;
    let api = scene.api::<FoundryConnection>(&scene.team);
    let told = await_condition(api, "aoai", |c: Option<&FoundryConnection>| c.is_some_and(forbidden));
    tokio::time::timeout(crate::harness::PATIENCE, told).await.unwrap().unwrap();
}
