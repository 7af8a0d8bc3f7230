//! Rules of projects.

use serde_json::json;

use super::{Desk, Kind, at};

const PROJECT: Kind = Kind::Project;

#[tokio::test]
async fn the_least_project_gets_careful_defaults() {
    let desk = Desk::new().await;
    let expected = PROJECT.but(json!({
        "adoptionPolicy": "Fail", "deletionPolicy": "Delete", "managementPolicy": "Manage",
    }));
    assert_eq!(desk.accepts(PROJECT, PROJECT.least()).await, expected);
}

#[tokio::test]
async fn a_project_of_any_name_gets_an_azure_name_that_fits() {
    let desk = Desk::new().await;
    for name in ["a", &"a".repeat(200), "churn.v2"] {
        desk.accepts_named(PROJECT, name, PROJECT.least()).await;
    }
}

#[tokio::test]
async fn a_hub_may_be_named_with_and_without_its_namespace() {
    let desk = Desk::new().await;
    for hub in [
        json!({"name": "h"}),
        json!({"name": "h".repeat(253)}),
        json!({"name": "contoso", "namespace": "n"}),
        json!({"name": "contoso", "namespace": "n".repeat(63)}),
    ] {
        let spec = desk.accepts(PROJECT, PROJECT.but(at("hubRef", hub.clone()))).await;
        assert_eq!(spec["hubRef"], hub);
    }
}

#[tokio::test]
async fn a_project_without_a_hub_that_can_exist_is_refused() {
    let desk = Desk::new().await;
    desk.refuses(PROJECT, json!({}), "spec.hubRef", "Required value").await;
    desk.refuses(PROJECT, json!({"hubRef": {}}), "spec.hubRef.name", "Required value").await;
    for (field, limit) in [("hubRef.name", 253), ("hubRef.namespace", 63)] {
        let path = format!("spec.{field}");
        let spec = PROJECT.but(at(field, ""));
        desk.refuses(PROJECT, spec, &path, "should be at least 1 chars long").await;
        let spec = PROJECT.but(at(field, "x".repeat(limit + 1)));
        let says = format!("Too long: may not be more than {limit} bytes");
        desk.refuses(PROJECT, spec, &path, &says).await;
    }
}

/// What a project has from its hub cannot be said again, or otherwise.
#[tokio::test]
async fn what_the_hub_decides_is_refused_by_name() {
    let desk = Desk::new().await;
    for field in ["subscriptionId", "resourceGroup", "location", "storageAccount", "keyVault", "managedNetwork"] {
        let spec = PROJECT.but(at(field, "x"));
        desk.refuses_unknown(PROJECT, spec, &format!("spec.{field}")).await;
    }
}

#[tokio::test]
async fn all_but_the_fixed_fields_may_change() {
    let desk = Desk::new().await;
    let full = PROJECT.but(json!({"azureName": "churn-1", "hubRef": {"namespace": "platform"}}));
    desk.create(PROJECT, "full", full.clone()).await;
    desk.create(PROJECT, "least", PROJECT.least()).await;
    let id = super::arm_id("Microsoft.ManagedIdentity/userAssignedIdentities/id");
    for name in ["full", "least"] {
        for change in [
            json!({"friendlyName": "x", "description": "y", "tags": {"k": "v"}, "publicNetworkAccess": "Disabled"}),
            json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": [id]}}),
            json!({"adoptionPolicy": "Adopt", "deletionPolicy": "Orphan", "managementPolicy": "Pause"}),
        ] {
            desk.accepts_change(PROJECT, name, change).await;
        }
    }
    desk.accepts_change(PROJECT, "full", full).await;
}

#[tokio::test]
async fn a_fixed_field_can_neither_change_nor_come_nor_go() {
    let desk = Desk::new().await;
    let full = PROJECT.but(json!({"azureName": "churn-1", "hubRef": {"namespace": "platform"}}));
    desk.create(PROJECT, "full", full).await;
    desk.create(PROJECT, "least", PROJECT.least()).await;
    for (name, field, change) in [
        ("full", "azureName", json!({"azureName": "churn-2"})),
        ("full", "azureName", json!({"azureName": null})),
        ("least", "azureName", json!({"azureName": "churn-1"})),
        ("full", "hubRef", at("hubRef.name", "other")),
        ("full", "hubRef", at("hubRef.namespace", "other")),
        ("full", "hubRef", json!({"hubRef": {"namespace": null}})),
        ("least", "hubRef", at("hubRef.namespace", "platform")),
    ] {
        let says = format!(
            "{field} is fixed: to change it, delete this object (with deletionPolicy: Orphan, if Azure is to keep what is there) and create another one"
        );
        desk.refuses_change(PROJECT, name, change, &[("spec", &says)]).await;
    }
}
