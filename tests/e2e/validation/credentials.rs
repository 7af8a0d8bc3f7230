//! Rules of connections' credentials: which fields go with which `authType`, and what those take that are not secret.

use serde_json::{Value, json};

use super::{Desk, Kind, arm_id, at, quoted, with};
use crate::harness::from_secret;

const CONNECTION: Kind = Kind::Connection;
const GUID: &str = "00000000-0000-4000-8000-00000000000c";
pub const SECRET_FIELDS: &[&str] = &[
    "key",
    "sas",
    "pat",
    "secretAccessKey",
    "clientSecret",
    "password",
    "securityToken",
    "developerToken",
    "refreshToken",
    "keys.mine",
];
const PLAIN_FIELDS: &[(&str, usize)] = &[
    ("accessKeyId", 256),
    ("clientId", 256),
    ("resourceId", 512),
    ("tenantId", 256),
    ("username", 256),
    ("authUrl", 2048),
];

/// Each authType with the fields that it needs, those that it may have, and what is said where they are not these. From
/// the reference of the service, not from the code.
const AUTH_TYPES: &[(&str, &[&str], &[&str], &str)] = &[
    ("ApiKey", &["key"], &[], "authType ApiKey takes exactly credentials.key"),
    ("AccountKey", &["key"], &[], "authType AccountKey takes exactly credentials.key"),
    ("SAS", &["sas"], &[], "authType SAS takes exactly credentials.sas"),
    ("PAT", &["pat"], &[], "authType PAT takes exactly credentials.pat"),
    ("CustomKeys", &["keys.mine"], &[], "authType CustomKeys takes exactly credentials.keys"),
    (
        "AccessKey",
        &["accessKeyId", "secretAccessKey"],
        &[],
        "authType AccessKey takes exactly credentials.accessKeyId, credentials.secretAccessKey",
    ),
    (
        "ManagedIdentity",
        &["clientId", "resourceId"],
        &[],
        "authType ManagedIdentity takes exactly credentials.clientId, credentials.resourceId",
    ),
    (
        "ServicePrincipal",
        &["clientId", "clientSecret", "tenantId"],
        &[],
        "authType ServicePrincipal takes exactly credentials.clientId, credentials.clientSecret, credentials.tenantId",
    ),
    (
        "UsernamePassword",
        &["username", "password"],
        &["securityToken"],
        "authType UsernamePassword takes exactly credentials.username, credentials.password, and if needed securityToken",
    ),
    (
        "OAuth2",
        &["clientId", "clientSecret"],
        &["authUrl", "developerToken", "password", "refreshToken", "tenantId", "username"],
        "authType OAuth2 takes exactly credentials.clientId, credentials.clientSecret, and if needed authUrl, \
         developerToken, password, refreshToken, tenantId, username",
    ),
    ("AAD", &[], &[], "authType AAD takes no credentials: take them out"),
    ("None", &[], &[], "authType None takes no credentials: take them out"),
];

/// A value that a field of the credentials takes.
fn good(field: &str) -> Value {
    match field {
        "clientId" => json!(GUID),
        "resourceId" => json!(arm_id("Microsoft.ManagedIdentity/userAssignedIdentities/id-churn")),
        field if SECRET_FIELDS.contains(&field) => from_secret("aoai", "key"),
        _ => json!("x"),
    }
}

/// A connection with these fields in its credentials, and no credentials where there are none.
fn connection<'a>(auth_type: &str, fields: impl IntoIterator<Item = &'a &'a str>) -> Value {
    let mut spec = CONNECTION.but(at("authType", auth_type));
    for field in fields {
        spec = with(spec, at(&format!("credentials.{field}"), good(field)));
    }
    spec
}

#[tokio::test]
async fn each_auth_type_takes_its_credentials() {
    let desk = Desk::new().await;
    for (auth_type, needed, allowed, _) in AUTH_TYPES {
        desk.accepts(CONNECTION, connection(auth_type, *needed)).await;
        for more in *allowed {
            desk.accepts(CONNECTION, connection(auth_type, needed.iter().chain([more]))).await;
        }
        desk.accepts(CONNECTION, connection(auth_type, needed.iter().chain(*allowed))).await;
    }
}

#[tokio::test]
async fn credentials_that_lack_what_the_auth_type_needs_are_refused() {
    let desk = Desk::new().await;
    for (auth_type, needed, allowed, says) in AUTH_TYPES.iter().filter(|(_, needed, ..)| !needed.is_empty()) {
        desk.refuses(CONNECTION, connection(auth_type, []), "spec", says).await;
        let mut empty = connection(auth_type, []);
        empty["credentials"] = json!({});
        desk.refuses(CONNECTION, empty, "spec", says).await;
        for missing in *needed {
            let rest = needed.iter().chain(*allowed).filter(|field| *field != missing);
            desk.refuses(CONNECTION, connection(auth_type, rest), "spec", says).await;
        }
    }
}

#[tokio::test]
async fn credentials_of_another_auth_type_are_refused() {
    let desk = Desk::new().await;
    let all = PLAIN_FIELDS.iter().map(|(field, _)| field).chain(SECRET_FIELDS);
    for (auth_type, needed, allowed, says) in AUTH_TYPES {
        let foreign = all.clone().filter(|field| !needed.contains(field) && !allowed.contains(field));
        for field in foreign {
            let spec = connection(auth_type, needed.iter().chain([field]));
            desk.refuses(CONNECTION, spec, "spec", says).await;
        }
        if needed.is_empty() {
            let mut empty = connection(auth_type, []);
            empty["credentials"] = json!({});
            desk.refuses(CONNECTION, empty, "spec", says).await;
        }
    }
}

#[tokio::test]
async fn an_unknown_auth_type_is_refused_with_those_that_there_are() {
    let desk = Desk::new().await;
    let known: Vec<&str> = AUTH_TYPES.iter().map(|(auth_type, ..)| *auth_type).collect();
    let says = format!("supported values: {}", quoted(&known));
    for unknown in ["Nonsense", "", "apikey", "Key"] {
        let spec = connection(unknown, &["key"]);
        desk.refuses(CONNECTION, spec, "spec.authType", &says).await;
    }
}

#[tokio::test]
async fn the_auth_type_changes_together_with_its_credentials() {
    let desk = Desk::new().await;
    desk.create(CONNECTION, "churn", connection("ApiKey", &["key"])).await;
    desk.accepts_change(CONNECTION, "churn", json!({"authType": "AAD", "credentials": null})).await;
    desk.accepts_change(CONNECTION, "churn", json!({"authType": "AccountKey"})).await;
    let (_, _, _, says) = AUTH_TYPES[10];
    desk.refuses_change(CONNECTION, "churn", json!({"authType": "AAD"}), &[("spec", says)]).await;
    let (_, _, _, says) = AUTH_TYPES[0];
    desk.refuses_change(CONNECTION, "churn", json!({"credentials": null}), &[("spec", says)]).await;
}

/// A connection whose only fault can be in one field of the credentials.
pub fn holding(field: &str, value: Value) -> Value {
    let whole = |needed: &[&str], allowed: &[&str]| needed.contains(&field) || allowed.contains(&field);
    let (auth_type, needed, ..) = AUTH_TYPES.iter().find(|(_, needed, allowed, _)| whole(needed, allowed)).unwrap();
    let rest = connection(auth_type, needed.iter().filter(|other| **other != field));
    with(rest, at(&format!("credentials.{field}"), value))
}

#[tokio::test]
async fn plain_fields_pass_up_to_their_limits() {
    let desk = Desk::new().await;
    for (field, limit) in PLAIN_FIELDS {
        let longest = match *field {
            "resourceId" => {
                let id = arm_id("Microsoft.ManagedIdentity/userAssignedIdentities/");
                format!("{id}{}", "i".repeat(260))
            }
            _ => "x".repeat(*limit),
        };
        desk.accepts(CONNECTION, holding(field, json!(longest))).await;
    }
}

#[tokio::test]
async fn plain_fields_are_refused_empty_and_past_their_limits() {
    let desk = Desk::new().await;
    for (field, limit) in PLAIN_FIELDS {
        let path = format!("spec.credentials.{field}");
        let says = format!("Too long: may not be more than {limit} bytes");
        let long = holding(field, json!("x".repeat(limit + 1)));
        desk.refuses(CONNECTION, long, &path, &says).await;
        let status = desk.post(CONNECTION, "churn", holding(field, json!("")), true).await.unwrap_err();
        assert!(
            status.message.contains(&format!("{path} in body should be at least 1 chars long")),
            "{}",
            status.message
        );
    }
}

#[tokio::test]
async fn the_id_of_an_identity_passes_in_any_letter_case() {
    let desk = Desk::new().await;
    let id = arm_id("Microsoft.ManagedIdentity/userAssignedIdentities/id-churn");
    for id in [id.to_lowercase(), id.to_uppercase(), id] {
        desk.accepts(CONNECTION, holding("resourceId", json!(id))).await;
    }
}

#[tokio::test]
async fn what_is_no_id_of_an_identity_is_refused_with_the_form_of_one() {
    let desk = Desk::new().await;
    let says = "must be the ARM id of a user-assigned identity: /subscriptions/<guid>/resourceGroups/<name>\
        /providers/Microsoft.ManagedIdentity/userAssignedIdentities/<name>";
    for id in [
        "id-churn".to_owned(),
        GUID.to_owned(),
        arm_id("Microsoft.ManagedIdentity/userAssignedIdentities/"),
        arm_id("Microsoft.KeyVault/vaults/kv"),
    ] {
        let spec = holding("resourceId", json!(id));
        desk.refuses(CONNECTION, spec, "spec.credentials.resourceId", says).await;
    }
}

#[tokio::test]
async fn the_client_of_oauth2_is_a_guid_in_any_letter_case() {
    let desk = Desk::new().await;
    for id in [GUID.to_owned(), GUID.to_uppercase()] {
        let spec = with(connection("OAuth2", &["clientSecret"]), at("credentials.clientId", id));
        desk.accepts(CONNECTION, spec).await;
    }
    for auth_type in ["ManagedIdentity", "ServicePrincipal"] {
        let (_, needed, ..) = AUTH_TYPES.iter().find(|(name, ..)| *name == auth_type).unwrap();
        let spec = with(connection(auth_type, *needed), at("credentials.clientId", "my-app"));
        desk.accepts(CONNECTION, spec).await;
    }
}

#[tokio::test]
async fn another_client_of_oauth2_is_refused() {
    let desk = Desk::new().await;
    for id in ["my-app".to_owned(), GUID.replace('-', ""), format!("{{{GUID}}}"), format!("{GUID}0")] {
        let spec = with(connection("OAuth2", &["clientSecret"]), at("credentials.clientId", id));
        let says = "credentials.clientId must be a GUID where authType is OAuth2";
        desk.refuses(CONNECTION, spec, "spec", says).await;
    }
}
