//! Rules of connections, except those of their credentials.

use serde_json::{Map, Value, json};

use super::{Desk, Kind, at};
use crate::harness::from_secret;

const CONNECTION: Kind = Kind::Connection;
const ONE_PARENT: &str = "set exactly one of projectRef (for one project) and hubRef (shared by the hub's projects)";

#[tokio::test]
async fn the_least_connection_gets_careful_defaults() {
    let desk = Desk::new().await;
    let expected = CONNECTION.but(json!({
        "adoptionPolicy": "Fail", "deletionPolicy": "Delete", "managementPolicy": "Manage",
    }));
    assert_eq!(desk.accepts(CONNECTION, CONNECTION.least()).await, expected);
}

#[tokio::test]
async fn a_connection_without_a_required_field_is_refused() {
    let desk = Desk::new().await;
    for field in ["category", "target", "authType"] {
        let spec = CONNECTION.but(json!({field: null}));
        desk.refuses(CONNECTION, spec, &format!("spec.{field}"), "Required value").await;
    }
    for parent in [json!({"projectRef": {}}), json!({"hubRef": {}})] {
        let field = if parent.get("hubRef").is_some() { "hubRef" } else { "projectRef" };
        let mut spec = CONNECTION.but(json!({"projectRef": null}));
        spec[field] = json!({});
        desk.refuses(CONNECTION, spec, &format!("spec.{field}.name"), "Required value").await;
    }
}

#[tokio::test]
async fn a_connection_of_a_project_or_of_a_hub_passes() {
    let desk = Desk::new().await;
    for parent in ["projectRef", "hubRef"] {
        for name in ["p", &"p".repeat(253)] {
            let spec = CONNECTION.but(json!({"projectRef": null}));
            let spec = super::with(spec, json!({parent: {"name": name}}));
            desk.accepts(CONNECTION, spec).await;
        }
    }
}

#[tokio::test]
async fn a_connection_of_both_or_neither_is_refused() {
    let desk = Desk::new().await;
    for parents in [json!({"projectRef": null}), json!({"hubRef": {"name": "contoso"}})] {
        desk.refuses(CONNECTION, CONNECTION.but(parents), "spec", ONE_PARENT).await;
    }
}

/// A connection shares the fate and the namespace of what it belongs to.
#[tokio::test]
async fn a_parent_that_cannot_exist_in_the_namespace_is_refused() {
    let desk = Desk::new().await;
    for parent in ["projectRef", "hubRef"] {
        let field = format!("{parent}.name");
        let without = CONNECTION.but(json!({"projectRef": null}));
        for (name, says) in [
            (String::new(), "should be at least 1 chars long"),
            ("p".repeat(254), "Too long: may not be more than 253 bytes"),
        ] {
            let spec = super::with(without.clone(), at(&field, name));
            desk.refuses(CONNECTION, spec, &format!("spec.{field}"), says).await;
        }
        let elsewhere = json!({parent: {"name": "churn", "namespace": "other"}});
        let spec = super::with(without, elsewhere);
        desk.refuses_unknown(CONNECTION, spec, &format!("spec.{parent}.namespace")).await;
    }
}

#[tokio::test]
async fn all_but_the_fixed_fields_may_change() {
    let desk = Desk::new().await;
    let full = CONNECTION.but(json!({"azureName": "aoai"}));
    desk.create(CONNECTION, "full", full.clone()).await;
    desk.create(CONNECTION, "least", CONNECTION.least()).await;
    for name in ["full", "least"] {
        for change in [
            json!({"category": "AzureOpenAI", "target": "https://b", "isSharedToAll": true, "metadata": {"k": "v"}}),
            json!({"authType": "ApiKey", "credentials": {"key": from_secret("aoai", "key")}}),
            json!({"adoptionPolicy": "Adopt", "deletionPolicy": "Orphan", "managementPolicy": "Observe"}),
        ] {
            desk.accepts_change(CONNECTION, name, change).await;
        }
    }
    desk.accepts_change(CONNECTION, "full", full).await;
}

#[tokio::test]
async fn a_fixed_field_can_neither_change_nor_come_nor_go() {
    let desk = Desk::new().await;
    desk.create(CONNECTION, "least", CONNECTION.least()).await;
    desk.create(CONNECTION, "full", CONNECTION.but(json!({"azureName": "aoai"}))).await;
    let of_hub = CONNECTION.but(json!({"projectRef": null, "hubRef": {"name": "contoso"}}));
    desk.create(CONNECTION, "shared", of_hub).await;
    let says = |field: &str| {
        format!(
            "{field} is fixed: to change it, delete this object (with deletionPolicy: Orphan, if Azure is to keep what is there) and create another one"
        )
    };
    for (name, field, change) in [
        ("full", "azureName", json!({"azureName": "aoai-2"})),
        ("full", "azureName", json!({"azureName": null})),
        ("least", "azureName", json!({"azureName": "aoai"})),
        ("least", "projectRef", at("projectRef.name", "other")),
        ("shared", "hubRef", at("hubRef.name", "other")),
    ] {
        desk.refuses_change(CONNECTION, name, change, &[("spec", &says(field))]).await;
    }
    let (project, hub) = (says("projectRef"), says("hubRef"));
    for (name, change) in [
        ("least", json!({"projectRef": null, "hubRef": {"name": "contoso"}})),
        ("shared", json!({"projectRef": {"name": "churn"}, "hubRef": null})),
    ] {
        desk.refuses_change(CONNECTION, name, change, &[("spec", &project), ("spec", &hub)]).await;
    }
    let both = json!({"hubRef": {"name": "contoso"}});
    desk.refuses_change(CONNECTION, "least", both, &[("spec", &hub), ("spec", ONE_PARENT)]).await;
}

#[tokio::test]
async fn every_category_of_azures_and_any_target_pass() {
    let desk = Desk::new().await;
    for category in ["AzureOpenAI", "azureopenai", "S3", "Remote_A2A", "_", &"C".repeat(64)] {
        let spec = desk.accepts(CONNECTION, CONNECTION.but(at("category", category))).await;
        assert_eq!(spec["category"], category);
    }
    for target in ["_", "https://contoso.openai.azure.com/", &"t".repeat(2048)] {
        desk.accepts(CONNECTION, CONNECTION.but(at("target", target))).await;
    }
}

#[tokio::test]
async fn what_is_no_category_or_target_is_refused() {
    let desk = Desk::new().await;
    let says = "category must be one of Azure's connection categories, such as AzureOpenAI: letters, digits and '_'";
    for category in ["Azure OpenAI", "Azure-OpenAI", "Azure.OpenAI", "Azür", "a\n"] {
        let spec = CONNECTION.but(at("category", category));
        desk.refuses(CONNECTION, spec, "spec.category", says).await;
    }
    // An empty category breaks the pattern as well, so that it is told off twice.
    let status = desk.post(CONNECTION, "churn", CONNECTION.but(at("category", "")), true).await.unwrap_err();
    let why = [("spec.category", "should be at least 1 chars long"), ("spec.category", says)];
    super::refusal(&status, &why, &json!("no category"));
    let spec = CONNECTION.but(at("target", ""));
    desk.refuses(CONNECTION, spec, "spec.target", "should be at least 1 chars long").await;
    for (field, limit) in [("category", 64), ("target", 2048)] {
        let spec = CONNECTION.but(at(field, "x".repeat(limit + 1)));
        let says = format!("Too long: may not be more than {limit} bytes");
        desk.refuses(CONNECTION, spec, &format!("spec.{field}"), &says).await;
    }
}

fn metadata(count: usize) -> Value {
    let metadata: Map<String, Value> = (0..count).map(|n| (format!("Key{n}"), json!("x"))).collect();
    Value::Object(metadata)
}

#[tokio::test]
async fn metadata_of_azures_pass() {
    let desk = Desk::new().await;
    for metadata in [
        json!({}),
        json!({"ApiType": "Azure", "ApiVersion": "2024-10-21", "ResourceId": "/subscriptions/x", "empty": ""}),
        json!({"k": "v".repeat(2048), "foundryoperator.dev": "v"}),
        metadata(40),
    ] {
        let spec = desk.accepts(CONNECTION, CONNECTION.but(at("metadata", metadata.clone()))).await;
        assert_eq!(spec["metadata"], metadata);
    }
    for shared in [true, false] {
        desk.accepts(CONNECTION, CONNECTION.but(at("isSharedToAll", shared))).await;
    }
}

#[tokio::test]
async fn the_owner_mark_and_too_much_metadata_are_refused() {
    let desk = Desk::new().await;
    for (metadata, field, says) in [
        (
            json!({"foundryoperator.dev.owner": "me"}),
            "spec.metadata",
            "metadata.foundryoperator.dev.owner is the operator's own: take it out",
        ),
        (metadata(41), "spec.metadata", "must have at most 40 items"),
        (json!({"k": "v".repeat(2049)}), "spec.metadata.k", "Too long: may not be more than 2048 bytes"),
        (json!({"k": 1}), "spec.metadata.k", "must be of type string"),
    ] {
        let spec = CONNECTION.but(at("metadata", metadata));
        desk.refuses(CONNECTION, spec, field, says).await;
    }
}
