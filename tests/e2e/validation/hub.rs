//! Rules of hubs.

use serde_json::{Value, json};

use super::{Desk, Kind, arm_id, at, quoted};

const HUB: Kind = Kind::Hub;
const SUBSCRIPTION: &str = "00000000-0000-4000-8000-00000000000a";

/// Field, resource type, and what the message calls it.
const ARM_IDS: &[(&str, &str, &str)] = &[
    ("storageAccount", "Microsoft.Storage/storageAccounts", "a storage account"),
    ("keyVault", "Microsoft.KeyVault/vaults", "a key vault"),
    ("containerRegistry", "Microsoft.ContainerRegistry/registries", "a container registry"),
    ("applicationInsights", "Microsoft.Insights/components", "an Application Insights component"),
];

#[tokio::test]
async fn the_least_hub_gets_careful_defaults() {
    let desk = Desk::new().await;
    let mut expected = HUB.but(json!({
        "allowedProjects": {"namespaces": {"from": "Same"}, "adoption": "Forbidden"},
        "adoptionPolicy": "Fail", "deletionPolicy": "Delete", "managementPolicy": "Manage",
    }));
    assert_eq!(desk.accepts(HUB, HUB.least()).await, expected);
    let partly = HUB.but(json!({"allowedProjects": {"namespaces": {}}}));
    assert_eq!(desk.accepts(HUB, partly).await, expected);

    let consent = json!({"allowedProjects": {"adoption": "Allowed"}});
    expected["allowedProjects"]["adoption"] = json!("Allowed");
    assert_eq!(desk.accepts(HUB, HUB.but(consent)).await, expected);
}

#[tokio::test]
async fn a_hub_without_a_required_field_is_refused() {
    let desk = Desk::new().await;
    for field in ["resourceGroup", "location", "storageAccount", "keyVault"] {
        let spec = HUB.but(json!({field: null}));
        desk.refuses(HUB, spec, &format!("spec.{field}"), "Required value").await;
    }
    for (field, ..) in ARM_IDS {
        let mut spec = HUB.least();
        spec[field] = json!({});
        let field = format!("spec.{field}.resourceId");
        desk.refuses(HUB, spec, &field, "Required value").await;
    }
    let spec = HUB.but(json!({"managedNetwork": {}}));
    desk.refuses(HUB, spec, "spec.managedNetwork.isolationMode", "Required value").await;
}

/// Values of a field that pass, values that do not, and what is said of those.
struct Text {
    field: &'static str,
    good: Vec<String>,
    bad: Vec<String>,
    says: &'static str,
}

fn texts() -> [Text; 3] {
    let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
    let [mut subscription, mut group, mut location] = [
        Text {
            field: "subscriptionId",
            good: owned(&[SUBSCRIPTION, "ABCDEFab-1234-5678-9ABC-DEF012345678"]),
            bad: owned(&["", "my-subscription", "{00000000-0000-4000-8000-00000000000a}"]),
            says: "subscriptionId must be a GUID, such as 00000000-0000-0000-0000-000000000000",
        },
        Text {
            field: "resourceGroup",
            good: owned(&["r", "rg-AI_1.(test)", "-", ".x"]),
            bad: owned(&["", "rg.", "..", "rg ai", "rg/ai", "rg?", "rg\n"]),
            says: "resourceGroup must be the name of a resource group: 1 to 90 letters, digits, '-', '_', '.', '(' or ')', \
                not ending with '.'",
        },
        Text {
            field: "location",
            good: owned(&["westeurope", "eastus2", "uk"]),
            bad: owned(&["", "x", "West Europe", "westEurope", "west-europe", "westeurope/x"]),
            says: "location must be the short name of an Azure region in lower case, such as westeurope",
        },
    ];
    subscription.bad.push(SUBSCRIPTION.replace('-', ""));
    subscription.bad.push(format!("{SUBSCRIPTION}0"));
    subscription.bad.push(format!("/subscriptions/{SUBSCRIPTION}"));
    subscription.bad.push(SUBSCRIPTION.replace('a', "g"));
    group.good.push("g".repeat(90));
    group.bad.push("g".repeat(91));
    location.good.push("l".repeat(40));
    location.bad.push("l".repeat(41));
    [subscription, group, location]
}

#[tokio::test]
async fn subscriptions_resource_groups_and_locations_pass() {
    let desk = Desk::new().await;
    for Text { field, good, .. } in texts() {
        for value in good {
            desk.accepts(HUB, HUB.but(at(field, value))).await;
        }
    }
}

#[tokio::test]
async fn what_is_no_subscription_resource_group_or_location_is_refused() {
    let desk = Desk::new().await;
    for Text { field, bad, says, .. } in texts() {
        let path = format!("spec.{field}");
        for value in bad.into_iter().chain(["x".repeat(253)]) {
            desk.refuses(HUB, HUB.but(at(field, value)), &path, says).await;
        }
        let spec = HUB.but(at(field, "x".repeat(254)));
        desk.refuses(HUB, spec, &path, "Too long: may not be more than 253 bytes").await;
    }
}

#[tokio::test]
async fn arm_ids_pass_in_any_letter_case() {
    let desk = Desk::new().await;
    for (field, type_, _) in ARM_IDS {
        let id = arm_id(&format!("{type_}/contoso-1.x(y)"));
        let longest = arm_id(&format!("{type_}/{}", "n".repeat(260)));
        for id in [id.to_lowercase(), id.to_uppercase(), longest, id] {
            let spec = HUB.but(at(&format!("{field}.resourceId"), id.clone()));
            let kept = desk.accepts(HUB, spec).await;
            assert_eq!(kept[field]["resourceId"], id);
        }
    }
}

#[tokio::test]
async fn what_is_no_arm_id_of_the_right_type_is_refused_with_the_form_of_one() {
    let desk = Desk::new().await;
    for (field, type_, what) in ARM_IDS {
        let good = arm_id(&format!("{type_}/contoso"));
        let mut bad = vec![
            String::new(),
            "contoso".to_owned(),
            good[1..].to_owned(),
            format!("{good}/"),
            format!("{good}/blobServices/default"),
            format!("{good}?x=1"),
            format!("{good}\n"),
            format!("https://management.azure.com{good}"),
            arm_id(&format!("{type_}/")),
            arm_id(&format!("{type_}/..")),
            arm_id(&format!("{type_}/{}", "n".repeat(261))),
            good.replace("00000000-", "0-"),
            good.replace("/rg-ai/", "/../"),
            good.replace("/rg-ai/", &format!("/{}/", "g".repeat(91))),
            good.replace("Microsoft.", "MicrosoftX"),
            good.replace("/resourceGroups/rg-ai", ""),
        ];
        let others = ARM_IDS.iter().filter(|(other, ..)| other != field);
        bad.extend(others.map(|(_, other, _)| arm_id(&format!("{other}/contoso"))));
        let says = format!(
            "must be the ARM id of {what}: /subscriptions/<guid>/resourceGroups/<name>/providers/{type_}/<name>"
        );
        for id in bad {
            let spec = HUB.but(at(&format!("{field}.resourceId"), id));
            desk.refuses(HUB, spec, &format!("spec.{field}"), &says).await;
        }
        let spec = HUB.but(at(&format!("{field}.resourceId"), "x".repeat(513)));
        let path = format!("spec.{field}.resourceId");
        desk.refuses(HUB, spec, &path, "Too long: may not be more than 512 bytes").await;
    }
}

/// Field and another value; the first two may be left out.
const FIXED: &[(&str, &str)] = &[
    ("azureName", "hub-other"),
    ("subscriptionId", "00000000-0000-4000-8000-00000000000b"),
    ("resourceGroup", "rg-other"),
    ("location", "eastus"),
];

fn fixed(field: &str) -> String {
    format!(
        "{field} is fixed: to change it, delete this object (with deletionPolicy: Orphan, if Azure is to keep what is there) and create another one"
    )
}

#[tokio::test]
async fn all_but_the_fixed_fields_may_change() {
    let desk = Desk::new().await;
    let full = HUB.but(json!({
        "azureName": "hub-contoso", "subscriptionId": SUBSCRIPTION,
        "containerRegistry": {"resourceId": arm_id("Microsoft.ContainerRegistry/registries/cr")},
    }));
    desk.create(HUB, "full", full.clone()).await;
    desk.create(HUB, "least", HUB.least()).await;
    for name in ["full", "least"] {
        for change in [
            json!({"friendlyName": "x", "description": "y", "tags": {"k": "v"}, "publicNetworkAccess": "Disabled"}),
            json!({"containerRegistry": null}),
            json!({"applicationInsights": {"resourceId": arm_id("Microsoft.Insights/components/appi")}}),
            json!({"allowedProjects": {"namespaces": {"from": "All"}}, "deletionPolicy": "Orphan"}),
        ] {
            desk.accepts_change(HUB, name, change).await;
        }
    }
    desk.accepts_change(HUB, "full", full).await;
}

#[tokio::test]
async fn a_fixed_field_can_neither_change_nor_come_nor_go() {
    let desk = Desk::new().await;
    let full = HUB.but(json!({"azureName": "hub-contoso", "subscriptionId": SUBSCRIPTION}));
    desk.create(HUB, "full", full).await;
    desk.create(HUB, "least", HUB.least()).await;
    for (field, other) in FIXED {
        desk.refuses_change(HUB, "full", at(field, *other), &[("spec", &fixed(field))]).await;
    }
    for (field, other) in &FIXED[..2] {
        desk.refuses_change(HUB, "full", at(field, Value::Null), &[("spec", &fixed(field))]).await;
        desk.refuses_change(HUB, "least", at(field, *other), &[("spec", &fixed(field))]).await;
    }
    let both = json!({"location": "eastus", "resourceGroup": "rg-other"});
    let (location, group) = (fixed("location"), fixed("resourceGroup"));
    desk.refuses_change(HUB, "full", both, &[("spec", &location), ("spec", &group)]).await;
}

fn other_storage_and_vault() -> [(&'static str, Value); 2] {
    [("storageAccount", "Microsoft.Storage/storageAccounts/other"), ("keyVault", "Microsoft.KeyVault/vaults/other")]
        .map(|(field, id)| (field, json!({field: {"resourceId": arm_id(id)}})))
}

#[tokio::test]
async fn a_wrong_storage_account_or_key_vault_can_be_mended_until_the_hub_exists() {
    let desk = Desk::new().await;
    desk.create(HUB, "contoso", HUB.least()).await;
    for (_, change) in other_storage_and_vault() {
        desk.accepts_change(HUB, "contoso", change).await;
    }
    desk.made_in_azure(HUB, "contoso").await;
    desk.accepts_change(HUB, "contoso", HUB.but(json!({"description": "x"}))).await;
}

#[tokio::test]
async fn storage_account_and_key_vault_are_fixed_once_the_hub_exists() {
    let desk = Desk::new().await;
    desk.create(HUB, "contoso", HUB.least()).await;
    desk.made_in_azure(HUB, "contoso").await;
    for (field, change) in other_storage_and_vault() {
        let says = format!(
            "{field} is fixed once the resource exists in Azure: to change it, delete this object, and with it what is there, and create another one"
        );
        desk.refuses_change(HUB, "contoso", change, &[("<nil>", &says)]).await;
    }
}

const MODES: &[&str] = &["Disabled", "AllowInternetOutbound", "AllowOnlyApprovedOutbound"];
const FIREWALLS: &[&str] = &["Standard", "Basic"];

#[tokio::test]
async fn managed_networks_pass_and_may_be_switched_on() {
    let desk = Desk::new().await;
    for mode in MODES {
        desk.accepts(HUB, HUB.but(at("managedNetwork.isolationMode", *mode))).await;
    }
    for sku in FIREWALLS {
        let network = json!({"isolationMode": "AllowOnlyApprovedOutbound", "firewallSku": sku});
        desk.accepts(HUB, HUB.but(at("managedNetwork", network))).await;
    }
    desk.create(HUB, "none", HUB.least()).await;
    desk.create(HUB, "off", HUB.but(at("managedNetwork.isolationMode", "Disabled"))).await;
    for name in ["none", "off"] {
        for mode in MODES {
            desk.accepts_change(HUB, name, at("managedNetwork.isolationMode", *mode)).await;
        }
        desk.accepts_change(HUB, name, json!({"managedNetwork": null})).await;
    }
    desk.create(HUB, "internet", HUB.but(at("managedNetwork.isolationMode", MODES[1]))).await;
    desk.accepts_change(HUB, "internet", at("managedNetwork.isolationMode", MODES[2])).await;
}

#[tokio::test]
async fn a_managed_network_is_not_switched_off_again() {
    let desk = Desk::new().await;
    let says = "Azure does not switch a managed network off again: keep managedNetwork and an isolationMode other than \
        Disabled, or make another hub";
    for (name, mode) in [("internet", MODES[1]), ("approved", MODES[2])] {
        desk.create(HUB, name, HUB.but(at("managedNetwork.isolationMode", mode))).await;
        for off in [at("managedNetwork.isolationMode", "Disabled"), json!({"managedNetwork": null})] {
            desk.refuses_change(HUB, name, off, &[("spec", says)]).await;
        }
    }
}

#[tokio::test]
async fn a_firewall_without_approved_outbound_and_unknown_modes_are_refused() {
    let desk = Desk::new().await;
    let says = "firewallSku goes with isolationMode AllowOnlyApprovedOutbound only: take it out or change the mode";
    for (mode, sku) in [(MODES[0], FIREWALLS[0]), (MODES[1], FIREWALLS[1])] {
        let spec = HUB.but(json!({"managedNetwork": {"isolationMode": mode, "firewallSku": sku}}));
        desk.refuses(HUB, spec, "spec.managedNetwork", says).await;
    }
    let spec = HUB.but(at("managedNetwork.isolationMode", "Nonsense"));
    let says = format!("supported values: {}", quoted(MODES));
    desk.refuses(HUB, spec, "spec.managedNetwork.isolationMode", &says).await;
    let spec = HUB.but(json!({"managedNetwork": {"isolationMode": MODES[2], "firewallSku": "Premium"}}));
    let says = format!("supported values: {}", quoted(FIREWALLS));
    desk.refuses(HUB, spec, "spec.managedNetwork.firewallSku", &says).await;
}
