//! Rules that more than one kind has.

use serde_json::{Map, Value, json};

use super::{Desk, Kind, arm_id, at, quoted};

const AZURE_NAME: &str = "azureName must have 3 to 33 letters, digits, '-' or '_', and begin with a letter or digit";
const TAG_NAME: &str = "give tags names of 1 to 512 characters without < > % & \\ ? /, and take out foundryoperator.dev.owner \
    and names that begin with __SYSTEM__, which are not yours to set";
const IDENTITY: &str = "list at least one identity in userAssignedIdentities where type names UserAssigned, \
    and none where type is SystemAssigned";
const IDENTITY_ID: &str = "must be the ARM id of a user-assigned identity: /subscriptions/<guid>/resourceGroups/<name>\
    /providers/Microsoft.ManagedIdentity/userAssignedIdentities/<name>";

#[tokio::test]
async fn azure_names_of_3_to_33_characters_pass() {
    let desk = Desk::new().await;
    for kind in Kind::ALL {
        for name in ["abc", &"a".repeat(33), "9lives", "Hub_Contoso-1", "a--", "A__"] {
            let spec = desk.accepts(kind, kind.but(at("azureName", name))).await;
            assert_eq!(spec["azureName"], name);
        }
    }
}

#[tokio::test]
async fn azure_names_that_azure_does_not_take_are_refused() {
    let desk = Desk::new().await;
    let (long, longest) = ("a".repeat(34), "a".repeat(253));
    for kind in Kind::ALL {
        for name in ["", "ab", &long, &longest, "-hub", "_hub", "a hub", "hub.contoso", "hüb", "../hub", "hub\n"] {
            let spec = kind.but(at("azureName", name));
            desk.refuses(kind, spec, "spec.azureName", AZURE_NAME).await;
        }
        let spec = kind.but(at("azureName", "a".repeat(254)));
        desk.refuses(kind, spec, "spec.azureName", "Too long: may not be more than 253 bytes").await;
    }
}

#[tokio::test]
async fn a_metadata_name_that_serves_as_azure_name_needs_no_azure_name() {
    let desk = Desk::new().await;
    for kind in [Kind::Hub, Kind::Connection] {
        for name in ["abc", &"a".repeat(33), "9-lives"] {
            desk.accepts_named(kind, name, kind.least()).await;
        }
        for unfit in ["ab", &"a".repeat(34), "hub.contoso"] {
            desk.accepts_named(kind, unfit, kind.but(at("azureName", "contoso"))).await;
        }
    }
}

#[tokio::test]
async fn a_metadata_name_that_azure_does_not_take_needs_an_azure_name() {
    let desk = Desk::new().await;
    let says = "metadata.name cannot serve as the Azure name (3 to 33 letters, digits, '-' or '_', \
        beginning with a letter or digit): set spec.azureName";
    for kind in [Kind::Hub, Kind::Connection] {
        for name in ["ab", &"a".repeat(34), "hub.contoso"] {
            desk.refuses_named(kind, name, kind.least(), "<nil>", says).await;
        }
    }
}

#[tokio::test]
async fn tags_as_azure_takes_them_pass() {
    let desk = Desk::new().await;
    let most: Map<String, Value> = (0..40).map(|n| (format!("tag-{n}"), json!("x"))).collect();
    for kind in Kind::WORKSPACES {
        for tags in [
            json!({}),
            json!({"cost-center": "4711", "Ünï code": "", "a.b_c:d+e=f@g#h*(i)": "v"}),
            json!({"k".repeat(512): "v", "k": "v".repeat(256)}),
            json!({"x__SYSTEM__": "v", "foundryoperator.dev": "v", "foundryoperator.dev.owner.s": "v"}),
            Value::Object(most.clone()),
        ] {
            let spec = desk.accepts(kind, kind.but(at("tags", tags.clone()))).await;
            assert_eq!(spec["tags"], tags);
        }
    }
}

#[tokio::test]
async fn tags_that_azure_does_not_take_or_that_are_not_the_users_are_refused() {
    let desk = Desk::new().await;
    let long = "k".repeat(513);
    let too_many: Map<String, Value> = (0..41).map(|n| (format!("tag-{n}"), json!("x"))).collect();
    for kind in Kind::WORKSPACES {
        for name in ["", &long, "a<b", "a>b", "a%b", "a&b", "a\\b", "a?b", "a/b"] {
            let spec = kind.but(json!({"tags": {name: "v"}}));
            desk.refuses(kind, spec, "spec.tags", TAG_NAME).await;
        }
        for reserved in
            ["foundryoperator.dev.owner", "FoundryOperator.Dev.Owner", "__SYSTEM__AzureOpenAI", "__system__x"]
        {
            let spec = kind.but(json!({"tags": {reserved: "v"}}));
            desk.refuses(kind, spec, "spec.tags", TAG_NAME).await;
        }
        let spec = kind.but(json!({"tags": {"k": "v".repeat(257)}}));
        desk.refuses(kind, spec, "spec.tags.k", "Too long: may not be more than 256 bytes").await;
        let spec = kind.but(at("tags", too_many.clone()));
        desk.refuses(kind, spec, "spec.tags", "must have at most 40 items").await;
    }
}

fn identity_ids(count: usize) -> Vec<String> {
    (0..count).map(|n| arm_id(&format!("Microsoft.ManagedIdentity/userAssignedIdentities/id-{n}"))).collect()
}

#[tokio::test]
async fn identities_pass_where_type_and_list_agree() {
    let desk = Desk::new().await;
    let mut longest = identity_ids(1);
    longest[0] = longest[0].replace("id-0", &"i".repeat(260));
    for kind in Kind::WORKSPACES {
        for identity in [
            json!({"type": "SystemAssigned"}),
            json!({"type": "SystemAssigned", "userAssignedIdentities": []}),
            json!({"type": "UserAssigned", "userAssignedIdentities": identity_ids(1)}),
            json!({"type": "UserAssigned", "userAssignedIdentities": identity_ids(20)}),
            json!({"type": "UserAssigned", "userAssignedIdentities": longest}),
            json!({"type": "SystemAssigned,UserAssigned", "userAssignedIdentities": identity_ids(2)}),
            json!({"type": "UserAssigned", "userAssignedIdentities": [identity_ids(1)[0].to_uppercase()]}),
        ] {
            desk.accepts(kind, kind.but(at("identity", identity))).await;
        }
        let spec = desk.accepts(kind, kind.but(json!({"identity": {}}))).await;
        assert_eq!(spec["identity"], json!({"type": "SystemAssigned"}));
    }
}

#[tokio::test]
async fn identities_are_refused_where_type_and_list_disagree() {
    let desk = Desk::new().await;
    for kind in Kind::WORKSPACES {
        for identity in [
            json!({"type": "SystemAssigned", "userAssignedIdentities": identity_ids(1)}),
            json!({"userAssignedIdentities": identity_ids(1)}),
            json!({"type": "UserAssigned"}),
            json!({"type": "UserAssigned", "userAssignedIdentities": []}),
            json!({"type": "SystemAssigned,UserAssigned"}),
        ] {
            let spec = kind.but(at("identity", identity));
            desk.refuses(kind, spec, "spec.identity", IDENTITY).await;
        }
    }
}

#[tokio::test]
async fn identities_that_are_not_ids_of_identities_are_refused() {
    let desk = Desk::new().await;
    let field = "spec.identity.userAssignedIdentities";
    let of =
        |kind: Kind, ids: Value| kind.but(json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": ids}}));
    for kind in Kind::WORKSPACES {
        for id in
            ["id-churn".to_owned(), arm_id("Microsoft.Storage/storageAccounts/st"), format!("{}/x", identity_ids(1)[0])]
        {
            let spec = of(kind, json!([identity_ids(1)[0], id]));
            desk.refuses(kind, spec, field, IDENTITY_ID).await;
        }
        let spec = of(kind, json!(identity_ids(21)));
        desk.refuses(kind, spec, field, "must have at most 20 items").await;
        let spec = of(kind, json!(["i".repeat(513)]));
        let says = "Too long: may not be more than 512 bytes";
        desk.refuses(kind, spec, &format!("{field}[0]"), says).await;
    }
}

#[tokio::test]
async fn names_and_descriptions_for_people_pass_up_to_their_limits() {
    let desk = Desk::new().await;
    for kind in Kind::WORKSPACES {
        for (field, limit) in [("friendlyName", 256), ("description", 1024)] {
            for text in [String::new(), "x".repeat(limit), "Größe, 名前 & <more>".to_owned()] {
                desk.accepts(kind, kind.but(at(field, text))).await;
            }
        }
    }
}

#[tokio::test]
async fn names_and_descriptions_for_people_are_refused_past_their_limits() {
    let desk = Desk::new().await;
    for kind in Kind::WORKSPACES {
        for (field, limit) in [("friendlyName", 256), ("description", 1024)] {
            let spec = kind.but(at(field, "x".repeat(limit + 1)));
            let says = format!("Too long: may not be more than {limit} bytes");
            desk.refuses(kind, spec, &format!("spec.{field}"), &says).await;
        }
    }
}

const POLICIES: &[(&str, &[&str])] = &[
    ("adoptionPolicy", &["Fail", "Adopt"]),
    ("deletionPolicy", &["Delete", "Orphan"]),
    ("managementPolicy", &["Manage", "Observe", "Pause"]),
];
const PUBLIC_ACCESS: (&str, &[&str]) = ("publicNetworkAccess", &["Enabled", "Disabled"]);

#[tokio::test]
async fn every_policy_passes() {
    let desk = Desk::new().await;
    for kind in Kind::ALL {
        let public = (kind != Kind::Connection).then_some(&PUBLIC_ACCESS);
        for (field, values) in POLICIES.iter().chain(public) {
            for value in *values {
                let spec = desk.accepts(kind, kind.but(at(field, *value))).await;
                assert_eq!(spec[field], *value);
            }
        }
    }
}

#[tokio::test]
async fn unknown_policies_are_refused_with_those_that_there_are() {
    let desk = Desk::new().await;
    let identity_types: (&str, &[&str]) =
        ("identity.type", &["SystemAssigned", "UserAssigned", "SystemAssigned,UserAssigned"]);
    for kind in Kind::ALL {
        let of_workspaces = [PUBLIC_ACCESS, identity_types];
        let more = if kind == Kind::Connection { &[][..] } else { &of_workspaces };
        for (field, values) in POLICIES.iter().chain(more) {
            let says = format!("supported values: {}", quoted(values));
            for unknown in ["Nonsense", "", &values[0].to_lowercase()] {
                let spec = kind.but(at(field, unknown));
                desk.refuses(kind, spec, &format!("spec.{field}"), &says).await;
            }
        }
    }
}

#[tokio::test]
async fn policies_left_out_are_the_careful_ones() {
    let desk = Desk::new().await;
    for kind in Kind::ALL {
        let spec = desk.accepts(kind, kind.least()).await;
        assert_eq!(spec["adoptionPolicy"], "Fail");
        assert_eq!(spec["deletionPolicy"], "Delete");
        assert_eq!(spec["managementPolicy"], "Manage");
    }
}

#[tokio::test]
async fn a_misspelt_field_is_refused_by_name() {
    let desk = Desk::new().await;
    for kind in Kind::ALL {
        let spec = kind.but(at("freindlyName", "x"));
        desk.refuses_unknown(kind, spec, "spec.freindlyName").await;
    }
}

/// Else `has()` in a rule would be true of a field that is not there.
#[tokio::test]
async fn a_field_that_is_null_passes_for_one_left_out() {
    let desk = Desk::new().await;
    for (kind, field) in [
        (Kind::Hub, "azureName"),
        (Kind::Hub, "managedNetwork"),
        (Kind::Hub, "adoptionPolicy"),
        (Kind::Hub, "identity"),
        (Kind::Project, "azureName"),
        (Kind::Connection, "hubRef"),
        (Kind::Connection, "credentials"),
        (Kind::Connection, "metadata"),
    ] {
        let mut spec = kind.least();
        spec[field] = Value::Null;
        assert_eq!(desk.accepts(kind, spec).await, desk.accepts(kind, kind.least()).await, "{field}");
    }
}

#[tokio::test]
async fn a_field_that_is_null_is_refused_where_it_must_be_there() {
    let desk = Desk::new().await;
    for (kind, changes, field, nulled, says) in [
        (Kind::Hub, json!({}), "<nil>", "azureName", "set spec.azureName"),
        (Kind::Hub, json!({"azureName": "hub"}), "spec.location", "location", "Required value"),
        (Kind::Project, json!({}), "spec.hubRef", "hubRef", "Required value"),
        (Kind::Connection, json!({"azureName": "ok-name"}), "spec", "projectRef", "set exactly one of"),
        (
            Kind::Connection,
            json!({"azureName": "ok-name", "authType": "ApiKey"}),
            "spec",
            "credentials",
            "authType ApiKey takes exactly credentials.key",
        ),
    ] {
        let mut spec = kind.but(changes);
        spec[nulled] = Value::Null;
        desk.refuses_named(kind, "ab", spec, field, says).await;
    }
}

#[tokio::test]
async fn an_object_without_a_spec_is_refused() {
    let desk = Desk::new().await;
    for kind in Kind::ALL {
        desk.refuses(kind, Value::Null, "spec", "Required value").await;
    }
}
