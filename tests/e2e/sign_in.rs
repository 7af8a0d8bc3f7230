//! The four credentials, right and wrong, and what becomes of their tokens.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use arm_emulator::{Config, Credential, Fault, FaultRule, Identity, Machine, Timings};
use foundry_operator::api::FoundryHub;
use serde_json::json;
use stage::{Azure, EXCHANGE_AUDIENCE, OPERATOR_CLIENT_ID};
use tempfile::TempDir;

use crate::harness::{Scene, Setting, cluster, quick_azure};

const OTHER_CLIENT: &str = "00000000-0000-4000-8000-0000000000ff";

fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "no {part} in: {message}");
    }
}

async fn heals(scene: &Scene, credential: &str) {
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    let sign_ins =
        |outcome: &str| format!(r#"foundry_arm_sign_ins_total{{credential="{credential}",outcome="{outcome}"}}"#);
    assert!(scene.metric(&sign_ins("refused")).await >= 1);
    assert!(scene.metric(&sign_ins("ok")).await >= 1);
    assert_eq!(scene.metric("foundry_arm_signed_in").await, 1);
}

#[tokio::test]
async fn workload_identity_of_an_unknown_client_is_told_and_heals_when_it_is_registered() {
    let flags = vec!["--client-id", OTHER_CLIENT];
    let scene = Scene::with(Setting { flags, ..Setting::default() }).await;
    let message = scene.failing_hub("SignInFailed").await;
    says(&message, &["workload-identity", "AADSTS700016", OTHER_CLIENT, "check --client-id"]);
    assert_eq!(scene.metric("foundry_arm_signed_in").await, 0);
    let credential = stage::operator_credential(cluster());
    scene.azure.register_identity(Identity { client_id: OTHER_CLIENT.into(), credential });
    heals(&scene, "workload-identity").await;
}

#[tokio::test]
async fn a_rotated_token_file_is_picked_up() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("token");
    // A token for the API server, where one for Azure belongs.
    fs::write(&file, cluster().operator_token(None).unwrap()).unwrap();
    let environment = vec![("AZURE_FEDERATED_TOKEN_FILE", file.display().to_string())];
    let scene = Scene::with(Setting { environment, ..Setting::default() }).await;
    let message = scene.failing_hub("SignInFailed").await;
    says(&message, &["AADSTS700212", "audience", EXCHANGE_AUDIENCE, "federated-credential create"]);
    fs::write(&file, cluster().operator_token(Some(EXCHANGE_AUDIENCE)).unwrap()).unwrap();
    heals(&scene, "workload-identity").await;
}

#[tokio::test]
async fn a_token_file_that_is_not_there_yet_is_waited_for() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("token");
    let environment = vec![("AZURE_FEDERATED_TOKEN_FILE", file.display().to_string())];
    let scene = Scene::with(Setting { environment, ..Setting::default() }).await;
    let message = scene.failing_hub("SignInFailed").await;
    says(&message, &[&file.display().to_string(), "azure.workload.identity/use"]);
    fs::write(&file, cluster().operator_token(Some(EXCHANGE_AUDIENCE)).unwrap()).unwrap();
    heals(&scene, "workload-identity").await;
}

async fn with_secret(secret: &str) -> Scene {
    let environment = vec![("AZURE_CLIENT_SECRET", secret.to_owned()), ("AZURE_CLIENT_ID", OTHER_CLIENT.to_owned())];
    let flags = vec!["--credential", "client-secret"];
    let scene = Scene::with(Setting { flags, environment, ..Setting::default() }).await;
    let credential = Credential::Secret("the-right-one".into());
    scene.azure.register_identity(Identity { client_id: OTHER_CLIENT.into(), credential });
    scene
}

#[tokio::test]
async fn a_client_secret_signs_in() {
    let scene = with_secret("the-right-one").await;
    scene.ready_hub("contoso").await;
    assert!(!scene.log().contains("the-right-one"));
}

#[tokio::test]
async fn a_wrong_client_secret_is_told_without_telling_it() {
    let mut scene = with_secret("the-wrong-one").await;
    let message = scene.failing_hub("SignInFailed").await;
    says(&message, &["client-secret", "AADSTS7000215", OTHER_CLIENT, "AZURE_CLIENT_SECRET", "not its id"]);
    let refused = r#"foundry_arm_sign_ins_total{credential="client-secret",outcome="refused"}"#;
    assert!(scene.metric(refused).await >= 1);
    let events = scene.events(&scene.platform, "contoso").await;
    assert!(!format!("{message}{events:?}{}", scene.log()).contains("the-wrong-one"));
    scene.restart_with("AZURE_CLIENT_SECRET", "the-right-one");
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
}

/// An Azure with a machine that the operator's identity is not assigned to yet.
async fn machine() -> Azure {
    let config = Config { machine: Some(Machine::default()), ..quick_azure() };
    Azure::start(cluster(), config).await.unwrap()
}

fn assign(azure: &Azure) {
    azure.register_identity(Identity { client_id: OPERATOR_CLIENT_ID.into(), credential: Credential::Machine });
}

async fn on_machine(azure: Azure, environment: Vec<(&'static str, String)>) -> Scene {
    Scene::beside(azure, Setting { environment, flags: vec!["--credential", "managed-identity"], ..Setting::default() })
        .await
}

#[tokio::test]
async fn the_managed_identity_of_a_node_signs_in() {
    let azure = machine().await;
    assign(&azure);
    // Every node has its endpoint at the same address; here the way to it leads through the emulator.
    let environment = vec![("HTTP_PROXY", azure.identity_endpoint().unwrap().to_owned())];
    let scene = on_machine(azure, environment).await;
    scene.ready_hub("contoso").await;
    assert_eq!(scene.azure.journal_matching("GET", "/metadata/identity/oauth2/token").len(), 1);
}

#[tokio::test]
async fn a_managed_identity_that_is_not_assigned_is_told_and_heals_when_it_is() {
    let azure = machine().await;
    let environment = vec![("HTTP_PROXY", azure.identity_endpoint().unwrap().to_owned())];
    let scene = on_machine(azure, environment).await;
    let message = scene.failing_hub("SignInFailed").await;
    says(&message, &["managed-identity", "not been assigned", OPERATOR_CLIENT_ID, "az vmss identity assign"]);
    assign(&scene.azure);
    heals(&scene, "managed-identity").await;
}

#[tokio::test]
async fn the_managed_identity_of_an_app_signs_in() {
    let azure = machine().await;
    assign(&azure);
    let endpoint = format!("{}/msi/token", azure.identity_endpoint().unwrap());
    let scene =
        on_machine(azure, vec![("IDENTITY_ENDPOINT", endpoint), ("IDENTITY_HEADER", "emulated".to_owned())]).await;
    scene.ready_hub("contoso").await;
}

/// An `az` that gives the token in a file beside it, or fails as the real one does when nobody is logged in.
fn azure_cli(folder: &Path) -> Vec<(&'static str, String)> {
    let token = folder.join("token.json");
    let script = format!(
        "#!/bin/sh\n[ \"$1 $2\" = 'account get-access-token' ] || exit 2\n\
         [ -f '{0}' ] || {{ echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1; }}\ncat '{0}'\n",
        token.display()
    );
    let az = folder.join("az");
    fs::write(&az, script).unwrap();
    fs::set_permissions(&az, fs::Permissions::from_mode(0o755)).unwrap();
    vec![("PATH", format!("{}:{}", folder.display(), std::env::var("PATH").unwrap()))]
}

/// What `az account get-access-token` prints once somebody is logged in.
async fn log_in(scene: &Scene, folder: &Path) {
    let credential = Credential::Secret("of-a-person".into());
    scene.azure.register_identity(Identity { client_id: OTHER_CLIENT.into(), credential });
    let ca = reqwest::Certificate::from_pem(scene.azure.ca_pem().as_bytes()).unwrap();
    let http = reqwest::Client::builder().tls_certs_only([ca]).build().unwrap();
    let url = format!("{}/{}/oauth2/v2.0/token", scene.azure.endpoint(), scene.azure.tenant_id());
    let form = format!(
        "grant_type=client_credentials&client_id={OTHER_CLIENT}&client_secret=of-a-person&scope={}/.default",
        scene.azure.endpoint()
    );
    let request = http.post(url).header("content-type", "application/x-www-form-urlencoded").body(form);
    let answer: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
    let expires_on = jiff::Timestamp::now().as_second() + answer["expires_in"].as_i64().unwrap();
    let printed = json!({"accessToken": answer["access_token"], "expires_on": expires_on, "tokenType": "Bearer"});
    fs::write(folder.join("token.part"), printed.to_string()).unwrap();
    fs::rename(folder.join("token.part"), folder.join("token.json")).unwrap();
}

#[tokio::test]
async fn who_is_not_logged_in_to_the_azure_cli_is_told_and_heals_by_az_login() {
    let folder = TempDir::new().unwrap();
    let (environment, flags) = (azure_cli(folder.path()), vec!["--credential", "azure-cli"]);
    let scene = Scene::with(Setting { flags, environment, ..Setting::default() }).await;
    let message = scene.failing_hub("SignInFailed").await;
    says(&message, &["azure-cli", "Please run 'az login'", "run az login as the user"]);
    log_in(&scene, folder.path()).await;
    heals(&scene, "azure-cli").await;
    // The program is asked once, not for every call.
    assert_eq!(scene.metric(r#"foundry_arm_sign_ins_total{credential="azure-cli",outcome="ok"}"#).await, 1);
}

#[tokio::test]
async fn a_token_that_ends_in_the_middle_of_an_operation_is_renewed_and_the_operation_followed() {
    // A token is given back five minutes before its end: this one is used for two seconds, and the hub takes six.
    let azure = Config { token_lifetime: Duration::from_secs(302), ..quick_azure() };
    let scene = Scene::with(Setting { azure: Some(azure), ..Setting::default() }).await;
    scene.azure.set_timings(Timings::all(Duration::from_secs(6)));
    scene.ready_hub("contoso").await;
    let sign_ins = scene.azure.journal_matching("POST", "/token").len();
    assert!((2..=6).contains(&sign_ins), "{sign_ins} sign-ins");
    assert_eq!(scene.calls("PUT", "/workspaces/").len(), 1);
}

#[tokio::test]
async fn a_token_that_arm_refuses_in_the_middle_of_an_operation_is_renewed_and_the_operation_followed() {
    let scene = Scene::new().await;
    // As when the sessions of the identity are revoked: a challenge for claims, which the credential does not take.
    let headers = BTreeMap::from([(
        "WWW-Authenticate".to_owned(),
        r#"Bearer authorization_uri="https://login", error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ==""#
            .to_owned(),
    )]);
    let body = json!({"error": {"code": "AuthenticationFailed", "message": "The access token was revoked."}});
    let revoked = Fault::Answer { status: 401, headers, body };
    scene.azure.add_fault(FaultRule::new("GET", "/workspaceOperationsStatus/", revoked).times(1));
    scene.ready_hub("contoso").await;
    assert_eq!(scene.azure.journal_matching("POST", "/token").len(), 2);
    assert_eq!(scene.calls("PUT", "/workspaces/").len(), 1);
}
