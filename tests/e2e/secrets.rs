//! Where secret values go, and where they never do.

use foundry_operator::api::FoundryConnection;
use foundry_operator::api::conditions::ConditionType;
use serde_json::{Value, json};

use crate::harness::{Driven as _, Scene, from_secret, says};

async fn connect(scene: &Scene, name: &str, auth_type: &str, credentials: Value) {
    let spec = json!({
        "hubRef": {"name": "contoso"}, "category": "CustomKeys", "target": "https://a",
        "authType": auth_type, "credentials": credentials,
    });
    scene.apply::<FoundryConnection>(&scene.platform, name, spec).await;
}

fn arrived(scene: &Scene, connection: &FoundryConnection) -> Option<Value> {
    scene.azure.connection_credentials(&connection.engine().resource_id.unwrap())
}

#[tokio::test]
async fn the_credentials_of_each_auth_type_arrive_as_azure_wants_them() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    scene.apply_secret(&scene.platform, "s", &[("a", "secret-a"), ("b", "secret-b")]).await;
    let (a, b) = (from_secret("s", "a"), from_secret("s", "b"));
    let guid = "00000000-0000-4000-8000-0000000000aa";
    let identity = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i";
    #[rustfmt::skip]
    let table = [
        ("api-key", "ApiKey", json!({"key": a}), json!({"key": "secret-a"})),
        ("account-key", "AccountKey", json!({"key": a}), json!({"key": "secret-a"})),
        ("sas", "SAS", json!({"sas": a}), json!({"sas": "secret-a"})),
        ("pat", "PAT", json!({"pat": a}), json!({"pat": "secret-a"})),
        ("custom-keys", "CustomKeys", json!({"keys": {"one": a, "with/slash": b}}), json!({"keys": {"one": "secret-a", "with/slash": "secret-b"}})),
        ("access-key", "AccessKey", json!({"accessKeyId": "id", "secretAccessKey": a}), json!({"accessKeyId": "id", "secretAccessKey": "secret-a"})),
        ("managed-identity", "ManagedIdentity", json!({"clientId": guid, "resourceId": identity}), json!({"clientId": guid, "resourceId": identity})),
        ("service-principal", "ServicePrincipal", json!({"clientId": guid, "clientSecret": a, "tenantId": guid}), json!({"clientId": guid, "clientSecret": "secret-a", "tenantId": guid})),
        ("username", "UsernamePassword", json!({"username": "u", "password": a, "securityToken": b}), json!({"username": "u", "password": "secret-a", "securityToken": "secret-b"})),
        ("oauth2", "OAuth2", json!({"clientId": guid, "clientSecret": a, "authUrl": "https://auth"}), json!({"clientId": guid, "clientSecret": "secret-a", "authUrl": "https://auth"})),
    ];
    for (name, auth_type, credentials, _) in &table {
        connect(&scene, name, auth_type, credentials.clone()).await;
    }
    for (name, auth_type, _, expected) in table {
        let connection = scene.until_ready::<FoundryConnection>(&scene.platform, name).await;
        assert_eq!(arrived(&scene, &connection), Some(expected), "{auth_type}");
    }
}

#[tokio::test]
async fn a_rotated_secret_rewrites_its_connection() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    scene.apply_secret(&scene.platform, "s", &[("key", "first")]).await;
    connect(&scene, "conn", "ApiKey", json!({"key": from_secret("s", "key")})).await;
    let connection = scene.until_ready::<FoundryConnection>(&scene.platform, "conn").await;
    scene.apply_secret(&scene.platform, "s", &[("key", "second")]).await;
    scene.eventually("rewritten", || arrived(&scene, &connection) == Some(json!({"key": "second"}))).await;
}

#[tokio::test]
async fn a_connection_waits_for_its_secret_and_for_the_key_in_it() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    connect(&scene, "conn", "ApiKey", json!({"key": from_secret("s", "key")})).await;
    let without =
        |reason: &'static str| move |c: &FoundryConnection| says(c, ConditionType::ReferencesResolved, "False", reason);
    scene.until(&scene.platform, "conn", "without its Secret", without("SecretNotFound")).await;
    assert_eq!(scene.calls("", "/connections/conn").len(), 0);
    scene.apply_secret(&scene.platform, "s", &[("another", "x")]).await;
    scene.until(&scene.platform, "conn", "without its key", without("SecretKeyNotFound")).await;
    assert_eq!(scene.calls("PUT", "/connections/conn").len(), 0);
    scene.apply_secret(&scene.platform, "s", &[("key", "x")]).await;
    scene.until_ready::<FoundryConnection>(&scene.platform, "conn").await;
}

#[tokio::test]
async fn a_connection_can_be_deleted_after_its_secret() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    scene.apply_secret(&scene.platform, "s", &[("key", "first")]).await;
    connect(&scene, "conn", "ApiKey", json!({"key": from_secret("s", "key")})).await;
    scene.until_ready::<FoundryConnection>(&scene.platform, "conn").await;
    scene.delete_secret(&scene.platform, "s").await;
    let without = |c: &FoundryConnection| says(c, ConditionType::ReferencesResolved, "False", "SecretNotFound");
    scene.until(&scene.platform, "conn", "without its Secret", without).await;
    scene.delete::<FoundryConnection>(&scene.platform, "conn").await;
    scene.until_gone::<FoundryConnection>(&scene.platform, "conn").await;
}

#[tokio::test]
async fn no_secret_value_is_told_anywhere() {
    const SECRET: &str = "s3cr3t-that-nobody-may-see";
    const ROTATED: &str = "r0tated-that-nobody-may-see";
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    scene.apply_secret(&scene.platform, "s", &[("key", SECRET)]).await;
    connect(&scene, "conn", "ApiKey", json!({"key": from_secret("s", "key")})).await;
    let connection = scene.until_ready::<FoundryConnection>(&scene.platform, "conn").await;
    // A refusal and a rotation are told too.
    scene.azure.fail_next(arm_emulator::PlannedFailure {
        method: "PUT".into(),
        path: "/connections/conn".into(),
        outcome: arm_emulator::Outcome::Failed,
        status: Some(400),
        code: "ValidationError".into(),
        message: format!("the key '{ROTATED}' is not to our liking"),
    });
    scene.apply_secret(&scene.platform, "s", &[("key", ROTATED)]).await;
    let stalled = |c: &FoundryConnection| says(c, ConditionType::Stalled, "True", "Refused");
    scene.until(&scene.platform, "conn", "stalled", stalled).await;
    scene.change::<FoundryConnection>(&scene.platform, "conn", json!({"target": "https://b"})).await;
    scene.eventually("rotated", || arrived(&scene, &connection) == Some(json!({"key": ROTATED}))).await;
    let object = scene.until_ready::<FoundryConnection>(&scene.platform, "conn").await;

    let log = scene.log();
    assert!(log.contains("planned") && log.contains("ARM call"), "the log is not verbose enough to prove anything");
    let told = [
        ("log", log),
        ("events", scene.events(&scene.platform, "conn").await.join("\n")),
        ("object", serde_json::to_string(&object).unwrap()),
        ("journal", serde_json::to_string(&scene.azure.journal()).unwrap()),
    ];
    let encoded = |secret: &str| [secret.to_owned(), base64(secret)];
    for (place, text) in told {
        for value in encoded(SECRET).iter().chain(&encoded(ROTATED)) {
            assert!(!text.contains(value.as_str()), "{place} tells {value}");
        }
    }
    let token = scene.operator_token();
    assert!(!scene.log().contains(&token), "the log tells the operator's token");
}

fn base64(text: &str) -> String {
    let bytes = k8s_openapi::ByteString(text.as_bytes().to_vec());
    serde_json::to_value(bytes).unwrap().as_str().unwrap().trim_end_matches('=').to_owned()
}
