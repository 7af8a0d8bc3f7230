//! What the platform team does not allow is refused when it is applied.

use std::time::Duration;

use foundry_operator::api::FoundryConnection;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

use super::release::Release;
use crate::harness::PATIENCE;

fn spec(category: &str, target: &str) -> Value {
    json!({"projectRef": {"name": "churn"}, "category": category, "target": target, "authType": "AAD"})
}

async fn apply(api: &Api<FoundryConnection>, name: &str, spec: &Value) -> Result<(), String> {
    let object = json!({
        "apiVersion": "foundryoperator.dev/v1alpha1", "kind": "FoundryConnection", "metadata": {"name": name}, "spec": spec,
    });
    let applied = api.patch(name, &PatchParams::apply("e2e").force(), &Patch::Apply(&object)).await;
    applied.map(|_| ()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn only_allowed_categories_and_targets_may_be_applied() {
    let release = Release::install(&[], |_, team| {
        json!({
            "watchNamespaces": [team],
            "admissionPolicy": {
                "enabled": true,
                "categories": ["AzureOpenAI", "AIServices"],
                "targets": [r"^https://[a-z0-9-]+\.openai\.azure\.com/?$"],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": team}},
            },
        })
    })
    .await;
    let scene = &release.scene;
    let api = scene.api::<FoundryConnection>(&scene.team);
    let elsewhere = spec("AzureOpenAI", "https://evil.example.com");
    // A policy is in force some time after it was made.
    let in_force = async {
        for attempt in 0.. {
            if apply(&api, &format!("before-{attempt}"), &elsewhere).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(PATIENCE, in_force).await.unwrap();

    let allowed = "https://contoso.openai.azure.com";
    let refusal = apply(&api, "elsewhere", &elsewhere).await.unwrap_err();
    assert!(
        refusal.contains(r"target https://evil.example.com is not allowed in this cluster: it must match one of ^https://[a-z0-9-]+\.openai\.azure\.com/?$"),
        "{refusal}"
    );
    let refusal = apply(&api, "snowflake", &spec("Snowflake", allowed)).await.unwrap_err();
    assert!(
        refusal.contains("category Snowflake is not allowed in this cluster: use one of AzureOpenAI, AIServices"),
        "{refusal}"
    );
    apply(&api, "aoai", &spec("AzureOpenAI", allowed)).await.unwrap();
    let refusal = apply(&api, "aoai", &elsewhere).await.unwrap_err();
    assert!(refusal.contains("is not allowed"), "{refusal}");
    // Namespaces that it is not for, and what was there before it: the first of them has what it forbids.
    apply(&scene.api(&scene.platform), "elsewhere", &elsewhere).await.unwrap();
    let label = Patch::Merge(json!({"metadata": {"labels": {"seen": "yes"}}}));
    let before = api.patch("before-0", &PatchParams::default(), &label).await.unwrap();
    assert_eq!(before.spec.target, "https://evil.example.com");
}
